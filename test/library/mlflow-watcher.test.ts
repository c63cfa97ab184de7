import { join } from "node:path";
import { expect, test } from "vitest";
import { mlflowWatcher, requireMlflow } from "../../src/library/mlflow-watcher.js";
import { temporaryFolder } from "../web/lab-folder.js";
import { fakeMlflow } from "./fake-mlflow.js";

async function watching(address: string, resumed = false, keep?: string) {
  const troubles: string[] = [];
  const file = keep ?? join(await temporaryFolder(), "mlflow.json");
  let time = 1000;
  const watcher = await mlflowWatcher({
    address,
    name: "run",
    settings: { seed: 3, recipe: { name: "default", long: "x".repeat(600) }, list: [1, 2] },
    keep: file,
    resumed,
    onTrouble: (message) => troubles.push(message),
    now: () => time++,
  });
  return { watcher, troubles, file };
}

test("makes the experiment and the run, logs settings and metrics in batches, and ends the run", async () => {
  const { address, asked } = await fakeMlflow();
  await requireMlflow(address);
  const { watcher, troubles } = await watching(`${address.replace("//", "//me:secret@")}/`);
  await watcher.metrics(1, { "generator/loss": 0.5, broken: Number.NaN });
  await watcher.metrics(2, { "generator/loss": 0.25 });
  await watcher.end("finished");
  expect(asked.map(({ path }) => path)).toEqual([
    "experiments/get-by-name?experiment_name=headstart",
    "experiments/get-by-name?experiment_name=headstart",
    "experiments/create",
    "runs/create",
    "runs/log-batch",
    "runs/log-batch",
    "runs/update",
  ]);
  expect(asked[1].authorization).toBe(`Basic ${Buffer.from("me:secret").toString("base64")}`);
  expect(asked[3].body).toMatchObject({ experiment_id: "7", run_name: "run" });
  const { params } = asked[4].body as { params: { key: string; value: string }[] };
  expect(params.map(({ key }) => key)).toEqual(["seed", "recipe.name", "recipe.long", "list"]);
  expect(params[2].value.length).toBe(500);
  expect(asked[5].body).toMatchObject({
    run_id: "abc",
    metrics: [
      { key: "generator/loss", value: 0.5, step: 1 },
      { key: "generator/loss", value: 0.25, step: 2 },
    ],
  });
  expect(asked[6].body).toMatchObject({ run_id: "abc", status: "FINISHED" });
  expect(troubles).toEqual([]);
});

test("access data is taken as it is written, where its % begins no code", async () => {
  const { address, asked } = await fakeMlflow();
  await requireMlflow(address.replace("//", "//me:50%zz@"));
  await requireMlflow(address.replace("//", "//a%20b:c%2Fd@"));
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  expect(asked.map(({ authorization }) => authorization)).toEqual([basic("me:50%zz"), basic("a b:c/d")]);
});

test("a resumed run goes on in its run there", async () => {
  const { address, asked } = await fakeMlflow();
  const { watcher, file } = await watching(address);
  await watcher.end("interrupted");
  asked.length = 0;
  await watching(address, true, file);
  expect(asked).toMatchObject([{ path: "runs/update", body: { run_id: "abc", status: "RUNNING" } }]);
});

test("a server that fails later is told of once and stops nothing; one that is not there is an error", async () => {
  const { address, fail } = await fakeMlflow();
  const { watcher, troubles } = await watching(address);
  fail(0);
  for (let step = 0; step < 1200; step++) await watcher.metrics(step, { a: 1 });
  await watcher.end("finished");
  expect(troubles).toEqual([`MLflow at ${address}: out of order; the run goes on.`]);
  await expect(requireMlflow("http://127.0.0.1:9")).rejects.toThrow(/required a running MLflow server/);
  await expect(requireMlflow("http://me:secret@127.0.0.1:9")).rejects.not.toThrow(/secret/);
  await expect(requireMlflow("nonsense")).rejects.toThrow(/--mlflow: required an address/);
  await expect(requireMlflow("file:///etc")).rejects.toThrow(/http or https/);
});

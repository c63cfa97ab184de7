import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { mlflowWatcher, requireMlflow } from "../../src/library/mlflow-watcher.js";
import { temporaryFolder } from "../web/lab-folder.js";

interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown> | undefined;
  readonly authorization: string | undefined;
}

/** A server that answers as MLflow 3 does, and keeps what it was asked. */
async function fakeServer(): Promise<{ address: string; asked: Asked[]; fail: (after: number) => void }> {
  const asked: Asked[] = [];
  let experiment = false;
  let left = Number.POSITIVE_INFINITY;
  const server = createServer((request, answer) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      const path = (request.url ?? "").replace("/api/2.0/mlflow/", "");
      asked.push({
        path,
        body: text === "" ? undefined : JSON.parse(text),
        authorization: request.headers.authorization,
      });
      const reply = (status: number, content: object) => answer.writeHead(status).end(JSON.stringify(content));
      if (left-- <= 0) return reply(500, { error_code: "INTERNAL_ERROR", message: "out of order" });
      if (path.startsWith("experiments/get-by-name"))
        return experiment
          ? reply(200, { experiment: { experiment_id: "7" } })
          : reply(404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: "none" });
      if (path === "experiments/create") {
        experiment = true;
        return reply(200, { experiment_id: "7" });
      }
      return reply(200, path === "runs/create" ? { run: { info: { run_id: "abc" } } } : {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    fail: (after) => {
      left = after;
    },
  };
}

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
  const { address, asked } = await fakeServer();
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

test("a resumed run goes on in its run there", async () => {
  const { address, asked } = await fakeServer();
  const { watcher, file } = await watching(address);
  await watcher.end("interrupted");
  asked.length = 0;
  await watching(address, true, file);
  expect(asked).toMatchObject([{ path: "runs/update", body: { run_id: "abc", status: "RUNNING" } }]);
});

test("a server that fails later is told of once and stops nothing; one that is not there is an error", async () => {
  const { address, fail } = await fakeServer();
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

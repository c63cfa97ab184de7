import { existsSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { UsageError } from "../../src/errors.js";
import { newModel } from "../../src/library/new-model.js";
import type {
  Entry,
  EntryList,
  FolderListing,
  RunDetail,
  RunSeries,
  StartedCommand,
  StudyDetail,
} from "../../src/web/protocol.js";
import { labServer } from "../../src/web/server.js";
import { lock, temporaryFolder, writeRun, writeStudy } from "./lab-folder.js";

const disk = vi.hoisted(() => ({ hasLinks: true }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const link: typeof real.link = async (from, to) => {
    if (!disk.hasLinks) throw Object.assign(new Error("ENOTSUP: operation not supported"), { code: "ENOTSUP" });
    await real.link(from, to);
  };
  return { ...real, link };
});

const host = "127.0.0.1:7000";
const cookie = "headstart-lab-7000=secret";
const forms = [
  {
    name: "init" as const,
    options: [
      { key: "data", flag: "--data", placeholder: "PATH", description: "", initial: null, required: true },
      { key: "steps", flag: "--steps", placeholder: "N", description: "", initial: null, required: false },
      { key: "output", flag: "--output", placeholder: "FOLDER", description: "", initial: null, required: false },
    ],
  },
];

async function server({ files = [] as string[] } = {}) {
  const folder = await realpath(await temporaryFolder());
  const root = join(folder, "root");
  await mkdir(root);
  const pageFolder = join(folder, "page");
  await mkdir(join(pageFolder, "assets"), { recursive: true });
  await writeFile(join(pageFolder, "index.html"), "<p>page</p>");
  await writeFile(join(pageFolder, "assets", "index-1.js"), "1");
  const program = join(folder, "program.mjs");
  await writeFile(program, 'process.stderr.write("headstart: no.\\n"); process.exitCode = 1;');
  const app = labServer({
    root,
    files,
    pageFolder,
    version: "1",
    guard: () => ({ hosts: ["127.0.0.1"], port: 7000, token: "secret" }),
    program: [process.execPath, program],
    forms,
    checkWords: async (words) => {
      if (words.some((word) => /--steps=\D/.test(word))) throw new UsageError("--steps: required a whole number");
    },
    interval: 5,
  });
  const ask = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
    app.request(path, { ...init, headers: { host, cookie, "x-headstart": "1", ...init.headers } });
  const post = (path: string, body: unknown) => ask(path, { method: "POST", body: JSON.stringify(body) });
  return { folder, root, ask, post };
}

test("serves the page and nothing beside it", async () => {
  const { folder, ask } = await server();
  await writeFile(join(folder, "secret.html"), "secret");
  const page = await ask("/");
  expect([page.status, await page.text()]).toEqual([200, "<p>page</p>"]);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect((await ask("/assets/index-1.js")).headers.get("cache-control")).toMatch(/immutable/);
  for (const path of [
    "/secret.html",
    "/..%2fsecret.html",
    "/../secret.html",
    "/assets/..%2f..%2fsecret.html",
    "/index.ts",
    "/etc/passwd",
  ])
    expect((await ask(path)).status, path).toBe(404);
  expect((await ask("/api/nothing")).status).toBe(404);
});

test("refuses other hosts, other origins, and changes without the header, with its policy on refusals too", async () => {
  const { ask } = await server();
  const foreign = await ask("/api/session", { headers: { host: "rebound.example:7000" } });
  expect(foreign.status).toBe(403);
  expect(foreign.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect((await ask("/api/session", { headers: { origin: "http://evil.example" } })).status).toBe(403);
  expect((await ask("/api/start", { method: "POST", body: "{}", headers: { origin: `http://${host}` } })).status).toBe(
    400,
  );
});

test("shows runs and studies, and hands out only their own files", async () => {
  const { folder, root, ask } = await server();
  await writeRun(join(root, "run"), 4, true);
  await writeStudy(join(root, "study"), 4);
  await writeFile(join(folder, "secret.png"), "secret");
  await mkdir(join(root, "plain"));
  await writeFile(join(root, "plain", "weights.safetensors"), "not a run's");
  await symlink(join(folder, "secret.png"), join(root, "run", "samples", "step-000000009.png"));
  const { entries } = (await (await ask("/api/entries")).json()) as EntryList;
  expect(entries.map(({ id }: Entry) => id).sort()).toEqual(["run", "study"]);
  const detail = (await (await ask("/api/run?id=run")).json()) as RunDetail;
  expect(detail).toMatchObject({ samples: [1, 9], result: { warnings: [] }, command: null });
  expect(detail.loading.map(({ framework }: { framework: string }) => framework)).toContain("PyTorch");
  const [series] = (await (await ask("/api/series?id=run&points=100")).json()) as RunSeries[];
  expect(series.series["generator/loss"].steps).toEqual([1, 2, 3, 4]);
  const study = (await (await ask("/api/study?id=study")).json()) as StudyDetail;
  expect(study.trials.length).toBe(4);

  const file = (id: string, name: string) => ask(`/api/file?${new URLSearchParams({ id, name })}`);
  const weights = await file("run", "weights.safetensors");
  expect([weights.headers.get("content-disposition"), await weights.text()]).toEqual([
    'attachment; filename="weights.safetensors"',
    "weights",
  ]);
  expect((await file("run", "samples/step-000000001.png")).headers.get("content-type")).toBe("image/png");
  expect((await file("study", "study.json")).status).toBe(200);
  const refused: [string, string][] = [
    ["run", "../../secret.png"],
    ["run", "samples/../../../secret.png"],
    ["run", "samples/step-000000009.png"],
    ["run", "checkpoints/step-000000002.safetensors"],
    ["plain", "weights.safetensors"],
    ["..", "run.json"],
    ["/etc", "run.json"],
    ["study", "run.json"],
  ];
  for (const [id, name] of refused) expect((await file(id, name)).status, `${id} ${name}`).toBeGreaterThanOrEqual(400);
  expect((await ask("/api/run?id=..")).status).toBe(400);
});

test("one broken file hides nothing else of its run", async () => {
  const { root, ask } = await server();
  await writeRun(join(root, "run"), 4, true);
  await writeFile(join(root, "run", "result.json"), "{");
  await writeFile(join(root, "run", "layers.jsonl"), '{"step":0,"layers":[{"layer":3}]}\n{"step":0,"layers":[]}\n');
  await appendFile(join(root, "run", "metrics.jsonl"), "torn\n");
  const detail = (await (await ask("/api/run?id=run")).json()) as RunDetail;
  expect(detail.problems.map(({ path }: { path: string }) => path)).toEqual(["run/result.json", "run/layers.jsonl"]);
  expect(detail.layers).toEqual([{ step: 0, layers: [] }]);
  const [series] = (await (await ask("/api/series?id=run")).json()) as RunSeries[];
  expect(series.problems).toEqual([{ path: "run/metrics.jsonl", reason: "line 5 is no record" }]);
  expect(series.series["generator/loss"].steps).toEqual([1, 2, 3, 4]);
});

/** Reads events until there are as many as asked for. */
async function events(answer: Response, count: number): Promise<{ event: string; data: string; id: string }[]> {
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  const found = () =>
    text
      .split("\n\n")
      .slice(0, -1)
      .filter((part) => /^(event|data|id):/m.test(part))
      .map((part) => {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(part)?.[1] ?? "";
        return { event: field("event"), data: field("data"), id: field("id") };
      });
  while (found().length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return found();
}

test("live events go on where the page says that it was", async () => {
  const { root, ask } = await server();
  await writeRun(join(root, "run"), 2);
  const [first] = await events(await ask("/api/run/events?id=run&from=0:0"), 1);
  expect(JSON.parse(first.data).metrics.length).toBe(2);
  await appendFile(join(root, "run", "metrics.jsonl"), '{"step":3,"a":1}\n');
  const again = await ask("/api/run/events?id=run&from=0:0", { headers: { "last-event-id": first.id } });
  const [second] = await events(again, 1);
  expect(JSON.parse(second.data)).toEqual({ metrics: [{ step: 3, a: 1 }], timing: [] });
  const [list] = await events(await ask("/api/entries/events"), 1);
  expect(JSON.parse(list.data).entries[0]).toMatchObject({ id: "run", done: 3 });
});

test("inspects a model, checks a command, and shows how a start failed", async () => {
  const { root, ask, post } = await server();
  await newModel({ template: "mlp", inputShape: [4], widths: [3], classes: 2, output: join(root, "net.onnx") });
  await writeFile(join(root, "data.npy"), "");
  const inspection = await (await post("/api/inspect", { model: "net.onnx" })).json();
  expect(inspection).toMatchObject({ model: "net.onnx", unsupported: [], input: { shape: [4] } });
  const misfit = await (await post("/api/inspect", { model: "net.onnx", inputShape: "5" })).json();
  expect(misfit).toMatchObject({ error: expect.stringMatching(/\[batch, 4\] against --input-shape 5\./) });
  expect((await post("/api/inspect", { model: "../page/index.html" })).status).toBe(400);
  expect((await post("/api/inspect", { model: "data.npy" })).status).toBe(400);
  const wrong = await post("/api/command", {
    command: "init",
    model: "net.onnx",
    options: { data: "data.npy", steps: "x" },
  });
  expect([wrong.status, await wrong.json()]).toEqual([400, { error: "--steps: required a whole number" }]);
  const request = { command: "init", model: "net.onnx", options: { data: "data.npy", steps: "2" } };
  expect(await (await post("/api/start", request)).json()).toEqual({
    id: "net-headstart",
    command: "headstart init --data=data.npy --steps=2 --output=net-headstart net.onnx",
  });
  const entry = async () => ((await (await ask("/api/entries")).json()) as EntryList).entries[0];
  await expect.poll(async () => (await entry())?.state, { timeout: 10_000 }).toBe("failed");
  expect(await entry()).toMatchObject({ id: "net-headstart", message: "no." });
  expect((await post("/api/control", { id: "elsewhere", action: "stop" })).status).toBe(400);
  expect((await post("/api/control", { id: "net-headstart", action: "explode" })).status).toBe(400);
  for (const body of ["[", "{}", '{"command":"init","model":"net.onnx","options":{"data":1}}'])
    expect((await ask("/api/start", { method: "POST", body })).status, body).toBe(400);
});

test("a failed start is repaired or deleted", async () => {
  const { root, ask, post } = await server();
  await writeFile(join(root, "net.onnx"), "");
  await writeFile(join(root, "data.npy"), "");
  const request = { command: "init", model: "net.onnx", options: { data: "data.npy", steps: "2", output: "runs/bad" } };
  await post("/api/start", request);
  const begun = Date.now();
  const entries = async () => ((await (await ask("/api/entries")).json()) as EntryList).entries;
  await expect.poll(async () => (await entries())[0]?.state, { timeout: 10_000 }).toBe("failed");
  expect((await entries())[0]).toMatchObject({ id: "runs/bad", waiting: true });
  // It does not change any more: newer runs come before it in the list.
  expect((await entries())[0].modified).toBeLessThanOrEqual(begun);
  await writeRun(join(root, "newer"), 2);
  expect((await entries()).map(({ id }) => id)).toEqual(["newer", "runs/bad"]);
  await rm(join(root, "newer"), { recursive: true });
  const started = async () => (await (await ask("/api/started?id=runs%2Fbad")).json()) as StartedCommand;
  expect(await started()).toEqual({
    command: "headstart init --data=data.npy --steps=2 --output=runs/bad net.onnx",
    log: "headstart: no.\n",
    request,
  });
  await writeRun(join(root, "runs", "bad"));
  expect((await started()).request.options.output).toBe("runs/bad-2");
  await rm(join(root, "runs", "bad"), { recursive: true });
  expect((await post("/api/control", { id: "runs/bad", action: "remove" })).status).toBe(200);
  expect(await entries()).toEqual([]);
  expect(await readdir(join(root, ".headstart-lab"))).toEqual([]);
  expect((await ask("/api/started?id=runs%2Fbad")).status).toBe(400);
});

test("deletes what a run or study has written, and nothing beside it", async () => {
  const { folder, root, post } = await server();
  const remove = async (id: string) => (await post("/api/control", { id, action: "remove" })).status;
  await writeRun(join(root, "done"), 4, true);
  await writeRun(join(root, "kept"), 4, true);
  await writeFile(join(root, "kept", "notes.txt"), "mine");
  await writeFile(join(root, "kept", "mine.bin"), "mine");
  await mkdir(join(folder, "elsewhere"));
  await writeFile(join(folder, "elsewhere", "picture.png"), "mine");
  await symlink(join(folder, "elsewhere"), join(root, "kept", "filters"));
  await writeStudy(join(root, "study"), 4);
  await writeFile(join(root, "study", "summary.json"), "{}");
  await writeRun(join(root, "running"), 2);
  await lock(join(root, "running", "run.lock"));
  await mkdir(join(root, "plain"));
  await writeFile(join(root, "plain", "weights.safetensors"), "not a run's");
  for (const id of ["done", "kept", "study"]) expect(await remove(id), id).toBe(200);
  for (const id of ["running", "plain", "..", "", "done"]) expect(await remove(id), id).toBe(400);
  expect((await readdir(root)).sort()).toEqual(["kept", "plain", "running"]);
  expect((await readdir(join(root, "kept"))).sort()).toEqual(["mine.bin", "notes.txt"]);
  expect(await readdir(join(root, "plain"))).toEqual(["weights.safetensors"]);
  expect(await readdir(join(folder, "elsewhere"))).toEqual(["picture.png"]);
  expect(existsSync(join(root, "running", "run.json"))).toBe(true);
});

test("a refusal of the server's own has its kind and values beside its words, an error of a command has none", async () => {
  const { root, ask, post } = await server();
  const gone = await ask("/api/run?id=gone");
  expect([gone.status, await gone.json()]).toEqual([
    400,
    {
      error: `gone: required a path below ${root}, got another, or nothing there. Choose a file there, or start the lab with another folder or --files.`,
      refusal: { kind: "path-elsewhere", values: { where: "gone", roots: root } },
    },
  ]);
  await mkdir(join(root, "plain"));
  const plain = await (await ask("/api/run?id=plain")).json();
  expect(plain).toMatchObject({ refusal: { kind: "no-entry", values: { where: "plain" } } });
  await writeFile(join(root, "torn.onnx"), "no model");
  const torn = (await (await post("/api/inspect", { model: "torn.onnx" })).json()) as object;
  expect(Object.keys(torn)).toEqual(["error"]);
});

test("one run that cannot be read keeps none of the others from being compared", async () => {
  const { root, ask } = await server();
  await writeRun(join(root, "run"), 2);
  const answers = (await (await ask("/api/series?id=gone&id=run")).json()) as RunSeries[];
  expect(answers.map(({ id, series, problems }) => [id, Object.keys(series).length > 0, problems.length])).toEqual([
    ["gone", false, 1],
    ["run", true, 0],
  ]);
});

test("every folder that the lab was given is there to choose from", async () => {
  const outside = await realpath(await temporaryFolder());
  await writeFile(join(outside, "data.npy"), "");
  for (let index = 0; index < 1001; index++) await mkdir(join(outside, `folder-${index}`));
  const { ask } = await server({ files: [outside] });
  const list = async (path: string) =>
    (await (await ask(`/api/choose?${new URLSearchParams({ path })}`)).json()) as FolderListing;
  expect(await list(".")).toMatchObject({ parent: null, roots: [".", outside], more: 0 });
  const listing = await list(outside);
  expect(listing).toMatchObject({ path: outside, parent: null, files: ["data.npy"], more: 1 });
  expect(listing.folders.length).toBe(1000);
  const alone = await server();
  expect(await (await alone.ask("/api/choose")).json()).toMatchObject({ roots: [] });
});

test.each([true, false])("keeps dropped files below its folder and never overwrites, links %s", async (hasLinks) => {
  disk.hasLinks = hasLinks;
  onTestFinished(() => {
    disk.hasLinks = true;
  });
  const { folder, root, ask } = await server();
  const upload = (name: string, body: string) =>
    ask(`/api/upload?${new URLSearchParams({ name })}`, {
      method: "PUT",
      body,
      headers: { "content-length": String(body.length) },
    });
  expect(await (await upload("cats/1.png", "meow")).json()).toEqual({ path: "lab-files/cats/1.png" });
  expect(await readFile(join(root, "lab-files", "cats", "1.png"), "utf8")).toBe("meow");
  expect((await upload("cats/1.png", "meow")).status).toBe(200);
  for (const other of ["other", "purr"]) expect((await upload("cats/1.png", other)).status).toBe(400);
  expect(await readdir(join(root, "lab-files", "cats"))).toEqual(["1.png"]);
  for (const name of ["../x", "a/../../x", ".ssh/x", "/x", "a\\x", "a:b", "", "a//b"])
    expect((await upload(name, "x")).status, name).toBe(400);
  await symlink(folder, join(root, "lab-files", "out"));
  expect((await upload("out/x", "x")).status).toBe(400);
  expect(existsSync(join(folder, "x"))).toBe(false);
  const listing = await (await ask("/api/choose?path=lab-files")).json();
  expect(listing).toMatchObject({ path: "lab-files", parent: ".", folders: ["cats"] });
  expect((await ask("/api/choose?path=..")).status).toBe(400);
});

test("the folder the page starts from is the lab's own", async () => {
  const { ask, root } = await server();
  expect(await (await ask("/api/session")).json()).toMatchObject({ folder: root, version: "1" });
});

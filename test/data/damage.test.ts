import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";

const fixtures = join(import.meta.dirname, "../fixtures/columnar");
const built = (name: string) => fileURLToPath(new URL(`../../dist/data/${name}.js`, import.meta.url));

/** What the thread says of a file: "read", or its error's name and message. */
type Outcome = string;

/** Far more than any of these files takes: a file that is read for ever must not stop the tests. */
const longestMilliseconds = 30_000;

/** Reads files as a table, as pictures or column by column, and tells what came of it. */
const reader = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { readFileSync } = require("node:fs");
  let unhandled;
  process.on("unhandledRejection", (error) => { unhandled = error; });
  const said = (error) => error.name + ": " + error.message;
  async function read(path) {
    const { openDataset } = await import(workerData.openDataset);
    const data = await openDataset(path);
    const size = data.shape.reduce((product, length) => product * length, 1);
    await data.read(Array.from({ length: data.count }, (_, sample) => sample), new Float32Array(size * data.count));
  }
  async function readColumns(path) {
    const { openParquet } = await import(workerData.parquet);
    const { openArrow } = await import(workerData.arrow);
    const file = path.endsWith(".parquet") ? await openParquet(path) : await openArrow(path, readFileSync(path));
    for await (const batch of file.batches()) batch.size;
  }
  parentPort.on("message", async (path) => {
    unhandled = undefined;
    const columns = await readColumns(path).then(() => "read", said);
    const whole = await read(path).then(() => "read", said);
    await new Promise((resolve) => setImmediate(resolve));
    parentPort.postMessage(unhandled === undefined ? [columns, whole] : ["unhandled " + said(unhandled)]);
  });`;

let thread: Worker | undefined;
let settle: (outcomes: Outcome[]) => void = () => undefined;

afterAll(() => thread?.terminate());

function startThread(): Worker {
  const started = new Worker(reader, {
    eval: true,
    workerData: { openDataset: built("open-dataset"), parquet: built("parquet-file"), arrow: built("arrow-file") },
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  started.on("message", (outcomes: Outcome[]) => settle(outcomes));
  started.on("error", (error) => settle([`the thread ended: ${error.message}`]));
  return started;
}

async function outcomesOf(path: string): Promise<Outcome[]> {
  thread ??= startThread();
  let tooLong: NodeJS.Timeout | undefined;
  const outcomes = await new Promise<Outcome[]>((resolve) => {
    settle = resolve;
    tooLong = setTimeout(() => resolve(["read for ever"]), longestMilliseconds);
    thread?.postMessage(path);
  });
  clearTimeout(tooLong);
  if (outcomes.length === 1) {
    await thread.terminate();
    thread = undefined;
  }
  return outcomes;
}

/** Fails where a file is neither read nor refused as it should be. */
async function expectFit(path: string, what: string): Promise<void> {
  for (const outcome of await outcomesOf(path)) {
    if (outcome === "read") continue;
    expect(outcome, what).toMatch(/^UserError: /);
    expect(outcome, what).toContain(path);
    // A message of the language's own says nothing to the user.
    expect(outcome, what).not.toMatch(/undefined|is not a function|Cannot read|reading '/);
  }
}

const names = readdirSync(fixtures).filter((name) => /\.(parquet|feather|arrow)$/.test(name));

test.each(names)("%s: with any bytes changed it is read or refused", async (name) => {
  const whole = readFileSync(join(fixtures, name));
  const path = join(temporaryFolder(), name);
  const change = fc.tuple(
    fc.nat({ max: whole.length - 1 }),
    fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
  );
  const damages = fc.sample(fc.array(change, { minLength: 1, maxLength: 4 }), { numRuns: 15, seed: 5 });
  for (const changes of damages) {
    const bytes = Uint8Array.from(whole);
    for (const [place, value] of changes) bytes[place] = value;
    writeFileSync(path, bytes);
    await expectFit(path, `${name} with ${JSON.stringify(changes)}`);
  }
});

test.each(["t-none.parquet", "t-lz4.feather", "pictures.arrow"])(
  "%s: of any length it is read or refused",
  async (name) => {
    const whole = readFileSync(join(fixtures, name));
    const path = join(temporaryFolder(), name);
    for (let length = 1; length < whole.length; length += 41) {
      writeFileSync(path, whole.subarray(0, length));
      await expectFit(path, `${name}, ${length} bytes of it`);
    }
  },
);

// Lengths and numbers of columns, names and batches in the description, each of which was read for seconds to for ever.
test.each([434, 446, 662, 823, 835, 1124, 1214, 1283])(
  "an Arrow file whose byte %d is another is refused",
  async (at) => {
    const bytes = readFileSync(join(fixtures, "t-uncompressed.feather"));
    bytes[at] = 127;
    const path = join(temporaryFolder({ "t.feather": bytes }), "t.feather");
    for (const outcome of await outcomesOf(path))
      expect(outcome).toMatch(/^UserError: .*required a whole Arrow or Feather file/);
  },
);

test("labels that the description names and that are not there are left out", async () => {
  const bytes = readFileSync(join(fixtures, "pictures.parquet"));
  // In what Hugging Face's datasets says of the columns, "label" becomes another name.
  expect(String.fromCharCode(...bytes.subarray(1119, 1124))).toBe("label");
  bytes[1119] = 127;
  const path = join(temporaryFolder({ "p.parquet": bytes }), "p.parquet");
  expect(await outcomesOf(path)).toEqual(["read", "read"]);
});

test("a struct of which one part has another name and the other cannot be read leaves no rejection unheard", async () => {
  const bytes = readFileSync(join(fixtures, "pictures.parquet"));
  expect(String.fromCharCode(...bytes.subarray(582, 586))).toBe("path");
  bytes[582] = 113;
  bytes[4] = 0xff;
  const path = join(temporaryFolder({ "p.parquet": bytes }), "p.parquet");
  const refused = expect.stringMatching(/^UserError: .*required a whole Parquet file/);
  expect(await outcomesOf(path)).toEqual([refused, refused]);
});

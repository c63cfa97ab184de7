import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { endFileVariable } from "../../src/web/end-request.js";
import { isOfThisBoot } from "../../src/web/process-life.js";
import { commandLine, labFolder, Processes } from "../../src/web/processes.js";
import { temporaryFolder } from "./lab-folder.js";

/** A program that notes its words and works until it is asked to end, or fails at once where it is told to. */
const program = `
import { appendFileSync } from "node:fs";
const words = process.argv.slice(2);
if (words.includes("--fail")) {
  process.stderr.write("reading\\nheadstart: data: required a file, got nothing there. Check the path.\\n");
  process.exit(1);
}
if (words.includes("--end")) process.exit(0);
if (words.includes("--die")) process.kill(process.pid, "SIGKILL");
const timer = setInterval(() => {}, 1000);
process.on("SIGTERM", () => { clearInterval(timer); process.exitCode = 130; });
appendFileSync("words.txt", words.join(" ") + "\\n");
`;

async function folderWithProgram() {
  const root = await temporaryFolder();
  const file = join(root, "program.mjs");
  await writeFile(file, program);
  return { root, words: [process.execPath, file] };
}

const started = (root: string, times: number) =>
  expect
    .poll(
      async () =>
        existsSync(join(root, "words.txt"))
          ? (await readFile(join(root, "words.txt"), "utf8")).split("\n").length - 1
          : 0,
      { timeout: 10_000 },
    )
    .toBe(times);

test("a run is paused, resumed, extended and stopped, by a server that was started later too", async () => {
  const { root, words } = await folderWithProgram();
  const first = new Processes(root, words);
  const run = {
    id: "run",
    kind: "run" as const,
    words: ["init", "--data=d", "--epochs=2", "--overwrite", "--", "m.onnx"],
  };
  expect(first.stateOf("run")).toBeUndefined();
  await first.start(run);
  await started(root, 1);
  expect(first.stateOf("run")?.state).toBe("running");
  await expect(first.start(run)).rejects.toThrow(/one that runs/);

  // Another server finds the process again.
  const second = new Processes(root, words);
  expect(second.stateOf("run")?.state).toBe("running");
  await second.end("run", "pause");
  await expect.poll(() => second.stateOf("run")?.state, { timeout: 10_000 }).toBe("paused");
  await second.resume("run");
  await started(root, 2);
  await second.end("run", "stop");
  await expect.poll(() => second.stateOf("run")?.state, { timeout: 10_000 }).toBe("stopped");
  await second.resume("run", 50);
  await started(root, 3);
  await second.end("run", "stop");
  await expect.poll(() => second.stateOf("run")?.state, { timeout: 10_000 }).toBe("stopped");
  expect((await readFile(join(root, "words.txt"), "utf8")).trimEnd().split("\n")).toEqual([
    "init --data=d --epochs=2 --overwrite --json -- m.onnx",
    "init --data=d --epochs=2 --resume --json -- m.onnx",
    "init --data=d --resume --steps=50 --json -- m.onnx",
  ]);
});

/** Takes its time to end, and ends at once where it is asked twice, as the commands do. */
const slow = `
import { appendFileSync, existsSync } from "node:fs";
const timer = setInterval(() => existsSync("enough.txt") && clearInterval(timer), 20);
process.on("SIGTERM", () => appendFileSync("words.txt", "asked\\n"));
appendFileSync("words.txt", "started\\n");
`;

test("a run that is asked to end twice is asked once, and is seen to be ending", async () => {
  const root = await temporaryFolder();
  await writeFile(join(root, "program.mjs"), slow);
  const processes = new Processes(root, [process.execPath, join(root, "program.mjs")], false);
  await processes.start({ id: "run", kind: "run", words: ["init", "--", "m.onnx"] });
  await started(root, 1);
  expect(processes.stateOf("run")).not.toHaveProperty("ending");
  await processes.end("run", "pause");
  await started(root, 2);
  expect(processes.stateOf("run")).toMatchObject({ state: "running", ending: true });
  await processes.end("run", "stop");
  await writeFile(join(root, "enough.txt"), "");
  await expect.poll(() => processes.stateOf("run")?.state, { timeout: 10_000 }).toBe("stopped");
  expect(processes.stateOf("run")).not.toHaveProperty("ending");
  expect(await readFile(join(root, "words.txt"), "utf8")).toBe("started\nasked\n");
});

/** Ends where the file comes, and dies of a signal. */
const asked = `
import { appendFileSync, existsSync } from "node:fs";
appendFileSync("words.txt", "started\\n");
const timer = setInterval(() => {
  if (!existsSync(process.env.${endFileVariable})) return;
  clearInterval(timer);
  appendFileSync("words.txt", "asked\\n");
}, 20);
`;

test("where a signal would kill, a file asks, as often as the run is started", async () => {
  const root = await temporaryFolder();
  await writeFile(join(root, "program.mjs"), asked);
  const processes = new Processes(root, [process.execPath, join(root, "program.mjs")], true);
  await processes.start({ id: "run", kind: "run", words: ["init", "--", "m.onnx"] });
  await started(root, 1);
  await processes.end("run", "pause");
  await expect.poll(() => processes.stateOf("run")?.state, { timeout: 10_000 }).toBe("paused");
  expect(await readFile(join(root, "words.txt"), "utf8")).toBe("started\nasked\n");
  await processes.resume("run");
  await started(root, 3);
  expect(processes.stateOf("run")?.state).toBe("running");
  await processes.end("run", "stop");
  await expect.poll(() => processes.stateOf("run")?.state, { timeout: 10_000 }).toBe("stopped");
  processes.forget("run");
  expect((await readdir(join(root, labFolder))).filter((name) => name.endsWith(".end"))).toEqual([]);
});

test("a process from before the machine was started is another by now", () => {
  const hour = 3_600_000;
  const now = 10 * hour;
  expect(isOfThisBoot(now - 2 * hour, now, 3600)).toBe(false);
  expect(isOfThisBoot(now - hour / 2, now, 3600)).toBe(true);
  // Clocks of one machine differ a little.
  expect(isOfThisBoot(now - hour - 1000, now, 3600)).toBe(true);
});

test("a failed start keeps what the command said; a done one is done", async () => {
  const { root, words } = await folderWithProgram();
  const processes = new Processes(root, words);
  await processes.start({ id: "bad", kind: "run", words: ["--fail"] });
  await expect.poll(() => processes.stateOf("bad")?.state, { timeout: 10_000 }).toBe("failed");
  expect(processes.stateOf("bad")?.message).toBe("data: required a file, got nothing there. Check the path.");
  await processes.start({ id: "good", kind: "run", words: ["--end"] });
  await expect.poll(() => processes.stateOf("good")?.state, { timeout: 10_000 }).toBe("ended");
  await expect(processes.end("other", "stop")).rejects.toThrow(/started elsewhere/);
});

test("of a long log the last is known", async () => {
  const { root, words } = await folderWithProgram();
  const processes = new Processes(root, words);
  await processes.start({ id: "bad", kind: "run", words: ["--fail"] });
  await expect.poll(() => processes.stateOf("bad")?.state, { timeout: 10_000 }).toBe("failed");
  const [name] = (await readdir(join(root, labFolder))).filter((file) => file.endsWith(".log"));
  await writeFile(join(root, labFolder, name), `${"early\n".repeat(2000)}headstart: late.\n`);
  const { log, message } = processes.stateOf("bad") ?? {};
  expect(message).toBe("late.");
  expect(log).toHaveLength(4096);
  expect(log?.endsWith("early\nheadstart: late.\n")).toBe(true);
});

test("a command that dies without a word is said to have", async () => {
  const { root, words } = await folderWithProgram();
  const processes = new Processes(root, words);
  await processes.start({ id: "dead", kind: "run", words: ["--die"] });
  await expect
    .poll(() => processes.stateOf("dead"), { timeout: 10_000 })
    .toMatchObject({ state: "ended", message: expect.stringMatching(/status 137 .* killed/) });
});

test("torn records are left alone", async () => {
  const { root, words } = await folderWithProgram();
  const processes = new Processes(root, words);
  await processes.start({ id: "a", kind: "run", words: ["--end"] });
  const [name] = (await readdir(join(root, labFolder))).filter((file) => file.endsWith(".json"));
  const record = join(root, labFolder, name);
  // The last that is written there is how the process ended.
  await expect
    .poll(async () => (await readFile(record, "utf8")).includes('"exitCode":0'), { timeout: 10_000 })
    .toBe(true);
  await writeFile(record, "{");
  expect(new Processes(root, words).all).toEqual([]);
});

test("a command line is one that a shell reads back", () => {
  const words = ["init", "--data=a b", "--output=it's", "--", "m.onnx"];
  expect(commandLine(words, "linux")).toBe("headstart init '--data=a b' '--output=it'\\''s' m.onnx");
  expect(commandLine(words, "win32")).toBe('headstart init "--data=a b" "--output=it\'s" m.onnx');
  expect(commandLine(["init", "--", "-m.onnx"])).toBe("headstart init -- -m.onnx");
});

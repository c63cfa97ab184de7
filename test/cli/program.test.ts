import { expect, test } from "vitest";
import type { CatalogueEntry } from "../../src/cli/catalogue.js";
import { type CommandContext, defineCommand } from "../../src/cli/command.js";
import { byDefault, whole } from "../../src/cli/options.js";
import { runProgram } from "../../src/cli/program.js";
import { InterruptedError, UsageError, UserError, userError } from "../../src/errors.js";
import { RecordingStream } from "../support/recording-stream.js";

async function run(
  words: string[],
  action: (context: CommandContext) => Promise<void> | void = () => {},
  platform: NodeJS.Platform = "linux",
) {
  const commands: CatalogueEntry[] = [
    {
      name: "knit",
      summary: "make a sock",
      load: async () =>
        defineCommand({
          name: "knit",
          description: "Knits.",
          options: { rows: byDefault(whole("N", "rows"), 3) },
          run: async (context) => action(context as CommandContext),
        }),
    },
    {
      name: "purl",
      summary: "never asked for",
      load: () => Promise.reject(new Error("a command that was not asked for was loaded")),
    },
  ];
  const stdout = new RecordingStream();
  const stderr = new RecordingStream();
  const signal = new AbortController().signal;
  const status = await runProgram(words, { stdout, stderr, signal, variables: {}, platform, commands });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

const throwing = (error: unknown) => () => {
  throw error;
};

test("runs a command with its options", async () => {
  const result = await run(["knit", "--rows", "5"], ({ options, console }) => console.line(`rows: ${options.rows}`));
  expect(result).toEqual({ status: 0, stdout: "rows: 5\n", stderr: "" });
});

test("the overview lists the commands without loading them", async () => {
  for (const words of [["--help"], ["-h"], ["help"]]) {
    const result = await run(words);
    expect(result.status).toBe(0);
    expect(result.stdout).toContain("  knit  make a sock\n  purl  never asked for\n");
  }
  const bare = await run([]);
  expect(bare).toMatchObject({ status: 2, stdout: "" });
  expect(bare.stderr).toContain("Usage: headstart COMMAND");
});

test("shows a command's help, in both orders", async () => {
  const result = await run(["knit", "--help"]);
  expect(result).toMatchObject({ status: 0, stderr: "" });
  expect(result.stdout).toContain("--rows <N>");
  expect(await run(["help", "knit"])).toEqual(result);
});

test("prints the version", async () => {
  expect(await run(["--version"])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\S*\n$/) });
});

test("an unknown command names the nearest", async () => {
  expect(await run(["knot"])).toEqual({
    status: 2,
    stdout: "",
    stderr: "headstart: knot: required a command, got an unknown one. The nearest is knit. See headstart --help.\n",
  });
});

test("what the user can put right is one line and status 1", async () => {
  const error = userError({ where: "a.onnx", required: "a model", got: "nothing there", advice: "Check the path." });
  expect(await run(["knit"], throwing(error))).toEqual({
    status: 1,
    stdout: "",
    stderr: "headstart: a.onnx: required a model, got nothing there. Check the path.\n",
  });
});

test("a message stays one line and cannot steer the terminal", async () => {
  const result = await run(["knit"], throwing(new UserError("node \u001b[2Jx\nsecond")));
  expect(result.stderr).toBe("headstart: node \ufffd[2Jx second\n");
});

test("wrong usage is status 2", async () => {
  expect(await run(["knit", "--rwos", "1"])).toMatchObject({ status: 2, stdout: "" });
  expect(await run(["knit"], throwing(new UsageError("no")))).toMatchObject({ status: 2, stderr: "headstart: no\n" });
});

test.each([
  ["ENOENT", "nothing there"],
  ["EACCES", "no permission"],
  ["ENOSPC", "a full disk"],
])("the file system's %s is the user's to put right", async (code, text) => {
  const error = Object.assign(new Error(`${code}: raw`), { code, path: "out/x" });
  const result = await run(["knit"], throwing(error));
  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(/^headstart: out\/x: required .*\n$/);
  expect(result.stderr).toContain(text);
  expect(result.stderr).not.toContain("raw");
});

test("an interruption ends cleanly with status 130", async () => {
  expect(await run(["knit"], throwing(new InterruptedError("stopped after step 7")))).toEqual({
    status: 130,
    stdout: "",
    stderr: "headstart: stopped after step 7\n",
  });
  const aborted = AbortSignal.abort();
  expect((await run(["knit"], () => aborted.throwIfAborted())).status).toBe(130);
});

test("anything else is a bug: a line, advice, and a stack with --debug only", async () => {
  const result = await run(["knit"], throwing(new TypeError("x is undefined")));
  expect(result.status).toBe(70);
  expect(result.stderr).toBe(
    "headstart: x is undefined\nThis is a bug in headstart. Run the command again with --debug, and report what it prints.\n",
  );
  const debugged = await run(["knit", "--debug"], throwing(new TypeError("x is undefined")));
  expect(debugged).toMatchObject({ status: 70, stderr: expect.stringContaining("program.test.ts") });
  expect((await run(["knit"], throwing("a string"))).stderr).toContain("headstart: a string\n");
});

test("with --json, records go to stdout and text to stderr, errors to both", async () => {
  const result = await run(["knit", "--json"], ({ console }) => {
    console.event({ type: "step", loss: 0.5 });
    console.line("half done");
    throw new UserError("out of wool");
  });
  expect(result.status).toBe(1);
  expect(
    result.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { type: "step", loss: 0.5 },
    { type: "error", message: "out of wool" },
  ]);
  expect(result.stderr).toBe("half done\nheadstart: out of wool\n");
});

test("on Windows, what looks like a list without its commas is said to need quotes", async () => {
  const action = throwing(new UserError('rows: required numbers, got "3 5". Correct it.'));
  const plain = /^headstart: rows: .* Correct it\.\n$/;
  expect((await run(["knit", "--rows", "3 5"], () => {}, "win32")).stderr).toMatch(
    /"3 5"\. See --help\. In PowerShell, a list with commas needs quotes\.\n$/,
  );
  expect((await run(["knit", "--rows=3 5"], () => {}, "win32")).stderr).toMatch(/needs quotes/);
  expect((await run(["knit", "--rows", "3 5"], () => {}, "linux")).stderr).not.toMatch(/PowerShell/);
  expect((await run(["knit", "--rows", "3"], action, "win32")).stderr).toMatch(plain);
});

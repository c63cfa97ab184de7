#!/usr/bin/env node
/** The program `headstart`. */
import { fileError, userError } from "../errors.js";
import { endFileVariable, onEndRequest } from "../web/end-request.js";
import { reportError, runProgram } from "./program.js";

const words = process.argv.slice(2);

/** As a shell shows a program that was ended because nobody reads its output: 128 + SIGPIPE. */
const pipeClosed = 141;

/** The terminal is gone: what is printed goes nowhere, and that is no reason to stop short. */
let isHungUp = false;

/** Nobody reads what is printed any more. */
let isPipeClosed = false;

// `headstart ... | head` closes the pipe early. What has been trained by then is kept, as with Ctrl-C.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (isHungUp) return;
    if (error.code === "EPIPE") {
      isPipeClosed = true;
      process.exitCode = pipeClosed;
      interruption.abort();
      return;
    }
    const problem = fileError(error, "standard output", "room for what is printed");
    process.exit(stream === process.stderr ? 1 : reportError(problem, words.includes("--debug"), process.stderr));
  });
}

// What escapes every await is a bug too, and gets its line like any other.
process.on("uncaughtException", (error) => {
  process.exit(reportError(error, words.includes("--debug"), process.stderr));
});

// The first Ctrl-C asks the command to come to an end; the second does not ask.
const interruption = new AbortController();
process.on("SIGINT", () => {
  if (interruption.signal.aborted) process.exit(130);
  process.stderr.write("\nStopping; press Ctrl-C again to stop at once.\n");
  interruption.abort();
});
process.on("SIGTERM", () => {
  if (interruption.signal.aborted) process.exit(143);
  interruption.abort();
});

// A terminal that is closed may say so twice.
process.on("SIGHUP", () => {
  isHungUp = true;
  interruption.abort();
});
const endFile = process.env[endFileVariable];
if (endFile) onEndRequest(endFile, () => interruption.abort());

/** In a folder that was removed, Node would try for ever to make the folders below it. */
function isInFolder(): boolean {
  try {
    return process.cwd() !== "";
  } catch {
    return false;
  }
}

process.exitCode = isInFolder()
  ? await runProgram(words, {
      stdout: process.stdout,
      stderr: process.stderr,
      signal: interruption.signal,
      variables: process.env,
    })
  : reportError(
      userError({
        where: "current folder",
        required: "a folder that is there",
        got: "one that has been removed",
        advice: "Change into another folder, or into the path of this one again.",
      }),
      words.includes("--debug"),
      process.stderr,
    );

if (isPipeClosed) process.exitCode = pipeClosed;
if (isHungUp) {
  // As the system ends who does not listen: Node, asked to end, would want to set the lost terminal back, and abort.
  process.removeAllListeners("SIGHUP");
  process.kill(process.pid, "SIGHUP");
}

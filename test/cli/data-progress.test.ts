import { expect, test } from "vitest";
import { Console } from "../../src/cli/console.js";
import { dataProgress } from "../../src/cli/data-progress.js";
import { RecordingStream } from "../support/recording-stream.js";

test("each part of the work has its own display, and none passes its end", () => {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const console = new Console({ stdout, stderr, json: false, variables: {}, now: () => 0 });
  const tell = dataProgress(console);
  tell(130, 130, "fetching");
  tell(40, 20, "reading");
  tell(862, 862);
  expect(stdout.text).toBe(
    "fetching data: 100%, 130/130 bytes\nreading data: 100%, 20/20 read\nreading data: 100%, 862/862 read\n",
  );
});

import { expect, test } from "vitest";
import { Console } from "../../src/cli/console.js";
import { measuringProgress } from "../../src/cli/measuring-progress.js";
import { RecordingStream } from "../support/recording-stream.js";

function shown() {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const clock = { time: 0 };
  const now = () => clock.time;
  const console = new Console({ stdout, stderr, json: false, variables: {}, now });
  return { tell: measuringProgress(console, now), clock, text: () => stdout.text };
}

test("what is done soon is not told", () => {
  const { tell, clock, text } = shown();
  for (let done = 0; done <= 4; done++) {
    tell("conditioning", done, 4);
    clock.time += 400;
  }
  expect(text()).toBe("");
});

test("what takes longer is told after two seconds, each measurement by itself", () => {
  const { tell, clock, text } = shown();
  for (const total of [4, 4, 3])
    for (let done = 1; done <= total; done++) {
      clock.time += 1500;
      tell("before", done, total);
    }
  clock.time += 1500;
  tell("after", 1, 4);
  expect(text()).toBe(
    [
      "measuring a random start: 75%, 3/4 parts",
      "measuring a random start: 100%, 4/4 parts, 0.67/s, 2 s in all",
      "measuring a random start: 25%, 1/4 parts",
      "measuring a random start: 50%, 2/4 parts",
      "measuring a random start: 75%, 3/4 parts",
      "measuring a random start: 100%, 4/4 parts, 0.67/s, 5 s in all",
      "measuring a random start: 33%, 1/3 parts",
      "measuring a random start: 66%, 2/3 parts",
      "measuring a random start: 100%, 3/3 parts, 0.67/s, 3 s in all",
      "",
    ].join("\n"),
  );
});

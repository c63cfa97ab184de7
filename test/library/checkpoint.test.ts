import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "../../src/library/checkpoint.js";

const checkpoint: Checkpoint = {
  step: 12,
  state: new Map([
    ["b/weight", Float32Array.of(1.5, -0, 1e-40, Number.MAX_VALUE)],
    ["a", new Float32Array()],
  ]),
  sinceLine: { sums: { loss: 0.1 + 0.2 }, count: 2 },
  tail: { sums: { loss: 1e-300 }, count: 1, from: 11 },
};

test("comes back as it was, to the last bit", () => {
  const bytes = writeCheckpoint(checkpoint);
  expect(readCheckpoint(bytes, "file")).toEqual(checkpoint);
  expect(writeCheckpoint(readCheckpoint(bytes, "file"))).toEqual(bytes);
});

test("with any byte changed, or cut off anywhere, it is refused in words", () => {
  const bytes = writeCheckpoint(checkpoint);
  const refused =
    /^file: required a checkpoint as a run has written it, got (a file|one) .*\. Remove it: the run, or its self-training, then begins/;
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at] ^= 1 << (at % 8);
    try {
      // Some bytes mean nothing, such as how a tensor's elements are ordered in rows.
      expect(readCheckpoint(changed, "file")).toEqual(checkpoint);
    } catch (error) {
      expect(error, `byte ${at}`).toBeInstanceOf(UserError);
      expect((error as UserError).message).toMatch(refused);
    }
    expect(() => readCheckpoint(bytes.subarray(0, at), "file")).toThrow(refused);
  }
});

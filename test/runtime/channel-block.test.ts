import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Session } from "../../src/runtime/session.js";

/** What ONNX Runtime's answers are changed to, as another version of it might give. */
let changed: { readonly output: string } | undefined;
let sessions = 0;

vi.mock("../../src/runtime/node.js", async (original) => {
  const real = await original<typeof import("../../src/runtime/node.js")>();
  return {
    ...real,
    openSerialized: async (...given: Parameters<typeof real.openSerialized>): Promise<Session> => {
      sessions++;
      const session = await real.openSerialized(...given);
      return {
        ...session,
        run: async (feeds, targets) => {
          const outputs = await session.run(feeds, targets);
          const data = changed && (outputs[changed.output]?.data as Float32Array | undefined);
          if (data) [data[0], data[1]] = [data[1], data[0]];
          return outputs;
        },
      };
    },
  };
});

beforeEach(() => {
  vi.resetModules();
  sessions = 0;
});

afterEach(() => {
  changed = undefined;
});

async function freshBlock(): Promise<() => Promise<number | undefined>> {
  return (await import("../../src/runtime/channel-block.js")).channelBlock;
}

it("finds a block that vectors of this machine have, and asks once", async () => {
  const channelBlock = await freshBlock();
  const block = await channelBlock();
  expect([undefined, 8, 16]).toContain(block);
  const asked = sessions;
  expect(await channelBlock()).toBe(block);
  expect(sessions).toBe(asked);
});

it.each(["y", "wholeBlocked", "eachBlocked"])("finds none where ONNX Runtime gives another %s", async (output) => {
  changed = { output };
  expect(await (await freshBlock())()).toBeUndefined();
});

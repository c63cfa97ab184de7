import { expect, it } from "vitest";
import { channelBlock } from "../../src/runtime/channel-block.js";

it("finds a block that vectors of this machine have, the same one every time", async () => {
  const block = await channelBlock();
  expect([undefined, 8, 16]).toContain(block);
  expect(await channelBlock()).toBe(block);
});

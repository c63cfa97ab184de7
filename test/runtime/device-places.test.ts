import { expect, it, vi } from "vitest";
import { floatTensor } from "../../src/graph/tensor.js";
import { openPlaces } from "../../src/runtime/device-places.js";

const release = vi.hoisted(() => vi.fn(async () => {}));

/** A device whose memory is full. */
vi.mock("../../src/runtime/node.js", async (load) => ({
  ...(await load<typeof import("../../src/runtime/node.js")>()),
  createSession: async () => ({
    run: async () => {
      throw new Error("failed to allocate memory for requested buffer");
    },
    release,
  }),
}));

it("gives its session back where the device has no room", async () => {
  const opened = openPlaces({ x: floatTensor([1, 2]) }, "webgpu");
  await expect(opened).rejects.toThrow("device webgpu: required memory for a step");
  expect(release).toHaveBeenCalledOnce();
});

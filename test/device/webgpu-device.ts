/** Skips the tests of a file where WebGPU has no device, and says why. */
import { beforeEach } from "vitest";
import { requireDevice } from "../../src/runtime/require-device.js";

/** Why there is none. */
const missing = await requireDevice("webgpu").then(
  () => undefined,
  (error: unknown) => (error instanceof Error ? error.message : String(error)),
);

export function needWebgpu(): void {
  beforeEach((context) => {
    if (missing === undefined) return;
    if (process.env.HEADSTART_NEEDS_DEVICE === "1") throw new Error(missing);
    context.skip(`no WebGPU device: ${missing}`);
  });
}

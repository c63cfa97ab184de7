import { defineConfig } from "vitest/config";
import { softwareDriver } from "./test/device/software-driver.js";

// Inherited by the processes that run the tests.
Object.assign(process.env, softwareDriver());

/**
 * Training on a WebGPU device, a real one or a software driver. Without either the tests are skipped with the reason;
 * HEADSTART_NEEDS_DEVICE=1 makes that a failure.
 */
export default defineConfig({
  test: {
    include: ["test/device/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});

import { defineConfig } from "vitest/config";

/** Agreement with other frameworks: needs the Python packages of test/interop/requirements.txt in .venv. */
export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    globalSetup: ["test/interop/setup.ts"],
    // Two cores: the networks run one after the other.
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 600_000,
    // Python has its own copy of ONNX Runtime.
    env: { ORT_DISABLE_TELEMETRY: "1" },
  },
});

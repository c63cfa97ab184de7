import { defineConfig } from "vitest/config";

/** Agreement with other frameworks: needs the Python packages of test/interop/requirements.txt in .venv. */
export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    passWithNoTests: true,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});

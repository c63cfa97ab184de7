import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/interop/**", "test/browser/**", "test/device/**"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

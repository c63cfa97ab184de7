import { defineConfig } from "vitest/config";

/** The lab's page in a real browser: needs Chromium (Debian's package, or the one that CHROMIUM names) and the build. */
export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    // Two cores: one browser at a time.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 300_000,
    // As long as the pages themselves are waited for.
    expect: { poll: { timeout: 120_000 } },
  },
});

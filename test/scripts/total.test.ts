import { spawnSync } from "node:child_process";
import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const script = fileURLToPath(new URL("../../scripts/total.mjs", import.meta.url));
const folder = realpathSync(sharedTemporaryFolder());

function total(...options: string[]) {
  const { stdout, status } = spawnSync(process.execPath, [script, ...options], { cwd: folder, encoding: "utf8" });
  const lines = stdout.trimEnd().split("\n");
  return { said: lines.slice(0, -1), last: lines.at(-1), status };
}

function report(name: string, passed: number, failed: number, brokenFiles = 0): string {
  const broken = Array.from({ length: brokenFiles }, (_, index) => ({
    name: join(folder, "test", `broken-${index}.test.ts`),
    status: "failed",
    message: "cannot load",
    assertionResults: [],
  }));
  const tested = {
    name: join(folder, "test", "a.test.ts"),
    status: failed > 0 ? "failed" : "passed",
    assertionResults: Array.from({ length: failed }, (_, index) => ({
      status: "failed",
      fullName: `adds ${index}`,
      failureMessages: [`Error: ${index} is not 4\n    at a.test.ts:1`],
    })),
  };
  const content = { numPassedTests: passed, numFailedTests: failed, testResults: [tested, ...broken] };
  writeFileSync(join(folder, name), JSON.stringify(content));
  return name;
}

test("adds up reports, and names what failed", () => {
  expect(total(report("a.json", 10, 0), report("b.json", 5, 0))).toEqual({
    said: [],
    last: "15 passed, 0 failed",
    status: 0,
  });
  expect(total(report("a.json", 10, 0), report("b.json", 5, 2))).toEqual({
    said: [
      "FAILED test/a.test.ts > adds 0",
      "  Error: 0 is not 4",
      "      at a.test.ts:1",
      "FAILED test/a.test.ts > adds 1",
      "  Error: 1 is not 4",
      "      at a.test.ts:1",
    ],
    last: "15 passed, 2 failed",
    status: 1,
  });
});

test("a test file that did not load, a missing or broken report and a failed step count as failures", () => {
  expect(total(report("a.json", 3, 0, 2))).toEqual({
    said: ["FAILED test/broken-0.test.ts", "  cannot load", "FAILED test/broken-1.test.ts", "  cannot load"],
    last: "3 passed, 2 failed",
    status: 1,
  });
  expect(total("nowhere.json")).toMatchObject({ last: "0 passed, 1 failed", status: 1 });
  writeFileSync(join(folder, "cut.json"), '{"numPassedTests": 3, ');
  writeFileSync(join(folder, "other.json"), '{"testResults": []}');
  expect(total("cut.json", "other.json")).toMatchObject({ last: "0 passed, 2 failed", status: 1 });
  expect(total(report("a.json", 3, 0), "--failed", "check")).toEqual({
    said: ["FAILED step check"],
    last: "3 passed, 1 failed",
    status: 1,
  });
});

test("a failure that the report counts without naming it still counts", () => {
  const content = { numPassedTests: 1, numFailedTests: 1, testResults: [] };
  writeFileSync(join(folder, "unnamed.json"), JSON.stringify(content));
  expect(total("unnamed.json")).toMatchObject({ last: "1 passed, 1 failed", status: 1 });
});

import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../scripts/total.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "headstart-total-"));

function total(...options: string[]) {
  const { stdout, status } = spawnSync(process.execPath, [script, ...options], { cwd: folder, encoding: "utf8" });
  return { stdout, status };
}

function report(name: string, passed: number, failed: number, brokenFiles = 0): string {
  const broken = Array.from({ length: brokenFiles }, () => ({ status: "failed", assertionResults: [] }));
  const tested = {
    status: failed > 0 ? "failed" : "passed",
    assertionResults: failed > 0 ? [{ status: "failed" }] : [],
  };
  const content = { numPassedTests: passed, numFailedTests: failed, testResults: [tested, ...broken] };
  writeFileSync(join(folder, name), JSON.stringify(content));
  return name;
}

test("adds up reports", () => {
  expect(total(report("a.json", 10, 0), report("b.json", 5, 0))).toEqual({
    stdout: "15 passed, 0 failed\n",
    status: 0,
  });
  expect(total(report("a.json", 10, 0), report("b.json", 5, 2))).toEqual({
    stdout: "15 passed, 2 failed\n",
    status: 1,
  });
});

test("a test file that did not load, a missing or broken report and a failed step count as failures", () => {
  expect(total(report("a.json", 3, 0, 2))).toEqual({ stdout: "3 passed, 2 failed\n", status: 1 });
  expect(total("nowhere.json")).toEqual({ stdout: "0 passed, 1 failed\n", status: 1 });
  writeFileSync(join(folder, "cut.json"), '{"numPassedTests": 3, ');
  writeFileSync(join(folder, "other.json"), '{"testResults": []}');
  expect(total("cut.json", "other.json")).toEqual({ stdout: "0 passed, 2 failed\n", status: 1 });
  expect(total(report("a.json", 3, 0), "--failed", "check")).toEqual({ stdout: "3 passed, 1 failed\n", status: 1 });
});

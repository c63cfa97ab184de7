/**
 * Adds up the JSON reports of several vitest runs and prints `N passed, N failed` as its only line.
 *
 * Usage: node scripts/total.mjs REPORT... [--failed STEP]...
 * A report that is missing or broken counts as one failure, as does every step named by --failed, so that the line never
 * says that all is well where a step died before it could report. Exit status 1 if anything failed.
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** Passed and failed tests of one report. A test file that did not load counts as one failure. */
export function countReport(text) {
  const report = JSON.parse(text);
  let failed = report.numFailedTests;
  for (const file of report.testResults) {
    if (file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")) failed++;
  }
  if (!Number.isInteger(report.numPassedTests) || !Number.isInteger(failed))
    throw new TypeError("not a report of vitest");
  return { passed: report.numPassedTests, failed };
}

/** The sum over reports and failed steps, from the command's arguments. */
export function total(options) {
  const sum = { passed: 0, failed: 0 };
  for (let index = 0; index < options.length; index++) {
    if (options[index] === "--failed") {
      sum.failed++;
      index++;
      continue;
    }
    try {
      const { passed, failed } = countReport(readFileSync(options[index], "utf8"));
      sum.passed += passed;
      sum.failed += failed;
    } catch (error) {
      console.error(`${options[index]}: no report to read (${error.message})`);
      sum.failed++;
    }
  }
  return sum;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { passed, failed } = total(process.argv.slice(2));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

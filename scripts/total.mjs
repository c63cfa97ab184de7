/**
 * Adds up the JSON reports of several vitest runs: names every failure with the beginning of its message, so that the end
 * of a long output says what went wrong, and prints `N passed, N failed` as its last line.
 *
 * Usage: node scripts/total.mjs REPORT... [--failed STEP]...
 * A report that is missing or broken counts as one failure, as does every step named by --failed, so that the line never
 * says that all is well where a step died before it could report. Exit status 1 if anything failed.
 */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { pathToFileURL } from "node:url";

const messageLines = 12;

/** A failure in a few lines: which test of which file, and how its message begins. */
function describe(file, name, message = "") {
  const lines = message.split("\n").slice(0, messageLines);
  return [`FAILED ${relative(process.cwd(), file)}${name ? ` > ${name}` : ""}`, ...lines].join("\n  ");
}

/** Passed tests and failures of one report. A test file that did not load counts as one failure. */
export function readReport(text) {
  const report = JSON.parse(text);
  if (!Number.isInteger(report.numPassedTests) || !Number.isInteger(report.numFailedTests))
    throw new TypeError("not a report of vitest");
  const failures = [];
  for (const file of report.testResults) {
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    for (const test of failed) failures.push(describe(file.name, test.fullName, test.failureMessages[0]));
    if (file.status === "failed" && failed.length === 0) failures.push(describe(file.name, "", file.message));
  }
  while (failures.length < report.numFailedTests) failures.push("FAILED a test that the report does not name");
  return { passed: report.numPassedTests, failures };
}

/** The sum over reports and failed steps, from the command's arguments. */
export function total(options) {
  const sum = { passed: 0, failures: [] };
  for (let index = 0; index < options.length; index++) {
    if (options[index] === "--failed") {
      index++;
      sum.failures.push(`FAILED step ${options[index]}`);
      continue;
    }
    try {
      const { passed, failures } = readReport(readFileSync(options[index], "utf8"));
      sum.passed += passed;
      sum.failures.push(...failures);
    } catch (error) {
      sum.failures.push(`FAILED ${options[index]}: no report to read (${error.message})`);
    }
  }
  return sum;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { passed, failures } = total(process.argv.slice(2));
  for (const failure of failures) console.log(failure);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** docs/files.md is true: it names every file and folder that a run and a study write. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runFiles } from "../src/library/run-folder.js";
import { studyFiles } from "../src/study/study-folder.js";

const page = readFileSync(join(import.meta.dirname, "../docs/files.md"), "utf8");
const [, run, study] = page.split("\n## ");

/** The names in the first column of a part's table. */
function namesIn(part: string): string[] {
  const cells = part.split("\n").flatMap((line) => (line.startsWith("| `") ? [line.split("|")[1]] : []));
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name.replace(/\/$/, ""))).sort();
}

test("names what a run writes", () => {
  expect(namesIn(run)).toEqual(Object.values(runFiles).sort());
});

test("names what a study writes", () => {
  expect(namesIn(study)).toEqual(Object.values(studyFiles).sort());
});

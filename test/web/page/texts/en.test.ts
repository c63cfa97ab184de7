import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { en } from "../../../../src/web/page/texts/en.js";

const folder = fileURLToPath(new URL("../../../../src/web/page/", import.meta.url));
const sources = readdirSync(folder)
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => readFileSync(`${folder}${name}`, "utf8"))
  .join("\n");

/** What may be in place of the values of `study.axis.${measure}`. */
const templates = [...sources.matchAll(/`([\w.-]+)\.\$\{[^`]*`/g)].map(([, begin]) => `${begin}.`);

const isUsed = (key: string): boolean =>
  sources.includes(`"${key}"`) || templates.some((begin) => key.startsWith(begin));

test("every text is shown somewhere", () => {
  expect(Object.keys(en).filter((key) => !isUsed(key))).toEqual([]);
  expect(isUsed("nowhere.shown")).toBe(false);
});

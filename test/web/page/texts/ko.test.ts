import { describe, expect, it } from "vitest";
import { startForms } from "../../../../src/cli/lab.js";
import { en } from "../../../../src/web/page/texts/en.js";
import { ko, koOptions } from "../../../../src/web/page/texts/ko.js";

describe("Korean", () => {
  it("explains every option of the forms, and none that there is not", () => {
    const used = new Set<string>();
    const missing: string[] = [];
    for (const { name, options } of startForms())
      for (const { key } of options) {
        const text = [`${name}.${key}`, key].find((known) => Object.hasOwn(koOptions, known));
        if (text === undefined) missing.push(`${name}.${key}`);
        else used.add(text);
      }
    expect(missing).toEqual([]);
    expect(Object.keys(koOptions).filter((key) => !used.has(key))).toEqual([]);
  });

  it("has the same values to put in as English", () => {
    const names = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const [key, text] of Object.entries(en)) expect(names(ko[key as keyof typeof en]), key).toEqual(names(text));
  });
});

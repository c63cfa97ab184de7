import { describe, expect, it } from "vitest";
import { startForms } from "../../../../src/cli/lab.js";
import { coverageTable } from "../../../../src/study/statistics/trustworthy.js";
import type { Ground, VerdictWord } from "../../../../src/study/statistics/verdict.js";
import { en } from "../../../../src/web/page/texts/en.js";
import { ko, koOptions } from "../../../../src/web/page/texts/ko.js";
import { offeredForms } from "../../../../src/web/start-command.js";

describe("Korean", () => {
  it("explains every option of the forms, and none that there is not", () => {
    const used = new Set<string>();
    const missing: string[] = [];
    for (const { name, options } of offeredForms(startForms()))
      for (const { key } of options) {
        const text = [`${name}.${key}`, key].find((known) => Object.hasOwn(koOptions, known));
        if (text === undefined) missing.push(`${name}.${key}`);
        else used.add(text);
      }
    expect(missing).toEqual([]);
    expect(Object.keys(koOptions).filter((key) => !used.has(key))).toEqual([]);
  });

  it("has words for all that a study's verdicts say", () => {
    // The compiler keeps these lists whole.
    const grounds: Record<Ground["kind"], string[]> = {
      "few-pairs": ["pairs", "required"],
      "all-zero": ["pairs"],
      difference: ["level", "pairs", "p"],
      small: ["minimumEffect"],
      "none-at-level": ["alpha", "p"],
      "not-after-correction": [],
      interval: ["p"],
      corrected: ["p"],
      wide: ["level", "minimumEffect"],
      "seeds-needed": ["seeds", "minimumEffect"],
      narrow: ["minimumEffect"],
    };
    const verdicts: Record<VerdictWord, true> = {
      helps: true,
      hurts: true,
      "no difference shown": true,
      unclear: true,
    };
    const texts: Readonly<Record<string, string>> = ko;
    for (const [kind, values] of Object.entries(grounds)) {
      const named = [...(texts[`ground.${kind}`] ?? "missing {}").matchAll(/\{(\w*)\}/g)].map(([, name]) => name);
      expect(named.sort(), kind).toEqual(values.sort());
    }
    for (const word of Object.keys(verdicts))
      for (const when of ["end", "early"]) expect(texts, word).toHaveProperty([`verdict.${when}.${word}`]);
    for (const method of [
      "mean difference, paired t",
      "probability of improvement",
      "interquartile mean, one setting",
    ]) {
      expect(coverageTable).toHaveProperty([method]);
      expect(texts).toHaveProperty([`method.${method}`]);
    }
  });

  it("has the same values to put in as English", () => {
    const names = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const [key, text] of Object.entries(en)) expect(names(ko[key as keyof typeof en]), key).toEqual(names(text));
  });
});

import { describe, expect, it } from "vitest";
import { judge } from "../../src/training/warnings.js";

const kinds = (metrics: Record<string, number>): string[] => judge(metrics).map(({ kind }) => kind);
const healthy = {
  "likeness/own": 0.4,
  "likeness/other": 1,
  "discriminator/loss": 0.6,
  "discriminator/accuracy-pairs": 0.7,
};

describe("judge", () => {
  it("is silent where all is well, and where nothing was measured", () => {
    expect(judge(healthy)).toEqual([]);
    expect(judge({})).toEqual([]);
    expect(judge({ "task/loss": 3 })).toEqual([]);
  });

  it.each([
    ["collapse", { "likeness/own": 0.98 }],
    ["collapse", { "likeness/own": 2 }],
    ["identity", { "likeness/own": 0.009 }],
    ["discriminator-won", { "discriminator/loss": 0.04, "discriminator/accuracy-pairs": 0.995 }],
  ])("warns of %s at %j", (kind, change) => {
    const metrics = { ...healthy, ...change };
    expect(kinds(metrics)).toEqual([kind]);
    for (const { message } of judge(metrics)) expect(message).toMatch(/^[A-Z].*\.$/);
  });

  it("warns of a rotation task that is hardly solved, and of no other task", () => {
    const [warning] = judge({ ...healthy, "task/accuracy": 0.27 }, 0.25);
    expect(warning).toMatchObject({ kind: "task-unsolved", values: { accuracy: 0.27, chance: 0.25 } });
    expect(warning.message).toMatch(/^F tells in 27\.0 % of the cases.*guessing gives 25 %/);
    expect(judge({ ...healthy, "task/accuracy": 0.4 }, 0.25)).toEqual([]);
    expect(judge({ ...healthy, "task/accuracy": 0.27 })).toEqual([]);
  });

  it("does not take a good D for one that has won", () => {
    expect(kinds({ ...healthy, "discriminator/loss": 0.04, "discriminator/accuracy-pairs": 0.9 })).toEqual([]);
    expect(kinds({ ...healthy, "discriminator/loss": -30, "discriminator/accuracy-pairs": 0.9 })).toEqual([]);
    expect(kinds({ ...healthy, "discriminator/loss": 0.3, "discriminator/accuracy-pairs": 1 })).toEqual([]);
  });

  it("gives several at once, with their numbers", () => {
    const warnings = judge({
      ...healthy,
      "likeness/own": 0.99,
      "discriminator/loss": 0.001,
      "discriminator/accuracy-pairs": 1,
    });
    expect(warnings.map(({ kind }) => kind)).toEqual(["collapse", "discriminator-won"]);
    expect(warnings[0].message).toContain("0.990 against 1.00");
    expect(warnings[0].message).toContain("Train for longer, give reconstruction more weight");
    expect(warnings[1].message).toContain("100.0 %");
    expect(warnings.map(({ values }) => values)).toEqual([
      { own: 0.99, other: 1 },
      { pairs: 1, loss: 0.001 },
    ]);
  });
});

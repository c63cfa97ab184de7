import { expect, test } from "vitest";
import { chart } from "../../src/cli/curves.js";

test("a chart draws its curves with their own marks", () => {
  const lines = chart(
    [
      { name: "headstart", values: [0.7, 0.8, 0.8] },
      { name: "He", values: [0.1, 0.5, 0.7] },
    ],
    {
      width: 30,
      height: 5,
      unicode: true,
      horizontal: { label: "steps", from: "0", to: "200" },
      format: (value) => `${Math.round(100 * value)} %`,
    },
  );
  expect(`\n${lines.join("\n")}`).toMatchInlineSnapshot(`
    "
    80 % │  ●●●●●●●●●●●●●●●●●●●●●●
         │●●            ○○○○○○○○○○
    45 % │        ○○○○○○
         │   ○○○○○
    10 % │○○○
         └────────────────────────
          0       steps        200
          ● headstart
          ○ He"
  `);
});

test("a chart keeps to ASCII and to its width, and bears what is not finite", () => {
  const values = [1, Number.NaN, Number.POSITIVE_INFINITY, 2, 3];
  const horizontal = { label: "epochs", from: "1", to: "5" };
  const lines = chart([{ name: "loss", values }], { width: 40, height: 6, unicode: false, horizontal });
  expect(lines.join("")).toMatch(/^[ -~]*$/);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  expect(chart([{ name: "loss", values: [Number.NaN] }], { width: 40, height: 6, unicode: false, horizontal })).toEqual(
    ["(no values)"],
  );
});

test("many values and one value are fine", () => {
  const horizontal = { label: "steps", from: "0", to: "1" };
  const options = { width: 40, height: 4, unicode: true, horizontal };
  expect(chart([{ name: "long", values: Array.from({ length: 300_000 }, (_, index) => index) }], options)).toHaveLength(
    7,
  );
  expect(chart([{ name: "short", values: [5] }], options).join("\n")).toContain("●");
});

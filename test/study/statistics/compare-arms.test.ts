import { describe, expect, test } from "vitest";
import { RandomStream } from "../../../src/random/stream.js";
import { type ArmScores, compareArms, compareQuantities } from "../../../src/study/statistics/compare-arms.js";
import { simulateFalsePositives } from "../../../src/study/statistics/simulate-coverage.js";

/** Scores of an arm in two settings, noise of half a point around its place. */
function arm(name: string, gain: number, seeds = 5, noise = 0.005): ArmScores {
  const stream = new RandomStream(8, name);
  return {
    name,
    settings: [0.6, 0.8].map(
      (place) => new Map(Array.from({ length: seeds }, (_, seed) => [seed, place + gain + noise * stream.normal()])),
    ),
  };
}

const resamples = 500;

describe("compareArms", () => {
  const baseline = arm("baseline", 0);

  test("tells a gain, a loss and no difference apart, with the numbers behind them", () => {
    const found = compareArms(baseline, [arm("better", 0.05), arm("worse", -0.05), { ...baseline, name: "same" }], {
      resamples,
    });
    expect(found.map((comparison) => [comparison.name, comparison.verdict.verdict])).toEqual([
      ["better", "helps"],
      ["worse", "hurts"],
      ["same", "no difference shown"],
    ]);
    const [better, worse, same] = found;
    expect(better.test!.mean).toBeCloseTo(better.mean! - better.baselineMean!, 12);
    expect(better.adjustedP!).toBeGreaterThanOrEqual(better.test!.p);
    expect(better.signFlipP).toBe(2 / 2 ** 5);
    expect(better.interquartileMean!.estimate).toBeGreaterThan(better.baselineInterquartileMean!.high - 0.2);
    expect(better.probabilityOfImprovement!.estimate).toBe(1);
    expect(worse.probabilityOfImprovement!.estimate).toBe(0);
    expect(same.probabilityOfImprovement!.estimate).toBe(0.5);
    expect(same.adjustedP).toBe(1);
    expect(same.differences.differences).toEqual([0, 0, 0, 0, 0]);
  });

  test("turns losses round: lower is better", () => {
    const found = compareArms(baseline, [arm("better", 0.05), { ...baseline, name: "same" }], {
      higherIsBetter: false,
      resamples,
    });
    expect(found[0].verdict.verdict).toBe("hurts");
    expect(found[0].test!.mean).toBeLessThan(0);
    expect(found[0].probabilityOfImprovement!.estimate).toBe(0);
    expect(Object.is(found[1].differences.differences[0], 0)).toBe(true);
  });

  test("repeats itself from the same seed", () => {
    const arms = [arm("other", 0.001)];
    expect(compareArms(baseline, arms, { resamples, seed: 4 })).toEqual(
      compareArms(baseline, arms, { resamples, seed: 4 }),
    );
  });

  test("does not count an arm with too few pairs in Holm's correction", () => {
    const alone = compareArms(baseline, [arm("better", 0.05)], { resamples })[0];
    const [better, short, none] = compareArms(
      baseline,
      [arm("better", 0.05), arm("short", 0.05, 2), { name: "none", settings: [new Map(), new Map()] }],
      { resamples },
    );
    expect(better.adjustedP).toBe(alone.adjustedP);
    expect(short.verdict.verdict).toBe("unclear");
    expect(short.differences.unpaired).toBe(6);
    expect(short.test).toBeUndefined();
    expect(none.verdict.verdict).toBe("unclear");
    expect(none.mean).toBeUndefined();
  });

  test("corrects over several quantities together", () => {
    const arms = [arm("slight", 0.01), arm("none", 0)];
    const other = {
      baseline: arm("another", 0),
      arms: [arm("better", 0.05), arm("worse", -0.05)],
      options: { resamples },
    };
    const [first, second] = compareQuantities([{ baseline, arms, options: { resamples, minimumEffect: 0.02 } }, other]);
    const alone = compareArms(baseline, arms, { resamples, minimumEffect: 0.02 });
    const { adjustedP: _, verdict: __, ...uncorrected } = alone[0];
    expect(first[0]).toMatchObject(uncorrected);
    // Of four tests, the two small p-values stand before these.
    const all = [...first, ...second];
    const order = [...all].sort((a, b) => a.test!.p - b.test!.p);
    let most = 0;
    order.forEach((tested, place) => {
      most = Math.max(most, Math.min(1, tested.test!.p * (all.length - place)));
      expect(tested.adjustedP).toBeCloseTo(most, 12);
    });
    expect(second.map(({ verdict }) => verdict.verdict)).toEqual(["helps", "hurts"]);
    expect(compareQuantities([])).toEqual([]);
  });

  test("calls an arm that is equal in two quantities different in at most 5 % of studies", () => {
    const stream = new RandomStream(3, "two quantities");
    const scores = (name: string): ArmScores => ({
      name,
      settings: [new Map(Array.from({ length: 5 }, (_, seed) => [seed, stream.normal()]))],
    });
    const studies = 600;
    let wrong = 0;
    for (let study = 0; study < studies; study++) {
      const quantity = () => ({ baseline: scores("a"), arms: [scores("b"), scores("c")], options: { resamples: 1 } });
      const found = compareQuantities([quantity(), quantity()]).flat();
      if (found.some(({ verdict: { verdict } }) => /helps|hurts/.test(verdict))) wrong++;
    }
    // 5 % and two standard errors of this many studies.
    expect(wrong / studies).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / studies));
  });

  test("compares nothing with a baseline alone", () => {
    expect(compareArms(baseline, [])).toEqual([]);
  });

  test("calls one of nine equal arms different in at most 5 % of studies", () => {
    const studies = 1000;
    const rate = simulateFalsePositives(
      {
        draw: (stream) =>
          Array.from({ length: 10 }, (_, index): ArmScores => {
            const scores = new Map(Array.from({ length: 5 }, (_, seed) => [seed, 0.01 * stream.normal()]));
            return { name: `arm ${index}`, settings: [scores] };
          }),
        calls: ([first, ...others]) =>
          compareArms(first, others, { resamples: 1 }).some(({ verdict: { verdict } }) => /helps|hurts/.test(verdict)),
      },
      { studies },
    );
    // 5 % and the simulation's own error; the rate itself is measured more closely in coverage-methods.test.ts.
    expect(rate).toBeLessThanOrEqual(0.05 + (2.5 * Math.sqrt(0.05 * 0.95)) / Math.sqrt(studies));
  });
});

import { readFileSync } from "node:fs";

/** Numbers of rliable, SciPy, statsmodels and lifelines, written by test/fixtures/make-statistics-reference.py. */
export const reference = JSON.parse(
  readFileSync(new URL("../fixtures/statistics-reference.json", import.meta.url), "utf8"),
) as {
  samples: {
    values: number[];
    mean: number;
    standardDeviation: number;
    median: number;
    quantiles: Record<string, number>;
    interquartileMean: number;
    signFlip: number | null;
    t: number;
    p: number;
    interval: [number, number];
  }[];
  student: { degrees: number; t: number; within: number }[];
  studentQuantiles: { degrees: number; probability: number; t: number }[];
  normal: { x: number; cdf: number }[];
  normalQuantiles: { probability: number; x: number }[];
  holm: { p: number[]; adjusted: number[] }[];
  wilson: { hits: number; trials: number; level: number; low: number; high: number }[];
  strata: {
    x: number[][];
    y: number[][];
    estimates: Record<StrataStatistic, number>;
    intervals: Record<StrataStatistic, [number, number]>;
  }[];
  kaplanMeier: {
    steps: number[];
    reached: boolean[];
    median: number | null;
    medianInterval: [number | null, number | null];
    points: { steps: number; share: number; low: number; high: number }[];
  }[];
};

type StrataStatistic = "mean" | "median" | "interquartileMean" | "probabilityOfImprovement";

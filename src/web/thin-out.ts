/** Fewer points for a chart, without losing what stands out. */
import type { Row, Series } from "./protocol.js";

/** The metrics of rows by name, at most about `points` each: of every stretch the smallest and the largest value are kept. */
export function seriesOf(rows: readonly Row[], points: number): Record<string, Series> {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) if (name !== "step") names.add(name);
  const result: Record<string, Series> = {};
  for (const name of names) {
    const steps: number[] = [];
    const values: (number | null)[] = [];
    let numeric = false;
    for (const row of rows) {
      const value = row[name];
      if (value === undefined || typeof value === "boolean" || typeof value === "object") continue;
      steps.push(row.step);
      const finite = typeof value === "number" && Number.isFinite(value);
      numeric ||= finite;
      values.push(finite ? value : null);
    }
    if (numeric) result[name] = thinOut({ steps, values }, points);
  }
  return result;
}

/** The smallest and the largest value of each of points / 2 stretches, with both ends and every gap. */
export function thinOut(series: Series, points: number): Series {
  const { steps, values } = series;
  const count = steps.length;
  if (count <= points) return series;
  const kept = new Set([0, count - 1]);
  const stretches = Math.max(1, Math.floor(points / 2));
  for (let stretch = 0; stretch < stretches; stretch++) {
    const begin = Math.floor((stretch * count) / stretches);
    const end = Math.floor(((stretch + 1) * count) / stretches);
    let least = begin;
    let most = begin;
    for (let index = begin; index < end; index++) {
      const value = values[index];
      if (value === null) kept.add(index);
      else {
        const [low, high] = [values[least], values[most]];
        if (low === null || value < low) least = index;
        if (high === null || value > high) most = index;
      }
    }
    kept.add(least).add(most);
  }
  const order = [...kept].sort((first, second) => first - second);
  return { steps: order.map((index) => steps[index]), values: order.map((index) => values[index]) };
}

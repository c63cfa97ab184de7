/** How far what a run does beside training has come. */
import type { Measuring } from "../library/initialize-types.js";
import type { Console } from "./console.js";
import type { Progress } from "./progress.js";

const labels: Readonly<Record<Measuring, string>> = {
  start: "starting weights",
  pace: "timing steps",
  layers: "looking at the layers",
  conditioning: "conditioning",
  "running-statistics": "running statistics",
  head: "starting the last layer from labels",
  before: "measuring a random start",
  after: "measuring the weights",
};

/** Milliseconds after which somebody may wonder: most networks are done before. */
const unnoticed = 2000;

/**
 * Shows the progress of a measurement once it has taken a while.
 *
 * @param now time in milliseconds
 */
export function measuringProgress(
  console: Console,
  now: () => number = () => performance.now(),
): (what: Measuring, done: number, total: number) => void {
  let current: Measuring | undefined;
  let began = 0;
  let shown: { readonly progress: Progress; readonly total: number } | undefined;
  let last = 0;
  return (what, done, total) => {
    if (what !== current) {
      current = what;
      began = now();
      shown = undefined;
    }
    // One of several measurements is followed by the next.
    if (shown?.total !== total || done < last) {
      shown = undefined;
      if (done < total && now() - began >= unnoticed)
        shown = { progress: console.progress(labels[what], total, "parts", done), total };
    }
    last = done;
    shown?.progress.update(done);
  };
}

/** How far data has come, shown as it is fetched and read. */
import type { DataProgress } from "../data/dataset.js";
import type { Console } from "./console.js";
import type { Progress } from "./progress.js";

/**
 * Shows the progress of data. What is counted may change on the way (bytes that are fetched, bytes of a table, pictures):
 * each part of the work gets a display of its own.
 */
export function dataProgress(console: Console): DataProgress {
  let shown: { readonly progress: Progress; readonly total: number; readonly what: string } | undefined;
  return (done, total, what = "reading") => {
    if (shown === undefined || shown.total !== total || shown.what !== what) {
      const label = what === "fetching" ? "fetching data" : "reading data";
      shown = { progress: console.progress(label, total, what === "fetching" ? "bytes" : "read"), total, what };
    }
    shown.progress.update(Math.min(done, total));
  };
}

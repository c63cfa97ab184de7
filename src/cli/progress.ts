/** How far a long job is: a bar on a terminal, plain lines elsewhere. */
import { SingleBar } from "cli-progress";

/** A running display of progress. */
export interface Progress {
  /** Tells how much is done in all, with a short remark such as a loss. */
  update(done: number, remark?: string): void;
  /** Ends the display. */
  end(): void;
  /** Takes the display off the screen while something else is printed. */
  hide(): void;
  show(): void;
}

interface ProgressOptions {
  readonly label: string;
  readonly total: number;
  /** What is counted, in the plural. */
  readonly unit: string;
  /** Time in milliseconds. */
  readonly now: () => number;
}

/** A bar that is drawn again in its place. */
export function barProgress(
  options: ProgressOptions & { readonly stream: NodeJS.WriteStream; readonly unicode: boolean },
): Progress {
  const { label, total, unit, now, stream, unicode } = options;
  const bar = new SingleBar({
    stream,
    format: `${label} {bar} {percentage}% | {value}/{total} ${unit}{pace}{remark}`,
    barCompleteChar: unicode ? "█" : "#",
    barIncompleteChar: unicode ? "░" : "-",
    barsize: 24,
    fps: 8,
    hideCursor: true,
    // ONNX Runtime holds the event loop, so timers would come late: draw as updates come.
    synchronousUpdate: true,
    gracefulExit: false,
  });
  const started = now();
  bar.start(total, 0, { pace: "", remark: "" });
  let shown = true;
  return {
    update(done, remark) {
      bar.update(done, {
        pace: pace(done, total, now() - started),
        remark: remark === undefined ? "" : ` | ${remark}`,
      });
    },
    end() {
      if (shown) bar.stop();
      shown = false;
    },
    hide() {
      if (shown) stream.write("\r\u001b[2K");
    },
    show() {
      if (shown) bar.render();
    },
  };
}

/** A line at the first and last update, and between them at each tenth or ten seconds, but never twice in a second. */
export function plainProgress(options: ProgressOptions & { readonly write: (line: string) => void }): Progress {
  const { label, total, unit, now, write } = options;
  const started = now();
  let printedDone = -1;
  let printedAt = Number.NEGATIVE_INFINITY;
  return {
    update(done, remark) {
      const time = now();
      const sooner = time - printedAt < 1000;
      const due = done - printedDone >= total / 10 || time - printedAt >= 10_000;
      if (done === printedDone || (done < total && (sooner || !due))) return;
      printedDone = done;
      printedAt = time;
      const percent = total > 0 ? Math.floor((100 * done) / total) : 100;
      const more = remark === undefined ? "" : `, ${remark}`;
      write(`${label}: ${percent}%, ${done}/${total} ${unit}${pace(done, total, time - started)}${more}`);
    },
    end() {},
    hide() {},
    show() {},
  };
}

/** Rate and time left, once enough is done to tell. */
function pace(done: number, total: number, elapsed: number): string {
  if (done <= 0 || elapsed <= 0) return "";
  const rate = (1000 * done) / elapsed;
  if (done >= total) return `, ${quantity(rate)}/s, ${duration(elapsed / 1000)} in all`;
  return `, ${quantity(rate)}/s, ${duration((total - done) / rate)} left`;
}

function quantity(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(2);
}

/** Seconds as people say them: 8 s, 2 min 5 s, 3 h 12 min. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** How far a long job is: a bar on a terminal, plain lines elsewhere. */
import { clipped, printable } from "./printable.js";

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
  /** Infinite where nobody knows it: then only what is done is told. */
  readonly total: number;
  /** What is counted, in the plural. */
  readonly unit: string;
  /** How much of it was done before; default 0. */
  readonly before?: number;
  /** Time in milliseconds. */
  readonly now: () => number;
}

/** Where a terminal does not say how wide it is, or says 0, as one without a window does. */
const usualColumns = 80;

/** Milliseconds between two pictures of a bar. */
const frame = 100;

/**
 * A bar that is drawn again in its place. It is drawn as updates come: ONNX Runtime holds the event loop, so a timer
 * would come late. The cursor stays where it is on the screen, whatever else is printed between.
 */
export function barProgress(
  options: ProgressOptions & {
    readonly stream: NodeJS.WritableStream & { readonly columns?: number };
    readonly unicode: boolean;
  },
): Progress {
  const { label, total, unit, before = 0, now, stream, unicode } = options;
  const [full, empty] = unicode ? ["█", "░"] : ["#", "-"];
  const size = 24;
  const started = now();
  let drawnAt = started;
  let running = true;
  let line = "";

  function compose(done: number, remark?: string): void {
    const share = total > 0 ? Math.min(1, done / total) : 1;
    const filled = Math.round(share * size);
    const bar = full.repeat(filled) + empty.repeat(size - filled);
    const more = remark === undefined ? "" : ` | ${printable(remark)}`;
    const time = pace(done - before, total - before, now() - started);
    line = Number.isFinite(total)
      ? `${label} ${bar} ${Math.floor(100 * share)}% | ${done}/${total} ${unit}${time}${more}`
      : `${label} ${done} ${unit}${time}${more}`;
  }

  function draw(): void {
    // A line that wraps could not be drawn over.
    stream.write(`\r${clipped(line, (stream.columns || usualColumns) - 1)}\u001b[K`);
  }

  compose(before);
  draw();
  return {
    update(done, remark) {
      if (!running) return;
      compose(done, remark);
      if (done < total && now() - drawnAt < frame) return;
      drawnAt = now();
      draw();
    },
    end() {
      if (!running) return;
      running = false;
      draw();
      stream.write("\n");
    },
    hide() {
      if (running) stream.write("\r\u001b[K");
    },
    show() {
      if (running) draw();
    },
  };
}

/**
 * A line at the first and last update, and between them at each tenth or ten seconds, but never twice in a second, and
 * twice of the same amount only after ten.
 */
export function plainProgress(options: ProgressOptions & { readonly write: (line: string) => void }): Progress {
  const { label, total, unit, before = 0, now, write } = options;
  const started = now();
  let printedDone = -1;
  let printedAt = Number.NEGATIVE_INFINITY;
  return {
    update(done, remark) {
      const time = now();
      const sooner = time - printedAt < 1000;
      const late = time - printedAt >= 10_000;
      const due = late || done - printedDone >= total / 10;
      if (done === printedDone ? !late : done < total && (sooner || !due)) return;
      printedDone = done;
      printedAt = time;
      const percent = total > 0 ? Math.floor((100 * done) / total) : 100;
      const amount = Number.isFinite(total) ? `${percent}%, ${done}/${total}` : `${done}`;
      const more = remark === undefined ? "" : `, ${remark}`;
      write(`${label}: ${amount} ${unit}${pace(done - before, total - before, time - started)}${more}`);
    },
    end() {},
    hide() {},
    show() {},
  };
}

/** The first of many often prepares for the others: a rate is told when so many are done. */
const fewest = 3;

/** Rate and time left, once enough is done to tell. */
function pace(done: number, total: number, elapsed: number): string {
  // The first update may come at once: a rate of that moment says nothing.
  if (done < Math.min(fewest, total) || done <= 0 || elapsed < 200) return "";
  const rate = (1000 * done) / elapsed;
  if (done >= total) return `, ${quantity(rate)}/s, ${duration(elapsed / 1000)} in all`;
  if (!Number.isFinite(total)) return `, ${quantity(rate)}/s`;
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

/** What a command says: text for people, records for machines, progress. */
import { columnsOf, printable } from "./printable.js";
import { barProgress, type Progress, plainProgress } from "./progress.js";

export interface ConsoleOptions {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Records go to stdout and all text to stderr. */
  readonly json: boolean;
  /** Environment variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Time in milliseconds, for progress. */
  readonly now?: () => number;
}

/** How a column of a table stands. */
export type Alignment = "left" | "right";

/** A command's voice. Everything it prints as text is made safe for a terminal first. */
export class Console {
  /** True where --json was given. */
  readonly json: boolean;
  /** False where the terminal shows ASCII only (its locale is not UTF-8, or it is a dumb one). */
  readonly unicode: boolean;
  readonly #stdout: NodeJS.WritableStream;
  readonly #stderr: NodeJS.WritableStream;
  readonly #text: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  readonly #terminal: boolean;
  readonly #now: () => number;
  #running: Progress | undefined;

  constructor({ stdout, stderr, json, variables, now = () => performance.now() }: ConsoleOptions) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#text = json ? stderr : stdout;
    this.#terminal = this.#text.isTTY === true && variables.TERM !== "dumb";
    this.unicode = showsUnicode(variables);
    this.#now = now;
  }

  /** Columns that text may take. */
  get width(): number {
    return Math.max(40, (this.#terminal && this.#text.columns) || 80);
  }

  /** Prints a line for people, or several. */
  line(text = ""): void {
    this.#write(this.#text, `${printable(text)}\n`);
  }

  /** Prints a warning, on stderr, and as a record. */
  warn(text: string): void {
    this.event({ type: "warning", message: text });
    this.#write(this.#stderr, `warning: ${printable(text)}\n`);
  }

  /** Prints a record for machines, with --json only. Numbers that JSON cannot hold become null. */
  event(record: object): void {
    if (this.json) this.#stdout.write(`${JSON.stringify(record)}\n`);
  }

  /** Prints rows in columns as wide as they need. Without `align` the first column is left and the others are right. */
  table(head: readonly string[], rows: readonly (readonly string[])[], align?: readonly Alignment[]): void {
    const lines = [head, ...rows].map((row) => row.map((cell) => printable(cell).replaceAll("\n", " ")));
    const widths = head.map((_, column) => Math.max(...lines.map((row) => columnsOf(row[column] ?? ""))));
    const rule = widths.map((width) => (this.unicode ? "─" : "-").repeat(width)).join("  ");
    lines.forEach((row, index) => {
      const cells = widths.map((width, column) => {
        const cell = row[column] ?? "";
        const space = " ".repeat(width - columnsOf(cell));
        return (align?.[column] ?? (column === 0 ? "left" : "right")) === "left" ? cell + space : space + cell;
      });
      this.line(cells.join("  ").trimEnd());
      if (index === 0) this.line(rule);
    });
  }

  /**
   * Begins to show progress: a bar with rate and time left on a terminal, plain lines elsewhere. One at a time; a new one
   * ends the one before.
   *
   * @param total what counts as all of it
   * @param unit what is counted, in the plural, such as "steps"
   * @param before how much of it was done before, which says nothing of the rate
   */
  progress(label: string, total: number, unit: string, before = 0): Progress {
    this.end();
    const options = { label: printable(label), total, unit, before, now: this.#now };
    this.#running = this.#terminal
      ? barProgress({ ...options, stream: this.#text, unicode: this.unicode })
      : plainProgress({ ...options, write: (line) => this.#text.write(`${printable(line)}\n`) });
    return this.#running;
  }

  /** Ends a progress display that still runs, where it stands. */
  end(): void {
    this.#running?.end();
    this.#running = undefined;
  }

  #write(stream: NodeJS.WritableStream, text: string): void {
    // The bar is on the last line: away with it, and back below the text.
    this.#running?.hide();
    stream.write(text);
    this.#running?.show();
  }
}

/** UTF-8 is what a locale says, and what terminals on Windows and macOS show anyway. */
function showsUnicode(variables: Readonly<Record<string, string | undefined>>): boolean {
  if (variables.TERM === "dumb" || variables.TERM === "linux") return false;
  const locale = variables.LC_ALL || variables.LC_CTYPE || variables.LANG;
  if (locale !== undefined && locale !== "") return /utf-?8/i.test(locale);
  return process.platform === "win32" || process.platform === "darwin";
}

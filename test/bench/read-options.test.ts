import { expect, test, vi } from "vitest";
import { chosen, positive, readOptions } from "../../bench/options/read-options.js";

/** What a reading of options prints, and the status that it ends the process with. */
function ending(read: () => unknown): { status: unknown; output: string } {
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const spies = [
    vi.spyOn(console, "log").mockImplementation(say),
    vi.spyOn(console, "error").mockImplementation(say),
    vi.spyOn(process, "exit").mockImplementation((status) => {
      throw new Error(`ended with ${status}`);
    }),
  ];
  try {
    read();
    return { status: undefined, output: lines.join("\n") };
  } catch (error) {
    return { status: (error as Error).message, output: lines.join("\n") };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const read = (...words: string[]) =>
  readOptions("data", "the help", { rows: { type: "string", default: "7" }, json: { type: "boolean" } }, words);

test("reads what is given, and defaults", () => {
  expect(read("--json")).toEqual({ rows: "7", json: true });
});

test("prints help wherever it is asked for", () => {
  expect(ending(() => read("--rows", "--help"))).toEqual({ status: "ended with 0", output: "the help" });
});

test.each([
  [["--row", "7"], "Unknown option '--row'"],
  [["--json=yes"], "Option '--json' does not take an argument"],
  [["--rows"], "Option '--rows <value>' argument missing"],
  [["pictures"], "Unexpected argument 'pictures'"],
])("says what is wrong with %j in one line", (words, reason) => {
  const { status, output } = ending(() => read(...words));
  expect(status).toBe("ended with 2");
  expect(output).toMatch(/^npm run bench data: .*\. npm run bench data -- --help lists the options\.$/);
  expect(output).toContain(reason);
});

test("takes numbers and names for what they must be", () => {
  expect(positive("data", "rows", "12", true)).toBe(12);
  expect(ending(() => positive("data", "rows", "many")).output).toBe(
    'npm run bench data: --rows: required a number above 0, got "many".',
  );
  expect(ending(() => positive("data", "rows", "1.5", true)).status).toBe("ended with 2");
  expect(chosen("data", "only", undefined, ["wait", "memory"])).toEqual(["wait", "memory"]);
  expect(chosen("data", "only", "memory", ["wait", "memory"])).toEqual(["memory"]);
  expect(ending(() => chosen("data", "only", "tables", ["wait", "memory"])).output).toContain(
    '--only: required wait, memory, got "tables"',
  );
});

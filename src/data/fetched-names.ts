import type { FoundPath } from "./expand-paths.js";
import type { FetchedFile } from "./fetch-file.js";

/** Puts the addresses that data was fetched from in the place of the files in the cache, wherever these are named. */
export class FetchedNames {
  readonly #fetched: readonly FetchedFile[];

  constructor(found: readonly FoundPath[]) {
    this.#fetched = found.filter((one) => one.address !== undefined);
  }

  inText(text: string): string {
    if (!text.includes("fetched-")) return text;
    return this.#fetched.reduce((result, { path, address }) => result.replaceAll(path, address), text);
  }

  /** The same error with the addresses in its message. */
  inError(error: unknown): unknown {
    if (error instanceof Error && error.name === "UserError") error.message = this.inText(error.message);
    return error;
  }

  inRecord(record: Record<string, unknown>): Record<string, unknown> {
    if (this.#fetched.length === 0) return record;
    const renamed = (value: unknown): unknown => {
      if (typeof value === "string") return this.inText(value);
      if (Array.isArray(value)) return value.map(renamed);
      if (value === null || typeof value !== "object") return value;
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, renamed(inner)]));
    };
    return renamed(record) as Record<string, unknown>;
  }
}

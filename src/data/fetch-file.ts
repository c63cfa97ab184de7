import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { userError } from "../errors.js";
import { defaultCacheFolder, defaultCacheLimit, GrowingFile } from "./cache-folder.js";
import type { OpenOptions } from "./dataset.js";
import { checkInterrupted } from "./read-bytes.js";
import { type Attempt, refused, retryTransient } from "./retry-transient.js";
import { writeWhole } from "./write-whole.js";

/** How many files of one address are fetched at once. */
const atOnce = 8;

/** Starts a request, with additional headers. */
export type Request = (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>;

/** A file that is to be fetched. */
export interface WantedFile {
  /** Names it in messages. */
  readonly address: string;
  /** Its name in the cache folder. */
  readonly name: string;
  readonly request: Request;
  /** A better name for it, where the answer says one. */
  readonly named?: (response: Response) => string | undefined;
  /** Tells it apart in the cache, where the address alone does not. */
  readonly content?: string;
  /** Its length in bytes, where that is known. */
  readonly bytes?: number | undefined;
  /** What to do where it cannot be had. */
  readonly advice?: string | undefined;
}

/** A file that was fetched. */
export interface FetchedFile {
  readonly path: string;
  readonly address: string;
}

/**
 * Fetches the files of one address, a bounded number at once, and tells of the progress of all together, in bytes.
 *
 * @throws UserError for the first that cannot be had, or where they are more than the cache may hold
 */
export async function fetchFiles(files: readonly WantedFile[], options: OpenOptions): Promise<FetchedFile[]> {
  const limit = options.cacheLimit ?? defaultCacheLimit;
  const known = files.every(({ bytes }) => bytes !== undefined);
  const total = known ? files.reduce((sum, { bytes = 0 }) => sum + bytes, 0) : undefined;
  if (total !== undefined && total > limit) throw tooMuch(files[0].address, total, limit);
  const come = files.map(() => 0);
  let sum = 0;
  const fetched: FetchedFile[] = [];
  let next = 0;
  let failed = false;
  const fetchSome = async (): Promise<void> => {
    for (let at = next++; at < files.length && !failed; at = next++) {
      const { address, bytes } = files[at];
      const tell = (done: number, length: number): void => {
        sum += done - come[at];
        come[at] = done;
        // A single file's length comes with it.
        const all = files.length === 1 ? length : (total ?? Number.POSITIVE_INFINITY);
        options.onProgress?.(Math.min(sum, all), all, "fetching");
      };
      const path = await fetchFile(files[at], { ...options, onProgress: tell }).catch((error: unknown) => {
        failed = true;
        throw error;
      });
      if (bytes !== undefined && come[at] !== bytes) tell(bytes, bytes);
      fetched[at] = { path, address };
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(atOnce, files.length) }, fetchSome));
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return fetched;
}

/** What is kept of a file that was fetched. */
interface FetchedRecord {
  readonly etag?: string;
  readonly length: number;
  /** Where it is not the wanted one. */
  readonly name?: string;
}

const recordOf = (folder: string): FetchedRecord | undefined => {
  try {
    return JSON.parse(readFileSync(join(folder, "fetched.json"), "utf8")) as FetchedRecord;
  } catch {
    return undefined;
  }
};

/** Fetches one file to its place in the cache folder, unless the one there is still what the server has. */
async function fetchFile(wanted: WantedFile, options: OpenOptions): Promise<string> {
  const { address, content = address } = wanted;
  const cache = options.cache ?? defaultCacheFolder();
  const folder = join(cache, `fetched-${createHash("sha256").update(content).digest("hex").slice(0, 32)}`);
  const recorded = recordOf(folder);
  const knownName = safePart(recorded?.name) ?? wanted.name;
  // One that is cut off is fetched again.
  const isWhole = statSync(join(folder, knownName), { throwIfNoEntry: false })?.size === recorded?.length;
  const earlier = isWhole ? recorded : undefined;
  const download = new Download(wanted, cache, earlier?.etag, options);
  try {
    const isUnchanged = await retryTransient(
      (attempt) => download.attempt(attempt, earlier !== undefined),
      (reason, what) => notFetched(address, reason, what),
      options,
    );
    if (isUnchanged) {
      download.discard();
      return join(folder, knownName);
    }
    const { name, tag, length } = download;
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    await download.keep(path);
    const other = name === wanted.name ? {} : { name };
    const record = { address, ...(tag && { etag: tag }), length, ...other };
    await writeWhole(join(folder, "fetched.json"), JSON.stringify(record));
    return path;
  } catch (error) {
    download.discard();
    throw error;
  }
}

/** A file that is being fetched, in several attempts where the connection breaks off. */
class Download {
  /** As the server calls it, or as it is wanted. */
  name: string;
  /** The server's mark of what it has sent. */
  tag: string | undefined;
  readonly #wanted: WantedFile;
  readonly #cache: string;
  readonly #earlierTag: string | undefined;
  readonly #options: OpenOptions;
  #file: GrowingFile;
  #canResume = false;
  #total: number | undefined;

  /** @param earlierTag the mark of what the cache has already */
  constructor(wanted: WantedFile, cache: string, earlierTag: string | undefined, options: OpenOptions) {
    this.name = wanted.name;
    this.#wanted = wanted;
    this.#cache = cache;
    this.#earlierTag = earlierTag;
    this.#options = options;
    this.#file = new GrowingFile(cache);
  }

  /** Bytes that have come. */
  get length(): number {
    return this.#file.length;
  }

  /**
   * Asks for the file, and takes what comes.
   *
   * @param isKnown whether the cache has it, so that it may be unchanged
   * @returns whether it is
   */
  async attempt({ signal, heard }: Attempt, isKnown: boolean): Promise<boolean> {
    const { address, request, named, advice } = this.#wanted;
    const resume = this.#resumption();
    const response = await request(resume ?? this.#condition(), signal);
    heard();
    if (response.status === 304 && isKnown) {
      await response.body?.cancel();
      return true;
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw refused(response, notFetched(address, statusOf(response), advice));
    }
    if (this.#file.length > 0 && (resume === undefined || response.status !== 206)) this.#beginAgain();
    this.name = named?.(response) ?? this.#wanted.name;
    this.#takeHeaders(response);
    await receive(response, this.#file, address, this.#total, this.#options.cacheLimit ?? defaultCacheLimit, {
      ...this.#options,
      onProgress: (done, all) => {
        heard();
        this.#options.onProgress?.(done, all);
      },
    });
    return false;
  }

  /** Ends it, and keeps the file under a name. */
  async keep(path: string): Promise<void> {
    await this.#file.keep(path);
  }

  discard(): void {
    this.#file.discard();
  }

  /** What has come already is not asked for again, if the server can tell that it is still the same. */
  #resumption(): Record<string, string> | undefined {
    const { length } = this.#file;
    if (length === 0 || !this.#canResume || this.tag === undefined) return undefined;
    return { range: `bytes=${length}-`, "if-range": this.tag };
  }

  #condition(): Record<string, string> {
    return this.#earlierTag === undefined ? {} : { "if-none-match": this.#earlierTag };
  }

  /** It comes from its beginning again, and may be another by now. */
  #beginAgain(): void {
    this.#file.discard();
    this.#file = new GrowingFile(this.#cache);
    this.#total = undefined;
  }

  #takeHeaders({ headers }: Response): void {
    this.tag = headers.get("etag") ?? undefined;
    const isPacked = headers.get("content-encoding") !== null;
    // A weak tag does not promise the same bytes, and what has come of packed transfer is not what ranges count.
    this.#canResume = this.tag?.startsWith('"') === true && !isPacked;
    const length = Number(headers.get("content-length") ?? Number.NaN);
    // The length of packed transfer says nothing of what comes out.
    if (!Number.isNaN(length) && !isPacked) this.#total = this.#file.length + length;
  }
}

async function receive(
  response: Response,
  file: GrowingFile,
  address: string,
  total: number | undefined,
  limit: number,
  options: OpenOptions,
): Promise<void> {
  if (total !== undefined && total > limit) {
    await response.body?.cancel();
    throw tooMuch(address, total, limit);
  }
  for await (const chunk of response.body ?? []) {
    checkInterrupted(options.signal);
    if (file.length + chunk.length > limit) throw tooMuch(address, file.length + chunk.length, limit);
    file.append(chunk);
    options.onProgress?.(file.length, total ?? Number.POSITIVE_INFINITY);
  }
  if (total !== undefined && file.length !== total) throw new Error(`${file.length} of ${total} bytes came`);
}

function tooMuch(address: string, bytes: number, limit: number): Error {
  return userError({
    where: address,
    required: `at most ${limit} bytes, as the cache may hold`,
    got: `${bytes}`,
    advice: "Allow a larger cache (--cache-limit), or fetch a part of the data",
  });
}

/** A record's name, unless somebody has made a path of it. */
function safePart(name: unknown): string | undefined {
  return typeof name === "string" && name === safeName(name) ? name : undefined;
}

/** Longest name that every file system takes, with room for a temporary file's ending. */
const longestName = 200;

/** A name that stays where it is put, and that every file system takes: its end, which says the kind, where it is too long. */
export function safeName(name: string): string {
  const safe =
    name
      .slice(-longestName)
      .replaceAll(/[^\w.-]/g, "_")
      .replace(/\.+$/, "_") || "data";
  // On Windows these are devices, whatever ending they have.
  return /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(safe) ? `_${safe}` : safe;
}

/** "404 Not Found" */
export function statusOf({ status, statusText }: Response): string {
  return `${status} ${statusText}`.trim();
}

/** The {@link UserError} for an address whose data cannot be had. */
export function notFetched(address: string, got: string, advice = "Check the address and access"): Error {
  return userError({ where: address, required: "data that can be fetched", got, advice });
}

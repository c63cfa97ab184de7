import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AwsClient } from "aws4fetch";
import writeFileAtomic from "write-file-atomic";
import { userError } from "../errors.js";
import { defaultCacheFolder, defaultCacheLimit, GrowingFile } from "./cache-folder.js";
import type { OpenOptions } from "./dataset.js";
import { fetchHuggingFace } from "./huggingface.js";
import { checkInterrupted } from "./read-bytes.js";

/** How often a fetch that breaks off is taken up again. */
const attempts = 4;

/** Whether a path is an address that is fetched first. */
export function isAddress(path: string): boolean {
  return /^(https?|s3|hf):\/\//i.test(path);
}

/**
 * Fetches what an address names into the cache folder, or finds it there unchanged, and gives the files' paths. The
 * data goes to disk as it comes; nothing is unpacked.
 *
 * - `https://…`, `http://…`: one file
 * - `s3://bucket/key`, `s3://bucket/prefix/`: an object, or all with the prefix; signed if AWS_ACCESS_KEY_ID and
 *   AWS_SECRET_ACCESS_KEY are set; AWS_REGION and AWS_ENDPOINT_URL say where
 * - `hf://datasets/owner/name[@revision][/path]`: a file, or the training files; HF_TOKEN and HF_ENDPOINT are used
 *
 * @throws UserError if it cannot be had, or is larger than the cache may be
 */
export async function fetchAddress(address: string, options: OpenOptions): Promise<string[]> {
  if (/^hf:/i.test(address)) return fetchHuggingFace(address, options, fetchTo);
  if (/^s3:/i.test(address)) return fetchS3(address, options);
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw failed(address, "no address that can be read");
  }
  return [await fetchTo(address, safeName(basename(decodeURIComponent(url.pathname))), options, get(url))];
}

/** Starts a request, with additional headers. */
export type Request = (headers: Record<string, string>, signal?: AbortSignal) => Promise<Response>;

function get(url: URL): Request {
  return (headers, signal) => fetch(url, { headers, signal: signal ?? null });
}

const known = (folder: string): { etag?: string; length: number } | undefined => {
  try {
    return JSON.parse(readFileSync(join(folder, "fetched.json"), "utf8")) as { etag?: string; length: number };
  } catch {
    return undefined;
  }
};

/**
 * Fetches one file to its place in the cache folder, unless the one there is still what the server has.
 *
 * @param address names it in messages, and its place
 * @param name its path below that place
 * @param content tells it apart in the cache, where the address alone does not
 */
export async function fetchTo(
  address: string,
  name: string,
  options: OpenOptions,
  request: Request,
  content = address,
): Promise<string> {
  const cache = options.cache ?? defaultCacheFolder();
  const limit = options.cacheLimit ?? defaultCacheLimit;
  const folder = join(cache, `fetched-${createHash("sha256").update(content).digest("hex").slice(0, 32)}`);
  const path = join(folder, name);
  const earlier = existsSync(path) ? known(folder) : undefined;
  const headers: Record<string, string> = earlier?.etag === undefined ? {} : { "if-none-match": earlier.etag };
  const file = new GrowingFile(cache);
  let tag: string | undefined;
  let total: number | undefined;
  try {
    for (let attempt = 1; ; attempt++) {
      checkInterrupted(options.signal);
      try {
        // What has come already is not asked for again, if the server can tell that it is still the same.
        const resume: Record<string, string> =
          file.length > 0 && tag !== undefined ? { range: `bytes=${file.length}-`, "if-range": tag } : {};
        const response = await request(file.length > 0 ? resume : headers, options.signal);
        if (response.status === 304 && earlier !== undefined) {
          await response.body?.cancel();
          file.discard();
          return path;
        }
        if (!response.ok) {
          await response.body?.cancel();
          const error = failed(address, `${response.status} ${response.statusText}`.trim());
          if (response.status < 500 && response.status !== 429) throw error;
          throw new Retry(error);
        }
        if (file.length > 0 && response.status !== 206) {
          await response.body?.cancel();
          throw failed(address, `an answer that broke off after ${file.length} bytes`);
        }
        tag = response.headers.get("etag") ?? undefined;
        const length = Number(response.headers.get("content-length") ?? Number.NaN);
        // The length of packed transfer says nothing of what comes out.
        if (!Number.isNaN(length) && response.headers.get("content-encoding") === null) total = file.length + length;
        await receive(response, file, address, total, limit, options);
        break;
      } catch (error) {
        checkInterrupted(options.signal);
        if (error instanceof Error && error.name === "UserError") throw error;
        if (attempt === attempts) throw error instanceof Retry ? error.reason : failed(address, reasonOf(error));
        await new Promise((resolve) => setTimeout(resolve, 100 * 4 ** (attempt - 1)));
      }
    }
    mkdirSync(dirname(path), { recursive: true });
    const { length } = file;
    file.keep(path);
    await writeFileAtomic(join(folder, "fetched.json"), JSON.stringify({ address, ...(tag && { etag: tag }), length }));
    return path;
  } catch (error) {
    file.discard();
    throw error;
  }
}

class Retry extends Error {
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
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
  const tooMuch = (bytes: number) =>
    userError({
      where: address,
      required: `at most ${limit} bytes, as the cache may hold`,
      got: `${bytes}`,
      advice: "Allow a larger cache, or fetch a part of the data",
    });
  if (total !== undefined && total > limit) {
    await response.body?.cancel();
    throw tooMuch(total);
  }
  for await (const chunk of response.body ?? []) {
    checkInterrupted(options.signal);
    if (file.length + chunk.length > limit) throw tooMuch(file.length + chunk.length);
    file.append(chunk);
    options.onProgress?.(file.length, total ?? file.length);
  }
  if (total !== undefined && file.length !== total) throw new Error(`${file.length} of ${total} bytes came`);
}

async function fetchS3(address: string, options: OpenOptions): Promise<string[]> {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,62})\/(.*)$/i.exec(address);
  if (match === null) throw failed(address, "no s3://bucket/key");
  const [, bucket, key] = match;
  const environment = process.env;
  const region = environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? "us-east-1";
  const endpoint = environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL;
  const base =
    endpoint === undefined
      ? `https://${bucket}.s3.${region}.amazonaws.com`
      : `${endpoint.replace(/\/$/, "")}/${bucket}`;
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: session } = environment;
  const client =
    id && secret
      ? new AwsClient({
          accessKeyId: id,
          secretAccessKey: secret,
          ...(session ? { sessionToken: session } : {}),
          service: "s3",
          region,
          retries: 0,
        })
      : undefined;
  const ask = async (url: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> => {
    const init = { headers, signal: signal ?? null };
    return client === undefined ? fetch(url, init) : client.fetch(url, init);
  };
  const path = (name: string) => name.split("/").map(encodeURIComponent).join("/");
  const isPrefix = key === "" || key.endsWith("/");
  const keys = isPrefix ? await listS3(address, key, (query) => ask(`${base}/?${query}`, {}, options.signal)) : [key];
  const files: string[] = [];
  for (const name of keys) {
    const request: Request = (headers, signal) => ask(`${base}/${path(name)}`, headers, signal);
    const content = `s3://${endpoint ?? ""}${bucket}/${name}`;
    files.push(await fetchTo(`s3://${bucket}/${name}`, safeName(basename(name)), options, request, content));
  }
  return files;
}

/** The keys with a prefix, in order (ListObjectsV2). */
async function listS3(address: string, prefix: string, ask: (query: string) => Promise<Response>): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const query = new URLSearchParams({ "list-type": "2", prefix, ...(token && { "continuation-token": token }) });
    const response = await ask(query.toString()).catch((error: unknown) => {
      throw failed(address, reasonOf(error));
    });
    const text = await response.text();
    if (!response.ok) throw failed(address, `${response.status} ${response.statusText}`.trim());
    for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) if (!key.endsWith("/")) keys.push(fromXml(key));
    const next = /<NextContinuationToken>([^<]*)</.exec(text)?.[1];
    token = /<IsTruncated>true</.test(text) && next !== undefined ? fromXml(next) : undefined;
  } while (token !== undefined);
  if (keys.length === 0) throw failed(address, "no object there");
  return keys;
}

function fromXml(text: string): string {
  const marks: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'" };
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (mark) => marks[mark]);
}

/** A name that stays where it is put. */
function safeName(name: string): string {
  return name.replaceAll(/[^\w.-]/g, "_").replace(/^\.+$/, "_") || "data";
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

function failed(address: string, got: string): Error {
  return userError({
    where: address,
    required: "data that can be fetched",
    got,
    advice: "Check the address and access",
  });
}

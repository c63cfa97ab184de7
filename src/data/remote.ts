import { basename } from "node:path";
import type { OpenOptions } from "./dataset.js";
import { type FetchedFile, fetchFiles, notFetched, type Request, safeName } from "./fetch-file.js";
import { fetchHuggingFace } from "./huggingface.js";
import { fetchS3 } from "./s3.js";

/** Whether a path is an address that is fetched first. */
export function isAddress(path: string): boolean {
  return /^(https?|s3|hf):\/\//i.test(path);
}

/**
 * Fetches what an address names into the cache folder, or finds it there unchanged. The data goes to disk as it comes;
 * nothing is unpacked.
 *
 * - `https://…`, `http://…`: one file
 * - `s3://bucket/key`, `s3://bucket/prefix/`, a pattern: see {@link fetchS3}
 * - `hf://datasets/owner/name[@revision][/path]`: see {@link fetchHuggingFace}
 *
 * @throws UserError if it cannot be had, or is larger than the cache may be
 */
export async function fetchAddress(address: string, options: OpenOptions): Promise<FetchedFile[]> {
  if (/^hf:/i.test(address)) return fetchHuggingFace(address, options);
  if (/^s3:/i.test(address)) return fetchS3(address, options);
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw notFetched(address, "no address that can be read");
  }
  const name = safeName(basename(decodedPath(url)));
  const advice = url.pathname.includes("*")
    ? "Web servers do not list their files: name them, or use a range such as {000..009}"
    : undefined;
  const request: Request = (headers, signal) => fetch(url, { headers, signal });
  return fetchFiles([{ address, name, request, advice }], options);
}

/** The path in plain signs; as it is where its % begins no code. */
function decodedPath({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

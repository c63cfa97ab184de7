import { basename } from "node:path";
import type { OpenOptions } from "./dataset.js";
import { type FetchedFile, fetchFiles, notFetched, type Request, safeName } from "./fetch-file.js";
import { fetchHuggingFace } from "./huggingface.js";
import { percentDecoded } from "./percent-decoded.js";
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
  const name = safeName(basename(percentDecoded(url.pathname)));
  const advice = url.pathname.includes("*")
    ? "Web servers do not list their files: name them, or use a range such as {000..009}"
    : undefined;
  const request: Request = (headers, signal) => fetch(url, { headers, signal });
  const named = knownEnd.test(name) ? undefined : (response: Response) => nameOf(name, response);
  return fetchFiles([{ address, name, request, advice, ...(named ? { named } : {}) }], options);
}

/** Names by which data is known to be what it is; all else is told by its first bytes. */
const knownEnd = /\.(csv|tsv|tab|txt|data|dat|tar|tgz)(\.gz)?$|\.(gz|parquet|arrow|feather|npy|npz|safetensors)$/i;
const endsOfTypes: Readonly<Record<string, string>> = {
  "text/csv": ".csv",
  "text/tab-separated-values": ".tsv",
  "application/x-tar": ".tar",
};

/**
 * The name of a file whose address says none, as that of a download button: what the server calls it, or where it has
 * led to; else one for the type of its content.
 */
function nameOf(name: string, { headers, url }: Response): string | undefined {
  const said = headers.get("content-disposition") ?? "";
  const coded = /filename\*=utf-8''([^;]+)/i.exec(said)?.[1];
  const plain = /filename="?([^";]+)/i.exec(said)?.[1];
  const names = [coded, plain, url === "" ? undefined : basename(new URL(url).pathname)];
  const found = names.flatMap((one) => (one === undefined ? [] : [safeName(basename(percentDecoded(one)))]));
  const type = headers.get("content-type")?.split(";", 1)[0].trim().toLowerCase() ?? "";
  const typed = endsOfTypes[type] === undefined ? undefined : `${name}${endsOfTypes[type]}`;
  return found.find((one) => knownEnd.test(one)) ?? typed;
}

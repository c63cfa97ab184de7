import { isDynamicPattern } from "tinyglobby";
import { userError } from "../errors.js";
import { byCodeUnit } from "./classes.js";
import type { OpenOptions } from "./dataset.js";
import { looksLikePicture } from "./picture-folder.js";
import type { Request } from "./remote.js";
import { choosePart } from "./shards.js";

const readable = /\.(csv|tsv|csv\.gz|tsv\.gz|npy|npz|safetensors)$/i;

type FetchTo = (
  address: string,
  name: string,
  options: OpenOptions,
  request: Request,
  content: string,
) => Promise<string>;

/**
 * Fetches files of a Hugging Face dataset through the hub's client: the one that the address names, those that its
 * pattern fits, or else the training files (Parquet, Arrow, tar), the only table or array, or all pictures.
 *
 * @param address hf://datasets/owner/name[@revision][/path]
 */
export async function fetchHuggingFace(address: string, options: OpenOptions, fetchTo: FetchTo): Promise<string[]> {
  const match = /^hf:\/\/datasets\/([\w.-]+\/[\w.-]+)(?:@([^/]+))?(?:\/(.*))?$/.exec(address);
  const failed = (got: string) =>
    userError({
      where: address,
      required: "hf://datasets/owner/name[@revision][/path] on the Hugging Face hub",
      got,
      advice: "Check the address; for a private dataset set HF_TOKEN",
    });
  if (match === null) throw failed("another address");
  const [, name, encoded, path = ""] = match;
  const { HF_TOKEN: accessToken, HF_ENDPOINT: hubUrl } = process.env;
  const repository = {
    repo: { type: "dataset" as const, name },
    revision: encoded === undefined ? "main" : decodeURIComponent(encoded),
    ...(hubUrl ? { hubUrl } : {}),
    ...(accessToken ? { accessToken } : {}),
  };
  // Loaded only here: it is large, and most data is not fetched.
  const { downloadFile, listFiles } = await import("@huggingface/hub");
  const files = new Map<string, { size: number; oid: string }>();
  try {
    for await (const { type, path: found, size, oid, lfs } of listFiles({ ...repository, recursive: true })) {
      options.signal?.throwIfAborted();
      if (type === "file") files.set(found, { size: lfs?.size ?? size, oid: lfs?.oid ?? oid ?? "" });
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    throw failed(error instanceof Error ? error.message : String(error));
  }
  const wanted = choose([...files.keys()], path);
  if (wanted === undefined) throw failed(path === "" ? "no data that headstart reads there" : `no ${path} there`);
  const paths: string[] = [];
  for (const file of wanted) {
    if (file.split("/").includes("..") || file.startsWith("/")) throw failed(`the name ${file}`);
    const { oid } = files.get(file)!;
    const request: Request = async () => {
      const blob = await downloadFile({ ...repository, path: file });
      if (blob === null) return new Response(null, { status: 404, statusText: "Not Found" });
      return new Response(blob.stream(), { headers: { "content-length": String(blob.size), etag: `"${oid}"` } });
    };
    const place = `hf://datasets/${name}/${file}`;
    // The content's own name tells it apart: what is in the cache under it never changes.
    const content = `hf://${hubUrl ?? ""}datasets/${name}@${oid || repository.revision}/${file}`;
    paths.push(await fetchTo(place, file.split("/").at(-1)!, options, oid === "" ? request : once(request), content));
  }
  return paths;
}

/** A file that was fetched under its content's name needs no second request. */
function once(request: Request): Request {
  return async (headers, signal) =>
    "if-none-match" in headers ? new Response(null, { status: 304 }) : request(headers, signal);
}

function choose(names: readonly string[], path: string): string[] | undefined {
  if (names.includes(path)) return [path];
  if (isDynamicPattern(path)) {
    const pattern = new RegExp(
      `^${path
        .split(/(\*\*\/?|\*|\?)/)
        .map((part) => ({ "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]" })[part] ?? quoted(part))
        .join("")}$`,
    );
    const found = names.filter((name) => pattern.test(name)).sort(byCodeUnit);
    return found.length > 0 ? found : undefined;
  }
  const below = names.filter((name) => path === "" || name.startsWith(`${path.replace(/\/$/, "")}/`));
  const shards = choosePart(below);
  if (shards !== undefined) return shards;
  const pictures = below.filter(looksLikePicture).sort(byCodeUnit);
  if (pictures.length > 0) return pictures;
  const others = below.filter((name) => readable.test(name));
  return others.length === 1 ? others : undefined;
}

function quoted(text: string): string {
  return text.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
}

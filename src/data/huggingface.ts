import { isDynamicPattern } from "tinyglobby";
import { userError } from "../errors.js";
import { chooseRemoteFiles } from "./choose-remote-files.js";
import { shorten } from "./classes.js";
import type { OpenOptions } from "./dataset.js";
import { type FetchedFile, fetchFiles, type Request, safeName } from "./fetch-file.js";
import { percentDecoded } from "./percent-decoded.js";
import { looksLikePicture } from "./picture-folder.js";
import { refused, retryTransient } from "./retry-transient.js";
import { choosePart } from "./shards.js";

/**
 * Fetches files of a Hugging Face dataset through the hub's client: the one that the address names, those that its
 * pattern fits, or else the training files (Parquet, Arrow, tar), all pictures, or the only table or array. HF_TOKEN and
 * HF_ENDPOINT are used where they are set.
 *
 * @param address hf://datasets/owner/name[@revision][/path]
 * @throws UserError if there is no such dataset or file, or several tables may be meant
 */
export async function fetchHuggingFace(address: string, options: OpenOptions): Promise<FetchedFile[]> {
  const match = /^hf:\/\/datasets\/([\w.-]+\/[\w.-]+)(?:@([^/]+))?(?:\/(.*))?$/.exec(address);
  const failed = (got: string, advice = "Check the address; for a private dataset set HF_TOKEN") =>
    userError({
      where: address,
      required: "hf://datasets/owner/name[@revision][/path] on the Hugging Face hub",
      got,
      advice,
    });
  if (match === null) throw failed("another address");
  const [, name, encoded, path = ""] = match;
  const { HF_TOKEN: accessToken, HF_ENDPOINT: hubUrl } = process.env;
  const repository = {
    repo: { type: "dataset" as const, name },
    revision: encoded === undefined ? "main" : percentDecoded(encoded),
    ...(hubUrl ? { hubUrl } : {}),
    ...(accessToken ? { accessToken } : {}),
  };
  // Loaded only here: it is large, and most data is not fetched.
  const { downloadFile, HubApiError, listFiles } = await import("@huggingface/hub");
  const files = new Map<string, { size: number; oid: string }>();
  await retryTransient(
    async ({ signal, heard }) => {
      const listing = listFiles({ ...repository, recursive: true, fetch: fetchWith(signal) });
      try {
        for await (const { type, path: found, size, oid, lfs } of listing) {
          heard();
          if (type === "file") files.set(found, { size: lfs?.size ?? size, oid: lfs?.oid ?? oid ?? "" });
        }
      } catch (error) {
        // What the hub has answered stands.
        if (error instanceof HubApiError) throw refused({ status: error.statusCode }, failed(error.message));
        throw error;
      }
    },
    failed,
    options,
  );
  const wanted = chooseRemoteFiles([...files.keys()], path);
  if (wanted === undefined) throw failed(path === "" ? "no data that headstart reads there" : `no ${path} there`);
  const several = wanted.length > 1 && choosePart(wanted) === undefined && !wanted.every(looksLikePicture);
  if (several && !isDynamicPattern(path)) throw failed(`${shorten(wanted, 4)}, of which one must be named`);
  const place = `hf://datasets/${name}${encoded === undefined ? "" : `@${encoded}`}`;
  return fetchFiles(
    wanted.map((file) => {
      if (file.split("/").includes("..") || file.startsWith("/")) throw failed(`the name ${file}`);
      const { oid, size } = files.get(file)!;
      const request: Request = async (_, signal) => {
        const blob = await downloadFile({ ...repository, path: file, fetch: fetchWith(signal) });
        if (blob === null) return new Response(null, { status: 404, statusText: "Not Found" });
        return new Response(blob.stream(), { headers: { "content-length": String(blob.size), etag: `"${oid}"` } });
      };
      return {
        address: `${place}/${file}`,
        name: safeName(file.split("/").at(-1)!),
        request: oid === "" ? request : once(request),
        // The content's own name tells it apart: what is in the cache under it never changes.
        content: `hf://${hubUrl ?? ""}datasets/${name}@${oid || repository.revision}/${file}`,
        bytes: size,
      };
    }),
    options,
  );
}

/** The usual fetch, ended by a signal. */
function fetchWith(signal: AbortSignal): typeof fetch {
  return (input, init) => fetch(input, { ...init, signal });
}

/** A file that was fetched under its content's name needs no second request. */
function once(request: Request): Request {
  return async (headers, signal) =>
    "if-none-match" in headers ? new Response(null, { status: 304 }) : request(headers, signal);
}

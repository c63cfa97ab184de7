import { basename } from "node:path";
import { AwsClient } from "aws4fetch";
import { isDynamicPattern } from "tinyglobby";
import { chooseRemoteFiles } from "./choose-remote-files.js";
import type { OpenOptions } from "./dataset.js";
import { type FetchedFile, fetchFiles, notFetched, safeName, statusOf } from "./fetch-file.js";
import { refused, retryTransient } from "./retry-transient.js";

/**
 * Fetches objects of an S3 bucket: the one with the key; those that a pattern fits (`*`, `?`, `**`, `{a,b}`, `[abc]`);
 * or, of all with a prefix, what is data, see {@link chooseRemoteFiles}. A key that is not there is tried as a prefix.
 *
 * Requests are signed if AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set, else anonymous. AWS_REGION says where
 * the bucket is; AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL name another service that speaks the protocol.
 *
 * @param address s3://bucket/key, s3://bucket/prefix/ or s3://bucket/pattern
 * @throws UserError if nothing is there, or the service refuses
 */
export async function fetchS3(address: string, options: OpenOptions): Promise<FetchedFile[]> {
  const match = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,62})\/(.*)$/i.exec(address);
  if (match === null) throw notFetched(address, "no s3://bucket/key");
  const [, name, key] = match;
  const bucket = new Bucket(name);
  const fetchAll = (objects: readonly S3Object[]) =>
    fetchFiles(
      objects.map(({ key: found, bytes }) => ({
        address: `s3://${name}/${found}`,
        name: safeName(basename(found)),
        request: (headers, signal) => bucket.get(found, headers, signal),
        content: `s3://${bucket.endpoint ?? ""}${name}/${found}`,
        bytes,
      })),
      options,
    );
  const choose = async (prefix: string): Promise<S3Object[] | undefined> => {
    const objects = new Map<string, S3Object>();
    for await (const object of bucket.list(address, prefix, options)) objects.set(object.key, object);
    return chooseRemoteFiles([...objects.keys()], key)?.map((chosen) => objects.get(chosen)!);
  };
  const pattern = isDynamicPattern(key);
  if (pattern || key === "" || key.endsWith("/")) {
    const chosen = await choose(pattern ? key.slice(0, key.search(/[*?[{(!+@\\]/)) : key);
    if (chosen === undefined) throw notFetched(address, pattern ? "no object that fits the pattern" : "no data there");
    return fetchAll(chosen);
  }
  return fetchAll([{ key, bytes: undefined }]).catch(async (error: unknown) => {
    // Some write folders without the stroke at their end.
    const below = /got 404/.test(String(error)) ? await choose(`${key}/`).catch(() => undefined) : undefined;
    if (below === undefined) throw error;
    return fetchAll(below);
  });
}

interface S3Object {
  readonly key: string;
  readonly bytes: number | undefined;
}

/** A bucket of Amazon's service or another that speaks its protocol. */
class Bucket {
  readonly endpoint: string | undefined;
  readonly #name: string;
  #region: string;

  constructor(name: string) {
    const { AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
    this.#name = name;
    this.#region = AWS_REGION || AWS_DEFAULT_REGION || "us-east-1";
    this.endpoint = (AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL || undefined)?.replace(/\/$/, "");
  }

  /** Asks for an object. */
  get(key: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    return this.#ask(key.split("/").map(encodeURIComponent).join("/"), headers, signal);
  }

  /** The objects whose keys begin so, in the order of the keys (ListObjectsV2). */
  async *list(address: string, prefix: string, options: OpenOptions): AsyncGenerator<S3Object> {
    let token: string | undefined;
    do {
      const query = new URLSearchParams({ "list-type": "2", prefix, ...(token && { "continuation-token": token }) });
      const text = await retryTransient(
        async ({ signal, heard }) => {
          const response = await this.#ask(`?${query}`, {}, signal);
          heard();
          if (response.ok) return response.text();
          await response.body?.cancel();
          throw refused(response, notFetched(address, `${statusOf(response)} when its objects were to be listed`));
        },
        (reason, advice) => notFetched(address, reason, advice),
        options,
      );
      for (const [, entry] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const key = fromXml(/<Key>([^<]*)<\/Key>/.exec(entry)?.[1] ?? "");
        const size = /<Size>(\d+)<\/Size>/.exec(entry)?.[1];
        if (key !== "" && !key.endsWith("/")) yield { key, bytes: size === undefined ? undefined : Number(size) };
      }
      const next = /<NextContinuationToken>([^<]*)</.exec(text)?.[1];
      token = /<IsTruncated>true</.test(text) && next !== undefined ? fromXml(next) : undefined;
    } while (token !== undefined);
  }

  async #ask(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const response = await this.#send(path, headers, signal);
    // A bucket says in which region it is; Amazon answers for no other.
    const region = response.headers.get("x-amz-bucket-region");
    if (response.ok || this.endpoint !== undefined || region === null || region === this.#region) return response;
    await response.body?.cancel();
    this.#region = region;
    return this.#send(path, headers, signal);
  }

  #send(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: session } = process.env;
    const url = `${this.#base()}/${path}`;
    const init = { headers, signal };
    if (!id || !secret) return fetch(url, init);
    const token = session ? { sessionToken: session } : {};
    const client = new AwsClient({
      accessKeyId: id,
      secretAccessKey: secret,
      ...token,
      service: "s3",
      region: this.#region,
      retries: 0,
    });
    return client.fetch(url, init);
  }

  #base(): string {
    if (this.endpoint !== undefined) return `${this.endpoint}/${this.#name}`;
    const host = `s3.${this.#region}.amazonaws.com`;
    // Amazon's certificate covers no dots in a bucket's name.
    return this.#name.includes(".") ? `https://${host}/${this.#name}` : `https://${this.#name}.${host}`;
  }
}

function fromXml(text: string): string {
  const marks: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(?:(amp|lt|gt|quot|apos)|#(\d+)|#x([\da-f]+));/gi, (_, name, decimal, hexadecimal) =>
    name === undefined ? String.fromCodePoint(Number.parseInt(decimal ?? hexadecimal, decimal ? 10 : 16)) : marks[name],
  );
}

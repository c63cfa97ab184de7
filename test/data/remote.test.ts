import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { fetchAddress } from "../../src/data/remote.js";
import { UserError } from "../../src/errors.js";
import { temporaryFolder } from "./temporary-folder.js";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let base: string;
let answer: Answer;
let asked: { url: string; headers: IncomingMessage["headers"]; status: number }[];

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    response.on("finish", () =>
      asked.push({ url: request.url!, headers: request.headers, status: response.statusCode }),
    );
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const csv = "a,b\n1,2\n3,4\n5,7\n";

/** Serves files with tags, ranges and conditions, as most servers do. */
const files =
  (content: Record<string, string | Uint8Array>): Answer =>
  (request, response) => {
    const bytes = content[decodeURIComponent(request.url!.split("?")[0])];
    if (bytes === undefined) return void response.writeHead(404).end("none");
    const whole = Buffer.from(bytes);
    const etag = `"${createHash("md5").update(whole).digest("hex")}"`;
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const part = whole.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { etag, "content-length": part.length }).end(part);
  };

describe("http", () => {
  test("fetches once, and asks only whether it changed", async () => {
    const cache = temporaryFolder();
    answer = files({ "/data/t.csv": csv });
    for (let time = 0; time < 2; time++) expect((await openDataset(`${base}/data/t.csv`, { cache })).count).toBe(3);
    expect(asked.map(({ status }) => status)).toEqual([200, 304]);
    answer = files({ "/data/t.csv": `${csv}9,9\n` });
    expect((await openDataset(`${base}/data/t.csv`, { cache })).count).toBe(4);
  });

  test("a transfer that breaks off is taken up where it ended", async () => {
    let first = true;
    const whole = files({ "/t.csv": csv });
    answer = (request, response) => {
      if (!first) return whole(request, response);
      first = false;
      const etag = `"${createHash("md5").update(csv).digest("hex")}"`;
      response.writeHead(200, { etag, "content-length": csv.length });
      response.write(csv.slice(0, 6), () => response.destroy());
    };
    const cache = temporaryFolder();
    const [path] = await fetchAddress(`${base}/t.csv`, { cache });
    expect(readFileSync(path, "utf8")).toBe(csv);
    expect(asked.at(-1)?.headers.range).toBe("bytes=6-");
  });

  test("what is not there or too large is told, and nothing stays behind", async () => {
    const cache = temporaryFolder();
    answer = files({ "/t.csv": csv });
    await expect(fetchAddress(`${base}/no.csv`, { cache })).rejects.toThrow(/no\.csv: .* got 404/);
    await expect(fetchAddress(`${base}/t.csv`, { cache, cacheLimit: 5 })).rejects.toThrow(/at most 5 bytes/);
    answer = (_, response) => void response.writeHead(200).end(Buffer.alloc(100));
    await expect(fetchAddress(`${base}/t.csv`, { cache, cacheLimit: 50 })).rejects.toThrow(/at most 50 bytes/);
    expect(readdirSync(cache)).toEqual([]);
    await expect(fetchAddress("http://127.0.0.1:1/t.csv", { cache })).rejects.toBeInstanceOf(UserError);
  });
});

describe("s3", () => {
  test("an object and all with a prefix, signed where there are credentials", async () => {
    const cache = temporaryFolder();
    const objects = files({ "/bucket/d/a b.csv": csv, "/bucket/d/c.csv": csv });
    answer = (request, response) => {
      if (!request.url!.startsWith("/bucket/?")) return objects(request, response);
      const token = new URL(request.url!, base).searchParams.get("continuation-token");
      const [key, more] = token === null ? ["d/a b.csv", true] : ["d/c.csv", false];
      response.end(
        `<ListBucketResult><IsTruncated>${more}</IsTruncated>${more ? "<NextContinuationToken>x&amp;y</NextContinuationToken>" : ""}` +
          `<Contents><Key>${key}</Key></Contents></ListBucketResult>`,
      );
    };
    vi.stubEnv("AWS_ENDPOINT_URL", base);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "");
    expect((await openDataset("s3://bucket/d/c.csv", { cache })).count).toBe(3);
    expect(asked[0].headers.authorization).toBeUndefined();
    vi.stubEnv("AWS_ACCESS_KEY_ID", "key");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    expect((await openDataset("s3://bucket/d/", { cache })).count).toBe(6);
    expect(asked.at(-1)?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=key\//);
    await expect(openDataset("s3://bucket", { cache })).rejects.toThrow(/s3:\/\/bucket\/key/);
    answer = (_, response) => response.writeHead(404).end();
    await expect(openDataset("s3://bucket/none.csv", { cache })).rejects.toThrow(/^s3:\/\/bucket\/none\.csv: /);
  });
});

describe("the Hugging Face hub", () => {
  const pictures = readFileSync(join(import.meta.dirname, "../fixtures/columnar/pictures.parquet"));

  /** The hub's answers to its client: the tree of a repository, and the files. */
  const hub =
    (repository: Record<string, Uint8Array | string>): Answer =>
    (request, response) => {
      const url = new URL(request.url!, base);
      const tree = /^\/api\/datasets\/who\/what\/tree\/(\w+)/.exec(url.pathname);
      if (tree !== null && tree[1] === "main") {
        const entries = Object.entries(repository).map(([path, content]) => ({
          type: "file",
          path,
          size: content.length,
          oid: createHash("sha1").update(content).digest("hex"),
        }));
        response.setHeader("content-type", "application/json");
        return void response.end(JSON.stringify(entries));
      }
      const file = /^\/datasets\/who\/what\/(?:resolve|raw)\/main\/(.*)$/.exec(url.pathname);
      const content = file === null ? undefined : repository[decodeURIComponent(file[1])];
      if (content === undefined) {
        response.setHeader("content-type", "application/json");
        return void response.writeHead(404).end('{"error":"Repository not found"}');
      }
      const whole = Buffer.from(content);
      const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
      const [from, to] = range
        ? [Number(range[1]), range[2] ? Number(range[2]) : whole.length - 1]
        : [0, whole.length - 1];
      const part = whole.subarray(from, to + 1);
      response.writeHead(range ? 206 : 200, {
        etag: `"${createHash("sha1").update(whole).digest("hex")}"`,
        "content-length": part.length,
        "accept-ranges": "bytes",
        ...(range ? { "content-range": `bytes ${from}-${from + part.length - 1}/${whole.length}` } : {}),
      });
      response.end(request.method === "HEAD" ? undefined : part);
    };

  test("takes the training shards, a file, or a pattern, and needs no second transfer", async () => {
    const cache = temporaryFolder();
    vi.stubEnv("HF_ENDPOINT", base);
    vi.stubEnv("HF_TOKEN", "hf_secret");
    answer = hub({
      "README.md": "about",
      "data/train-00000-of-00002.parquet": pictures,
      "data/train-00001-of-00002.parquet": pictures,
      "data/test-00000-of-00001.parquet": pictures,
      "more/t.csv": csv,
    });
    const dataset = await openDataset("hf://datasets/who/what", { cache });
    expect(dataset.count).toBe(6);
    expect(dataset.classNames).toEqual(["cat", "dog"]);
    expect(asked[0].headers.authorization).toBe("Bearer hf_secret");
    const before = asked.length;
    expect((await openDataset("hf://datasets/who/what/data/test*.parquet", { cache })).count).toBe(3);
    expect((await openDataset("hf://datasets/who/what@main/more/t.csv", { cache })).count).toBe(3);
    const third = asked.length;
    expect(third).toBeGreaterThan(before);
    expect((await openDataset("hf://datasets/who/what/more/t.csv", { cache })).count).toBe(3);
    expect(asked.slice(third).every(({ url }) => url.startsWith("/api/"))).toBe(true);
    await expect(openDataset("hf://datasets/who/what/nothing.csv", { cache })).rejects.toThrow(/no nothing\.csv there/);
    await expect(openDataset("hf://datasets/who/else", { cache })).rejects.toBeInstanceOf(UserError);
    await expect(openDataset("hf://who/what", { cache })).rejects.toThrow(/hf:\/\/datasets/);
  });
});

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { safeName } from "../../src/data/fetch-file.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { fetchAddress } from "../../src/data/remote.js";
import { UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { solidPicture } from "./solid-picture.js";

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

  test("fetches again what is cut off in the cache", async () => {
    const cache = temporaryFolder();
    answer = files({ "/data/t.csv": csv });
    const open = () => openDataset(`${base}/data/t.csv`, { cache });
    expect((await open()).count).toBe(3);
    const [folder] = readdirSync(cache);
    writeFileSync(join(cache, folder, "t.csv"), csv.slice(0, 8));
    expect((await open()).count).toBe(3);
    expect(asked.map(({ status }) => status)).toEqual([200, 200]);
  });

  test.each([
    ["what the server calls it", "/download?id=5", { "content-disposition": 'attachment; filename="my table.csv"' }],
    ["its coded name", "/get", { "content-disposition": "attachment; filename*=UTF-8''%C3%A4.csv; filename=x" }],
    ["the type of its content", "/export", { "content-type": "text/csv; charset=utf-8" }],
    ["where the address leads to", "/latest", { location: "/v2/t.csv" }],
  ])("a table without a name of its own is known by %s, later too", async (_, address, headers) => {
    const cache = temporaryFolder();
    answer = (request, response) => {
      if ("location" in headers && request.url === address) return void response.writeHead(302, headers).end();
      if (request.headers["if-none-match"] === '"1"') return void response.writeHead(304).end();
      response.writeHead(200, { ...headers, etag: '"1"' }).end(csv);
    };
    for (let time = 0; time < 2; time++) expect((await openDataset(`${base}${address}`, { cache })).count).toBe(3);
    expect(asked.at(-1)?.status).toBe(304);
  });

  test("no name leads out of the cache folder", async () => {
    const folder = temporaryFolder();
    answer = (_request, response) =>
      response.writeHead(200, { "content-disposition": 'attachment; filename="../../../out.csv"' }).end(csv);
    const [{ path }] = await fetchAddress(`${base}/get`, { cache: join(folder, "a", "b") });
    expect(path.startsWith(join(folder, "a", "b", "fetched-"))).toBe(true);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("a name is one that every file system takes", () => {
    expect(safeName("aux.csv")).toBe("_aux.csv");
    expect(safeName("COM1")).toBe("_COM1");
    expect(safeName("console.csv")).toBe("console.csv");
    expect(safeName("a:b?.csv")).toBe("a_b_.csv");
    expect(safeName("data.")).toBe("data_");
    expect(safeName("..")).toBe("_");
    expect(safeName(`${"사진".repeat(150)}.csv`)).toMatch(/^_{196}\.csv$/);
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
    const [{ path }] = await fetchAddress(`${base}/t.csv`, { cache });
    expect(readFileSync(path, "utf8")).toBe(csv);
    expect(asked.at(-1)?.headers.range).toBe("bytes=6-");
  });

  test.each([
    ["has no tag", {}, csv],
    ["has a weak tag", { etag: 'W/"x"' }, csv],
    ["has changed meanwhile", { etag: '"x"' }, `${csv}9,9\n`],
    ["packs its answer", { etag: '"x"', "content-encoding": "identity" }, csv],
  ])("a transfer that breaks off begins anew where the server %s", async (_, headers, content) => {
    let first = true;
    answer = (_request, response) => {
      if (!first) return void response.writeHead(200, { ...headers, "content-length": content.length }).end(content);
      first = false;
      response.writeHead(200, { ...headers, "content-length": csv.length });
      response.write("#,#\n#", () => response.destroy());
    };
    const cache = temporaryFolder();
    const [{ path }] = await fetchAddress(`${base}/t.csv`, { cache });
    expect(readFileSync(path, "utf8")).toBe(content);
    expect(readdirSync(cache)).toHaveLength(1);
    // A range only under a tag that promises the same bytes.
    const asksForRest = content !== csv;
    expect(asked.at(-1)?.headers).toMatchObject(asksForRest ? { range: "bytes=5-", "if-range": '"x"' } : {});
    if (!asksForRest) {
      expect(asked.at(-1)?.headers.range).toBeUndefined();
      expect(asked.at(-1)?.headers["if-range"]).toBeUndefined();
    }
  });

  test.each([
    ["before its answer", 0],
    ["in the middle of it", 6],
  ])("a server that falls silent %s is asked again for the rest", async (_, sent) => {
    let first = true;
    const whole = files({ "/t.csv": csv });
    answer = (request, response) => {
      if (!first) return whole(request, response);
      first = false;
      if (sent === 0) return;
      const etag = `"${createHash("md5").update(csv).digest("hex")}"`;
      response.writeHead(200, { etag, "content-length": csv.length }).write(csv.slice(0, sent));
    };
    const [{ path }] = await fetchAddress(`${base}/t.csv`, { cache: temporaryFolder(), idleTimeout: 100 });
    expect(readFileSync(path, "utf8")).toBe(csv);
    expect(asked.map(({ headers }) => headers.range)).toEqual([sent === 0 ? undefined : "bytes=6-"]);
  });

  test("data is called by its address, in messages and in the record", async () => {
    const cache = temporaryFolder();
    answer = files({ "/t.csv": "a,b\n1,2\n3\n", "/u.csv": csv, "/v.csv": csv });
    await expect(openDataset(`${base}/t.csv`, { cache })).rejects.toThrow(
      new RegExp(`^${base}/t\\.csv: required rows of equal length`),
    );
    expect((await openDataset(`${base}/u.csv`, { cache })).where).toBe(`${base}/u.csv`);
    const skipped = await openDataset([`${base}/u.csv`, `${base}/t.csv`], { cache, onBad: "skip" });
    expect(skipped.where).toBe(`${base}/u.csv and 1 more`);
    expect(skipped.record.badRows).toEqual({ count: 1, rows: [`${base}/t.csv, row 2: 1 cells`] });
  });

  test("a range names several files, and progress counts the bytes of each fetch up to its end", async () => {
    const cache = temporaryFolder();
    answer = files({ "/t-08.csv": csv, "/t-09.csv": csv });
    const seen: [number, number][] = [];
    const dataset = await openDataset(`${base}/t-{08..09}.csv`, {
      cache,
      onProgress: (done, total, what) => what === "fetching" && seen.push([done, total]),
    });
    expect(dataset.count).toBe(6);
    expect(seen.at(-1)).toEqual([csv.length, csv.length]);
    await expect(openDataset(`${base}/*.csv`, { cache })).rejects.toThrow(/got 404 .* do not list their files/);
  });

  test("a length that the server does not say is infinite in the progress", async () => {
    answer = (_, response) => void response.writeHead(200, { "transfer-encoding": "chunked" }).end(csv);
    const seen: number[] = [];
    await openDataset(`${base}/t.csv`, {
      cache: temporaryFolder(),
      onProgress: (_, total, what) => what === "fetching" && seen.push(total),
    });
    expect(new Set(seen)).toEqual(new Set([Number.POSITIVE_INFINITY]));
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

describe("objects of a bucket", () => {
  /** A bucket that lists two objects at a time. */
  const bucket = (objects: Record<string, string | Uint8Array>): Answer => {
    const get = files(Object.fromEntries(Object.entries(objects).map(([key, content]) => [`/bucket/${key}`, content])));
    return (request, response) => {
      const { pathname, searchParams } = new URL(request.url!, base);
      if (pathname !== "/bucket/") return get(request, response);
      const keys = Object.keys(objects).filter((key) => key.startsWith(searchParams.get("prefix")!));
      const from = Number(searchParams.get("continuation-token") ?? 0);
      const more = from + 2 < keys.length;
      const contents = keys
        .slice(from, from + 2)
        .map(
          (key) =>
            `<Contents>\n<Key>${key.replaceAll("&", "&#38;")}</Key><Size>${objects[key].length}</Size></Contents>`,
        );
      response.end(
        `<ListBucketResult><IsTruncated>${more}</IsTruncated>${contents.join("")}` +
          `${more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : ""}</ListBucketResult>`,
      );
    };
  };

  beforeEach(() => {
    vi.stubEnv("AWS_ENDPOINT_URL", base);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "");
  });

  test("patterns fit keys of all pages of the list, and the total of the progress is that of all objects", async () => {
    const cache = temporaryFolder();
    answer = bucket({
      "d/a&b.csv": csv,
      "d/deep/e.csv": csv,
      "d/t-1.csv": csv,
      "d/t-2.csv": csv,
      "d/t-3.csv.gz": "x",
      "other.csv": csv,
    });
    const count = async (pattern: string) => (await openDataset(`s3://bucket/${pattern}`, { cache })).count / 3;
    expect(await count("d/*.csv")).toBe(3);
    expect(await count("d/**/*.csv")).toBe(4);
    expect(await count("d/t-?.csv")).toBe(2);
    expect(await count("d/t-[13].csv")).toBe(1);
    expect(await count("d/t-[!13].csv")).toBe(1);
    expect(await count("d/{a&b,t-2}.csv")).toBe(2);
    expect(await count("d/t-{1..2}.csv")).toBe(2);
    expect(asked.filter(({ url }) => url.includes("prefix=d%2F&"))).not.toHaveLength(0);
    await expect(count("d/*.tsv")).rejects.toThrow(/^s3:\/\/bucket\/d\/\*\.tsv: .*no object that fits the pattern/);
    const seen: [number, number][] = [];
    await openDataset("s3://bucket/d/*.csv", {
      cache: temporaryFolder(),
      onProgress: (done, total, what) => what === "fetching" && seen.push([done, total]),
    });
    expect(seen.length).toBeGreaterThan(1);
    expect(new Set(seen.map(([, total]) => total))).toEqual(new Set([3 * csv.length]));
    expect(Math.max(...seen.map(([done]) => done))).toBe(3 * csv.length);
    await expect(openDataset("s3://bucket/d/*.csv", { cache, cacheLimit: csv.length + 1 })).rejects.toThrow(
      new RegExp(`at most ${csv.length + 1} bytes.* got ${3 * csv.length}`),
    );
  });

  test("a list that breaks off, or that a busy server refuses, is asked for again; what is forbidden is not", async () => {
    const cache = temporaryFolder();
    vi.stubEnv("AWS_ENDPOINT_URL", base);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "");
    const whole = bucket({ "d/a.csv": csv, "d/b.csv": csv, "d/c.csv": csv });
    const pages: (string | null)[] = [];
    answer = (request, response) => {
      const { pathname, searchParams } = new URL(request.url!, base);
      if (pathname === "/bucket/") pages.push(searchParams.get("continuation-token"));
      if (pages.length === 2) return void response.writeHead(503).end("SlowDown");
      if (pages.length === 3) return void response.destroy();
      whole(request, response);
    };
    expect((await openDataset("s3://bucket/d/", { cache })).count).toBe(9);
    expect(pages).toEqual([null, "2", "2", "2"]);
    pages.length = 0;
    answer = (_, response) => {
      pages.push("");
      response.writeHead(403).end();
    };
    await expect(openDataset("s3://bucket/d/", { cache })).rejects.toThrow(/403 Forbidden when its objects/);
    expect(pages).toHaveLength(1);
  });

  test("below a prefix the data is chosen as in a folder, also without the stroke at its end", async () => {
    const cache = temporaryFolder();
    answer = bucket({
      "set/README.md": "about",
      "set/test/cat/9.png": await solidPicture([9]),
      "set/train/cat/1.png": await solidPicture([1]),
      "set/train/dog/2.png": await solidPicture([2]),
    });
    for (const address of ["s3://bucket/set/", "s3://bucket/set"]) {
      const dataset = await openDataset(address, { cache });
      expect([dataset.count, dataset.classNames]).toEqual([2, ["cat", "dog"]]);
      expect(dataset.where).toBe("s3://bucket/set/train/cat/1.png and 1 more");
    }
    await expect(openDataset("s3://bucket/none", { cache })).rejects.toThrow(/^s3:\/\/bucket\/none: .* got 404/);
    await expect(openDataset("s3://bucket/none/", { cache })).rejects.toThrow(/no data there/);
    answer = (_, response) => void response.writeHead(403).end();
    await expect(openDataset("s3://bucket/set/*.png", { cache })).rejects.toThrow(/403 .* objects were to be listed/);
  });

  test("Amazon's answer says in which region a bucket is, and dots in its name go into the path", async () => {
    vi.stubEnv("AWS_ENDPOINT_URL", "");
    vi.stubEnv("AWS_REGION", "");
    vi.stubEnv("AWS_DEFAULT_REGION", "");
    const urls: string[] = [];
    vi.stubGlobal("fetch", async (url: string) => {
      urls.push(url);
      if (url.includes("eu-west-1")) return new Response(csv);
      return new Response(null, { status: 301, headers: { "x-amz-bucket-region": "eu-west-1" } });
    });
    const cache = temporaryFolder();
    expect((await openDataset("s3://bucket/t.csv", { cache })).count).toBe(3);
    expect((await openDataset("s3://with.dots/t.csv", { cache })).count).toBe(3);
    vi.unstubAllGlobals();
    expect(urls).toEqual([
      "https://bucket.s3.us-east-1.amazonaws.com/t.csv",
      "https://bucket.s3.eu-west-1.amazonaws.com/t.csv",
      "https://s3.us-east-1.amazonaws.com/with.dots/t.csv",
      "https://s3.eu-west-1.amazonaws.com/with.dots/t.csv",
    ]);
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
    // A % that begins no code is a part of the revision's name.
    await expect(openDataset("hf://datasets/who/what@50%/more/t.csv", { cache })).rejects.toThrow(
      /^hf:\/\/datasets\/who\/what@50%\/more\/t\.csv: required .*, got Repository not found/,
    );
  });

  test("names the file by its address where it cannot be fetched or read, and asks which of several tables is meant", async () => {
    const cache = temporaryFolder();
    vi.stubEnv("HF_ENDPOINT", base);
    const serve = hub({ "a.csv": csv, "b.csv": "a,b\n1,2\n3\n" });
    answer = serve;
    await expect(openDataset("hf://datasets/who/what", { cache })).rejects.toThrow(/a\.csv, b\.csv, of which one/);
    await expect(openDataset("hf://datasets/who/what@main/b.csv", { cache })).rejects.toThrow(
      /^hf:\/\/datasets\/who\/what@main\/b\.csv: required rows of equal length/,
    );
    expect((await openDataset("hf://datasets/who/what/a.csv", { cache })).where).toBe("hf://datasets/who/what/a.csv");
    answer = (request, response) =>
      request.url!.startsWith("/api/") ? serve(request, response) : void response.writeHead(403).end();
    await expect(openDataset("hf://datasets/who/what/b.csv", { cache: temporaryFolder() })).rejects.toThrow(
      /^hf:\/\/datasets\/who\/what\/b\.csv: required data that can be fetched/,
    );
  });

  test("a hub that falls silent is asked again, for its list and for a file", async () => {
    vi.stubEnv("HF_ENDPOINT", base);
    const serve = hub({ "t.csv": csv });
    const silent = new Set(["/api/", "/datasets/"]);
    answer = (request, response) => {
      const known = [...silent].find((beginning) => request.url!.startsWith(beginning));
      if (known === undefined) return serve(request, response);
      silent.delete(known);
    };
    const options = { cache: temporaryFolder(), idleTimeout: 100 };
    expect((await openDataset("hf://datasets/who/what/t.csv", options)).count).toBe(3);
    expect(silent.size).toBe(0);
  });

  test("pictures in class folders keep their classes", async () => {
    vi.stubEnv("HF_ENDPOINT", base);
    answer = hub({ "train/cat/1.png": await solidPicture([1]), "train/dog/1.png": await solidPicture([2]) });
    const dataset = await openDataset("hf://datasets/who/what", { cache: temporaryFolder() });
    expect([dataset.count, dataset.classNames, [...dataset.labels!]]).toEqual([2, ["cat", "dog"], [0, 1]]);
  });
});

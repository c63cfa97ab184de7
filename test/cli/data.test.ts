import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { savedTransform } from "../../src/data/saved-transform.js";
import { solidPicture } from "../data/solid-picture.js";
import { RecordingStream } from "../support/recording-stream.js";
import { temporaryFolder } from "../support/temporary-folder.js";

async function run(...words: string[]) {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const signal = new AbortController().signal;
  const status = await runProgram(["data", ...words], { stdout, stderr, signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

test("shows pictures, draws them, and gives a record", async () => {
  const folder = temporaryFolder({
    "a/1.png": await solidPicture([10, 20, 30]),
    "b/2.png": await solidPicture([40, 50, 60]),
    "b/3.png": "rubbish",
  });
  const output = join(temporaryFolder(), "grid.png");
  const { status, stdout, stderr } = await run(folder, "--output", output);
  expect(status).toBe(0);
  for (const line of ["2 samples of 3x4x4", "sizes: 4x4 RGB (2)", "2 classes: a (1), b (1)", "no duplicates"]) {
    expect(stdout).toContain(line);
  }
  expect(stdout).toMatch(/b\/3\.png: .*\n.*suggested: --normalise 0\./s);
  expect(stderr).toContain("1 cannot be used");
  expect(existsSync(output)).toBe(true);
  expect(await run(folder, "--output", output)).toMatchObject({ status: 1, stdout: "" });
  const json = await run(folder, "--output", output, "--overwrite", "--json");
  const records = json.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records.at(-1)).toMatchObject({ type: "data", count: 2, unusableCount: 1, gridFile: output });
});

test("shows a table with its options; refuses what is none in one line", async () => {
  const folder = temporaryFolder({ "t.csv": "a,b,y\n1,x,0\n2,y,1\n3,x,0\n1,x,0\n" });
  const table = join(folder, "t.csv");
  const { status, stdout } = await run(table, "--labels", "y", "--columns", "b=drop", "--memory", "1GB");
  expect(status).toBe(0);
  expect(stdout).toContain("t.csv: table\n4 samples of 1\n");
  const drawn = await run(table, "--output", join(folder, "grid.png"));
  expect(drawn.stdout).toMatch(/note: there are no pictures to draw, so \S+grid\.png is not written\n/);
  expect(existsSync(join(folder, "grid.png"))).toBe(false);
  expect(stdout).toContain("2 classes: 0 (3), 1 (1)");
  expect(stdout).toContain("1 duplicate, such as samples 0 and 3");
  expect(stdout).toContain("note: b left out: as asked");
  expect(stdout).toContain("suggested: --normalise ");
  expect(await run(join(folder, "none.csv"))).toMatchObject({ status: 1, stdout: "" });
  expect(await run(table, "--memory", "much")).toMatchObject({ status: 2 });
  expect(await run(table, "--columns", "b=text")).toMatchObject({ status: 2 });
  expect(await run(table, "--label-column", "y")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("The nearest is --labels."),
  });
});

test("suggests no normalisation beside an earlier run's transform, which says it", async () => {
  const folder = temporaryFolder({ "t.csv": "a,b\n1,5\n2,7\n3,8\n" });
  const table = join(folder, "t.csv");
  const transform = join(folder, "transform.json");
  writeFileSync(transform, JSON.stringify(savedTransform((await openDataset(table, {})).record)));
  const { status, stdout } = await run(table, "--transform", transform);
  expect(status).toBe(0);
  expect(stdout).toContain("3 samples of 2\n");
  expect(stdout).not.toContain("suggested:");
});

test("shows pictures with transparency as they are, and leaves picture bombs out", async () => {
  const folder = temporaryFolder({
    "1.png": await solidPicture([10, 20, 30, 40]),
    "2.png": await solidPicture([10, 20, 30, 50]),
    "bomb.png": bomb(12_000),
  });
  const { status, stdout, stderr } = await run(folder, "--output", join(temporaryFolder(), "grid.png"));
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining("1 cannot be used") });
  expect(stdout).toContain("2 samples of 4x4x4");
  expect(stdout).toContain("sizes: 4x4 RGBA (2)\n");
  expect(stdout).toMatch(/alpha {2}numeric +45/);
  expect(stdout).toMatch(/bomb\.png: Input image exceeds pixel limit/);
});

test("says which options make pictures of several kinds fit", async () => {
  const [grey, colour, wide] = [
    await solidPicture([10]),
    await solidPicture([1, 2, 3]),
    await solidPicture([1, 2, 3], { width: 8 }),
  ];
  const needed = async (first: Buffer, second: Buffer) => {
    const folder = temporaryFolder({ "1.png": first, "2.png": second });
    const { stdout } = await run(folder, "--output", join(temporaryFolder(), "grid.png"));
    return /pass (.*) to init/.exec(stdout)?.[1];
  };
  expect(await needed(grey, colour)).toBe("--convert");
  expect(await needed(colour, wide)).toBe("--resize");
  expect(await needed(grey, wide)).toBe("--resize and --convert");
  expect(await needed(wide, wide)).toBeUndefined();
});

test("takes several files, and each part of the work shows its own progress up to the end", async () => {
  const folder = temporaryFolder({ "a.csv": "a,b\n1,2\n3,5\n", "b.csv": "a,b\n5,9\n" });
  const { status, stdout } = await run(join(folder, "a.csv"), join(folder, "b.csv"));
  expect(status).toBe(0);
  expect(stdout).toContain("3 samples of 2\n");
  // Each byte is read twice.
  expect(stdout).toContain(`reading data: 100%, ${2 * (12 + 8)}/${2 * (12 + 8)} read\n`);
  expect(Array.from(stdout.matchAll(/(\d+)%/g), ([, percent]) => Number(percent) <= 100)).not.toContain(false);
});

/** A PNG of so many zeros in each direction, which packs to nearly nothing. */
function bomb(side: number): Uint8Array {
  const chunk = (name: string, content: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(name), content]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(content.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  // One bit a pixel.
  head[8] = 1;
  const signature = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
  const pixels = deflateSync(new Uint8Array(side * (side / 8 + 1)));
  return Buffer.concat([
    Buffer.from(signature),
    chunk("IHDR", head),
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

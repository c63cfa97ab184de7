/**
 * Makes the pictures of demo-data from the four files of Fashion-MNIST: 10,000 for training and 2,000 for testing, as
 * many of each class. The same originals give the same
 * pictures in the same order, and the same bytes where zlib is the same.
 *
 * Usage: node scripts/make-demo-data.mjs [FOLDER-OF-FASHION-MNIST [FOLDER-TO-WRITE]]
 * The originals are in Debian's package dataset-fashion-mnist.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [from = "/usr/share/datasets/fashion-mnist", to = join(root, "demo-data")] = process.argv.slice(2);
const classes = 10;
const side = 28;

mkdirSync(to, { recursive: true });
sample("train", 1000);
sample("t10k", 200);

/** Draws so many pictures of each class and writes them in a random order. */
function sample(part, perClass) {
  const pictures = gunzipSync(readFileSync(join(from, `${part}-images-idx3-ubyte.gz`))).subarray(16);
  const labels = gunzipSync(readFileSync(join(from, `${part}-labels-idx1-ubyte.gz`))).subarray(8);
  const chosen = [];
  for (let label = 0; label < classes; label++) {
    const members = [...labels.keys()].filter((index) => labels[index] === label);
    chosen.push(...shuffled(members, `choice ${part}`).slice(0, perClass));
  }
  const order = shuffled(chosen, `order ${part}`);
  const size = side * side;
  write(
    `${part}-images-idx3-ubyte.gz`,
    [order.length, side, side],
    order.map((index) => pictures.subarray(index * size, (index + 1) * size)),
  );
  write(
    `${part}-labels-idx1-ubyte.gz`,
    [order.length],
    order.map((index) => labels.subarray(index, index + 1)),
  );
}

/** IDX: two zero bytes, 8 for unsigned bytes, the number of axes, each axis as 32 bits, then the bytes. */
function write(name, shape, pieces) {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.set([0, 0, 8, shape.length]);
  shape.forEach((size, axis) => {
    head.writeUInt32BE(size, 4 + 4 * axis);
  });
  // zlib's gzip header carries neither a time nor a file name.
  const packed = gzipSync(Buffer.concat([head, ...pieces]), { level: 9 });
  // The header's byte for the operating system is the only one that depends on the machine: 255 says unknown.
  packed[9] = 255;
  writeFileSync(join(to, name), packed);
  console.log(`${join(to, name)}: ${shape.join(" x ")}, ${packed.length} bytes`);
}

/** An order that looks random and is the same everywhere: by SHA-256 of each picture's place in the originals. */
function shuffled(indices, purpose) {
  const key = new Map(
    indices.map((index) => [index, createHash("sha256").update(`headstart demo ${purpose} ${index}`).digest("hex")]),
  );
  return indices.toSorted((first, second) => (key.get(first) < key.get(second) ? -1 : 1));
}

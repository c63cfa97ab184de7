import { KnownTexts } from "./table-block.js";

/** Texts known by their bytes, so that a text that has come before need not be made again. */
export class ByteDictionary {
  readonly known = new KnownTexts();
  /** Code + 1 by hash, open addressing. */
  #table = new Int32Array(16);
  #hashes = new Int32Array(16);
  #entries = 0;
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];
  readonly #codes: number[] = [];
  #bytes = new Uint8Array(64);
  #used = 0;

  /**
   * The place among the known texts of a part of some bytes.
   *
   * @param hash what {@link hashOf} gives for them
   */
  code(source: Uint8Array, from: number, to: number, hash = hashOf(source, from, to)): number {
    const mask = this.#table.length - 1;
    let place = (hash ^ (hash >>> 15)) & mask;
    for (let entry = this.#table[place]; entry !== 0; place = (place + 1) & mask, entry = this.#table[place]) {
      if (this.#hashes[place] === hash && this.#lengths[entry - 1] === to - from) {
        const start = this.#starts[entry - 1] - from;
        let at = from;
        while (at < to && source[at] === this.#bytes[start + at]) at++;
        if (at === to) return this.#codes[entry - 1];
      }
    }
    return this.#add(source, from, to, hash, place);
  }

  #add(source: Uint8Array, from: number, to: number, hash: number, place: number): number {
    const length = to - from;
    if (this.#used + length > this.#bytes.length) {
      const grown = new Uint8Array(2 * (this.#used + length));
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    this.#bytes.set(source.subarray(from, to), this.#used);
    this.#starts.push(this.#used);
    this.#lengths.push(length);
    this.#used += length;
    const code = this.known.code(textOf(source, from, to));
    this.#codes.push(code);
    this.#table[place] = ++this.#entries;
    this.#hashes[place] = hash;
    if (2 * this.#entries > this.#table.length) this.#grow();
    return code;
  }

  #grow(): void {
    const [table, hashes] = [this.#table, this.#hashes];
    this.#table = new Int32Array(2 * table.length);
    this.#hashes = new Int32Array(2 * table.length);
    const mask = this.#table.length - 1;
    for (let old = 0; old < table.length; old++) {
      if (table[old] === 0) continue;
      let place = (hashes[old] ^ (hashes[old] >>> 15)) & mask;
      while (this.#table[place] !== 0) place = (place + 1) & mask;
      this.#table[place] = table[old];
      this.#hashes[place] = hashes[old];
    }
  }
}

/** FNV-1a, without its first factor. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  return hash;
}

/** Text without the white space around it, of any alphabet. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from)
    .toString()
    .trim();
}

import { expect, test } from "vitest";
import { countOnes } from "../../src/data/count-ones.js";

test("ones are counted up to any bit", () => {
  const bytes = Uint8Array.of(0xff, 0b10110010, 0b00000101, 0xff);
  const bits = Array.from({ length: 24 }, (_, bit) => (bytes[1 + (bit >> 3)] >> (bit & 7)) & 1);
  for (let count = 0; count <= 24; count++) {
    expect(countOnes(bytes, 1, count), `${count}`).toBe(bits.slice(0, count).reduce((sum, bit) => sum + bit, 0));
  }
});

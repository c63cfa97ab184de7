const onesInByte = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let bits = byte; bits > 0; bits >>= 1) ones += bits & 1;
  return ones;
});

/** How many of some bits are ones, counted from the lowest bit of a byte on. */
export function countOnes(bytes: Uint8Array, start: number, count: number): number {
  let ones = 0;
  const whole = start + (count >> 3);
  for (let at = start; at < whole; at++) ones += onesInByte[bytes[at]];
  return (count & 7) === 0 ? ones : ones + onesInByte[bytes[whole] & ((1 << (count & 7)) - 1)];
}

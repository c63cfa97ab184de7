import { describe, expect, it } from "vitest";
import { type CorruptionContext, corrupt } from "../../src/training/corruption.js";
import { NormalPool } from "../../src/training/normal-pool.js";
import { normalTensor } from "../support/run-graph.js";

const pool = new NormalPool(0);

function context(batchSize: number, sampleSize: number, more: Partial<CorruptionContext> = {}): CorruptionContext {
  return { seed: 0, step: 0, batchSize, sampleSize, geometry: undefined, groups: [], pool, ...more };
}

function corrupted(
  kind: Parameters<typeof corrupt>[0],
  amount: number,
  batch: Float32Array,
  where: CorruptionContext,
): { target: Float32Array; swapped: Float32Array } {
  const target = new Float32Array(batch.length).fill(Number.NaN);
  const swapped = new Float32Array(batch.length).fill(Number.NaN);
  corrupt(kind, amount, batch, target, where, swapped);
  return { target, swapped };
}

const share = (values: Float32Array, test: (value: number, index: number) => boolean): number =>
  values.filter(test).length / values.length;

describe("corrupt", () => {
  const batch = normalTensor("batch", [50, 60]).data;
  const whole = context(50, 60);

  it("draws for another purpose by itself", () => {
    const drawn = (purpose?: string) =>
      corrupted("swapped-values", 0.3, batch, context(50, 60, purpose === undefined ? {} : { purpose })).swapped;
    expect(drawn("view/0")).not.toEqual(drawn());
    expect(drawn("view/0")).not.toEqual(drawn("view/1"));
    expect(drawn("view/0")).toEqual(drawn("view/0"));
  });

  it("none copies", () => {
    expect(corrupted("none", 0.5, batch, whole).target).toEqual(batch);
  });

  it("gaussian adds noise of the deviation", () => {
    const { target } = corrupted("gaussian", 0.3, batch, whole);
    const noise = target.map((value, index) => value - batch[index]);
    const deviation = Math.sqrt(noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length);
    expect(deviation).toBeGreaterThan(0.27);
    expect(deviation).toBeLessThan(0.33);
  });

  it("masked-pixels sets a share to 0 and leaves the rest", () => {
    const { target } = corrupted("masked-pixels", 0.25, batch, whole);
    expect(target.every((value, index) => value === 0 || value === batch[index])).toBe(true);
    const masked = share(target, (value) => value === 0);
    expect(masked).toBeGreaterThan(0.2);
    expect(masked).toBeLessThan(0.3);
  });

  it.each(["NCHW", "NHWC"] as const)("masks all channels of a pixel (%s)", (layout) => {
    const picture = { channels: 3, height: 4, width: 5, layout };
    const { target } = corrupted("masked-pixels", 0.5, batch, context(50, 60, { geometry: picture }));
    const at = (sample: number, channel: number, pixel: number): number =>
      target[sample * 60 + (layout === "NCHW" ? channel * 20 + pixel : pixel * 3 + channel)];
    let masked = 0;
    for (let sample = 0; sample < 50; sample++)
      for (let pixel = 0; pixel < 20; pixel++) {
        const zeros = [0, 1, 2].filter((channel) => at(sample, channel, pixel) === 0).length;
        expect([0, 3]).toContain(zeros);
        masked += zeros / 3;
      }
    expect(masked / 1000).toBeGreaterThan(0.4);
    expect(masked / 1000).toBeLessThan(0.6);
  });

  it("masked-patches masks whole squares", () => {
    const picture = { channels: 1, height: 16, width: 16, layout: "NCHW" as const };
    const pictures = normalTensor("pictures", [20, 256]).data;
    const { target } = corrupted("masked-patches", 0.5, pictures, context(20, 256, { geometry: picture }));
    for (let sample = 0; sample < 20; sample++)
      for (let patch = 0; patch < 64; patch++) {
        const corner = sample * 256 + Math.floor(patch / 8) * 32 + (patch % 8) * 2;
        const zeros = [0, 1, 16, 17].filter((offset) => target[corner + offset] === 0).length;
        expect([0, 4]).toContain(zeros);
      }
  });

  it("swapped-values takes values of the same column from another sample, and says where", () => {
    const { target, swapped } = corrupted("swapped-values", 0.3, batch, whole);
    const taken = share(swapped, (flag) => flag === 1);
    expect(taken).toBeGreaterThan(0.25);
    expect(taken).toBeLessThan(0.35);
    for (let index = 0; index < batch.length; index++) {
      if (swapped[index] === 0) expect(target[index]).toBe(batch[index]);
      else {
        expect(target[index]).not.toBe(batch[index]);
        const column = Array.from({ length: 50 }, (_, sample) => batch[sample * 60 + (index % 60)]);
        expect(column).toContain(target[index]);
      }
    }
  });

  it("swaps a one-hot group as one", () => {
    const groups = [{ start: 2, end: 5 }];
    const { target, swapped } = corrupted("swapped-values", 0.5, batch, context(50, 60, { groups }));
    for (let sample = 0; sample < 50; sample++) {
      const flags = [2, 3, 4].map((column) => swapped[sample * 60 + column]);
      expect(new Set(flags).size).toBe(1);
      const sources = [2, 3, 4].map((column) =>
        Array.from({ length: 50 }, (_, other) => other).find(
          (other) => batch[other * 60 + column] === target[sample * 60 + column],
        ),
      );
      expect(new Set(sources).size).toBe(1);
    }
  });

  it("shifted moves each picture by whole pixels and draws its edges out", () => {
    const picture = { channels: 3, height: 6, width: 10, layout: "NHWC" as const };
    const pictures = normalTensor("pictures", [40, 180]).data;
    // A sixth of six rows and of ten columns, rounded down: one pixel each way.
    const { target } = corrupted("shifted", 1 / 6, pictures, context(40, 180, { geometry: picture }));
    const clamped = (place: number, side: number): number => Math.min(Math.max(place, 0), side - 1);
    const shifts = Array.from({ length: 40 }, (_, sample) => {
      const moved = (down: number, right: number): number[] =>
        Array.from({ length: 180 }, (_, at) => {
          const [row, column] = [Math.floor(at / 30), Math.floor(at / 3) % 10];
          return pictures[sample * 180 + clamped(row - down, 6) * 30 + clamped(column - right, 10) * 3 + (at % 3)];
        });
      const own = target.subarray(sample * 180, (sample + 1) * 180).join();
      const candidates = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => [down, right] as const));
      return candidates.find(([down, right]) => moved(down, right).join() === own)?.join();
    });
    expect(shifts).not.toContain(undefined);
    expect(new Set(shifts).size).toBeGreaterThan(6);
  });

  it("shifted leaves what is no picture", () => {
    expect(corrupted("shifted", 0.5, batch, whole).target).toEqual(batch);
  });

  it.each(["gaussian", "masked-pixels", "masked-patches", "swapped-values"] as const)(
    "%s depends on seed and step alone",
    (kind) => {
      const once = corrupted(kind, 0.3, batch, whole).target;
      expect(corrupted(kind, 0.3, batch, whole).target).toEqual(once);
      expect(corrupted(kind, 0.3, batch, { ...whole, step: 1 }).target).not.toEqual(once);
    },
  );
});

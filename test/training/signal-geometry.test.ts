import { describe, expect, it } from "vitest";
import { pinnedOpset } from "../../src/graph/opset.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { unrollRecurrences } from "../../src/ops/unroll-recurrences.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { RandomStream } from "../../src/random/stream.js";
import { parseRecipe } from "../../src/recipe/recipe.js";
import type { PictureGeometry } from "../../src/training/picture-geometry.js";
import { drawView } from "../../src/training/picture-views.js";
import { signalGeometry, signalViews } from "../../src/training/signal-geometry.js";
import { toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const settings = parseRecipe({ contrast: { weight: 1, zoom: "auto", colour: 0.3 } }, "test").contrast;

describe("signalGeometry", () => {
  it("takes a signal for a picture of one row", () => {
    const network = toyNetwork({ template: "cnn1d", inputShape: [3, 20], widths: [4] });
    expect(signalGeometry(network)).toEqual({ channels: 3, height: 1, width: 20, layout: "NCHW" });
  });

  it("knows the positions of a recurrent layer's sequences", () => {
    const net = new TestNetwork();
    const sequence = net.node("Transpose", ["x"], { perm: [1, 0, 2] });
    const weights = [net.weight("w", [1, 6, 3]), net.weight("r", [1, 6, 2])];
    const states = net.node("GRU", [sequence, ...weights], { hidden_size: 2 });
    const { graph, layers } = unrollRecurrences(net.graph([4, 3], [states]), pinnedOpset, { where: "net" });
    const network = analyzeNetwork(upgradeGraph(graph, pinnedOpset), { where: "net", unrolled: layers });
    expect(signalGeometry(network)).toEqual({ channels: 3, height: 1, width: 4, layout: "NHWC" });
  });

  it("knows none where no layer minds the order of the positions, and none of pictures and vectors", () => {
    expect(
      signalGeometry(toyNetwork({ template: "cnn1d", inputShape: [3, 20], widths: [4], kernel: 1 })),
    ).toBeUndefined();
    expect(signalGeometry(toyNetwork({ template: "mlp", inputShape: [3, 20], widths: [4] }))).toBeUndefined();
    expect(signalGeometry(toyNetwork({ template: "mlp", inputShape: [20], widths: [4] }))).toBeUndefined();
    expect(signalGeometry(toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4] }))).toBeUndefined();
  });
});

describe("signalViews", () => {
  const length = 40;
  const ramp = (channels: number, layout: "NCHW" | "NHWC"): Float32Array =>
    Float32Array.from({ length: channels * length }, (_, place) => {
      const [channel, position] =
        layout === "NCHW"
          ? [Math.floor(place / length), place % length]
          : [place % channels, Math.floor(place / channels)];
      return position + 100 * channel;
    });
  const viewOf = (channels: number, layout: "NCHW" | "NHWC", seed: number): number[][] => {
    const signal: PictureGeometry = { channels, height: 1, width: length, layout };
    const target = new Float32Array(channels * length);
    drawView(ramp(channels, layout), target, 1, signal, signalViews(settings, signal), new RandomStream(seed, "view"));
    return Array.from({ length: channels }, (_, channel) =>
      Array.from(
        { length },
        (__, position) => target[layout === "NCHW" ? channel * length + position : position * channels + channel],
      ),
    );
  };
  const seeds = [0, 1, 2, 3, 4, 5, 6, 7];

  it("keeps time's direction, and shows all channels at the same positions", () => {
    for (const layout of ["NCHW", "NHWC"] as const) {
      for (const seed of seeds) {
        const view = viewOf(3, layout, seed);
        for (const values of view) {
          for (let position = 1; position < length; position++)
            expect(values[position]).toBeGreaterThanOrEqual(values[position - 1]);
          expect(values[length - 1]).toBeGreaterThan(values[0]);
        }
        // Each channel has a size and a level of its own, but its course is that of the others.
        const courses = view.map((values) =>
          values.map((value) => (value - values[0]) / (values[length - 1] - values[0])),
        );
        for (const course of courses)
          course.forEach((value, position) => {
            expect(value).toBeCloseTo(courses[0][position], 4);
          });
      }
    }
  });

  it("gives each of several channels another size, and magnifies signals of one channel, too", () => {
    const sizeOfChannel = (values: readonly number[]): number => values[length - 1] - values[0];
    const [first, second] = viewOf(2, "NCHW", 0).map(sizeOfChannel);
    expect(Math.abs(first / second - 1)).toBeGreaterThan(0.01);
    expect(signalViews(settings, { channels: 1, height: 1, width: length, layout: "NCHW" })).toMatchObject({
      zoom: 0.5,
      flip: false,
      jitter: 0.4,
    });
    expect(signalViews(settings, { channels: 2, height: 1, width: length, layout: "NCHW" }).jitter).toBe(0);
    const fixed = { ...settings, zoom: 0.2 };
    expect(signalViews(fixed, { channels: 1, height: 1, width: length, layout: "NCHW" }).zoom).toBe(0.2);
  });
});

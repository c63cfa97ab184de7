import { expect, test } from "vitest";
import { loadingLimits } from "../../src/formats/keras-loading.js";

const layer = (className: string, settings: object, name = "it"): object => ({
  class_name: className,
  config: { name, trainable: true, dtype: "float32", ...settings },
  name,
});
const model = (...layers: object[]): object => ({ class_name: "Functional", config: { name: "m", layers } });

test.each([
  ["Attention", layer("Attention", { score_mode: "dot" })],
  ["x + y", { class_name: "Add", config: { name: "it" }, name: "it" }],
  ["x[:, 0]", { class_name: "GetItem", config: { name: "it" }, name: "it" }],
  ["statistics of all there is", layer("Normalization", { axis: null, mean: null })],
  ["statistics of two axes", layer("Normalization", { axis: [1, 2], mean: null })],
])("Keras does not load a whole .h5 file with %s, in a model inside too", (_, culprit) => {
  const around = layer("TimeDistributed", { layer: model(layer("Dense", {}, "fine"), culprit) }, "around");
  for (const config of [model(culprit), model(model(culprit)), model(around)]) {
    expect(loadingLimits(config, true)).toEqual({ notWhole: "it" });
    expect(loadingLimits(config, false)).toEqual({});
  }
});

test("Keras loads other layers", () => {
  const fine = [
    { class_name: "InputLayer", config: { name: "i" }, name: "i" },
    { class_name: "SpatialDropout2D", config: { name: "d", rate: 0.5, dtype: "float32" }, name: "d" },
    layer("Add", {}),
    layer("AdditiveAttention", {}),
    layer("PReLU", {}),
    layer("Normalization", { axis: [1], mean: null }),
    layer("Normalization", { axis: -1, mean: null }),
    layer("Normalization", { axis: null, mean: 0.5 }),
  ];
  expect(loadingLimits(model(...fine, model(...fine)), true)).toEqual({});
});

test("a PReLU as an activation has weights only after a call, whatever the file", () => {
  const config = model(layer("Dense", { activation: layer("PReLU", {}, "slopes") }));
  expect(loadingLimits(config, true)).toEqual({ afterCall: "slopes" });
  expect(loadingLimits(config, false)).toEqual({ afterCall: "slopes" });
});

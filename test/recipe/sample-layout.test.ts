import { expect, it } from "vitest";
import { sampleLayout } from "../../src/recipe/sample-layout.js";
import { TestNetwork } from "../support/write-network.js";

const layoutOf = (shape: readonly number[], body: (net: TestNetwork) => string) => {
  const net = new TestNetwork();
  return sampleLayout(net.build(shape, body(net)));
};
const exchanged = { perm: [0, 2, 1] };
/** As layers that have the positions first, and the batch second, see a batch. */
const positionsFirst = { perm: [1, 0, 2] };
const convolution = (net: TestNetwork, x: string) => net.node("Conv", [x, net.weight("w", [4, 3, 3])]);
const matrix = (net: TestNetwork, x: string) => net.node("MatMul", [x, net.weight("w", [3, 4])]);

it.each<readonly [string, string | undefined, readonly number[], (net: TestNetwork) => string]>([
  ["a convolution", "NCHW", [3, 8], (net) => convolution(net, "x")],
  [
    "a convolution behind a transposition",
    "NHWC",
    [8, 3],
    (net) => convolution(net, net.node("Transpose", ["x"], exchanged)),
  ],
  ["a matrix at every position", "NHWC", [8, 3], (net) => matrix(net, "x")],
  [
    "one behind a transposition and a shift",
    "NCHW",
    [3, 8],
    (net) => matrix(net, net.node("Transpose", [net.node("Add", ["x", net.number(1)])], exchanged)),
  ],
  [
    "nothing but an exchange of batch and positions",
    undefined,
    [8, 3],
    (net) => net.node("Transpose", ["x"], positionsFirst),
  ],
  ["a matrix behind it", "NHWC", [8, 3], (net) => matrix(net, net.node("Transpose", ["x"], positionsFirst))],
  [
    "a matrix behind two transpositions",
    "NCHW",
    [3, 8],
    (net) => matrix(net, net.node("Transpose", [net.node("Transpose", ["x"], exchanged)], positionsFirst)),
  ],
  [
    "a convolution over the batch",
    undefined,
    [8, 3],
    (net) => convolution(net, net.node("Transpose", ["x"], positionsFirst)),
  ],
  [
    "all of the sample at once",
    undefined,
    [8, 3],
    (net) => net.node("Gemm", [net.node("Flatten", ["x"]), net.weight("w", [24, 4])]),
  ],
  ["a picture of six channels", "NCHW", [6, 8, 1], (net) => net.node("Conv", ["x", net.weight("w", [4, 6, 3, 1])])],
  [
    "a picture with its channels last",
    "NHWC",
    [1, 8, 6],
    (net) => net.node("Conv", [net.node("Transpose", ["x"], { perm: [0, 3, 1, 2] }), net.weight("w", [4, 6, 1, 3])]),
  ],
  [
    "a picture with its channels in the middle",
    undefined,
    [8, 6, 9],
    (net) => net.node("Conv", [net.node("Transpose", ["x"], { perm: [0, 2, 1, 3] }), net.weight("w", [4, 6, 3, 3])]),
  ],
  ["a picture's rows, by a matrix", undefined, [3, 8, 8], (net) => net.node("MatMul", ["x", net.weight("w", [8, 4])])],
  ["a vector", undefined, [8], (net) => net.node("Gemm", ["x", net.weight("w", [8, 4])])],
])("by what reads the sample first: %s", (_, layout, shape, body) => {
  expect(layoutOf(shape, body)).toBe(layout);
});

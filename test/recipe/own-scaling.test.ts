import { expect, it } from "vitest";
import { ownScalingNote, readingFor } from "../../src/library/reading-for.js";
import { ownScaling } from "../../src/recipe/own-scaling.js";
import { TestNetwork } from "../support/write-network.js";

const pictures = [3, 8, 8] as const;
const network = (shape: readonly number[], front: (net: TestNetwork, x: string) => string) => {
  const net = new TestNetwork();
  const scaled = front(net, "x");
  const layer =
    shape.length === 3
      ? net.node("Conv", [scaled, net.weight("w", [4, 3, 3, 3])])
      : net.node("MatMul", [scaled, net.weight("w", [shape[0], 4])]);
  return net.build(shape, layer);
};

it.each<
  readonly [string, readonly number[], (net: TestNetwork, x: string) => string, [number, number] | undefined, unknown]
>([
  ["nothing", pictures, (_, x) => x, undefined, { layout: "NCHW" }],
  ["x / 255", pictures, (net, x) => net.node("Div", [x, net.number(255)]), [1 / 255, 0], { normalise: "none" }],
  [
    "x / 127.5 − 1 behind a transposition",
    pictures,
    (net, x) => {
      const first = net.node("Transpose", [net.node("Transpose", [x], { perm: [0, 2, 3, 1] })], { perm: [0, 3, 1, 2] });
      return net.node("Sub", [net.node("Div", [first, net.number(127.5)]), net.number(1)]);
    },
    [1 / 127.5, -1],
    { normalise: "none" },
  ],
  ["x − 110", pictures, (net, x) => net.node("Sub", [x, net.number(110)]), [1, -110], { normalise: "none" }],
  [
    "(x − 0.5) / 0.25, which pictures from 0 to 1 are for",
    pictures,
    (net, x) => net.node("Div", [net.node("Sub", [x, net.number(0.5)]), net.number(0.25)]),
    [4, -2],
    { normalise: "unit" },
  ],
  ["1 − x", pictures, (net, x) => net.node("Sub", [net.number(1), x]), [-1, 1], { normalise: "unit" }],
  ["2 x of a table's columns", [5], (net, x) => net.node("Mul", [x, net.number(2)]), [2, 0], { normalise: "none" }],
  ["a learned shift", pictures, (net, x) => net.node("Add", [x, net.weight("b", [3, 1, 1])]), undefined, {}],
  [
    "an encoding of positions",
    pictures,
    (net, x) => net.node("Add", [x, net.filled("positions", [1, 8, 8], 2)]),
    undefined,
    {},
  ],
  ["1 / x", pictures, (net, x) => net.node("Div", [net.number(1), x]), undefined, {}],
])("%s in front of the first layer", (_, shape, front, wanted, reading) => {
  const found = ownScaling(network(shape, front));
  expect(found === undefined ? undefined : [found.scale, found.offset]).toEqual(
    wanted?.map((number) => expect.closeTo(number, 5)),
  );
  expect(readingFor(network(shape, front))).toMatchObject(reading as object);
  expect("normalise" in readingFor(network(shape, front))).toBe(wanted !== undefined);
});

it("says what the network does, and how it is met", () => {
  const own = network(pictures, (net, x) => net.node("Div", [x, net.number(255)]));
  expect(ownScalingNote(own, undefined)).toMatch(/x · 0\.00392 \+ 0\.00.*--normalise none/);
  expect(ownScalingNote(own, "standard")).toMatch(/after the normalisation that was asked for/);
  expect(
    ownScalingNote(
      network(pictures, (_, x) => x),
      undefined,
    ),
  ).toBeUndefined();
});

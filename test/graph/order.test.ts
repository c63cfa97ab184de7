import { describe, expect, it } from "vitest";
import type { Node } from "../../src/graph/graph.js";
import { inComputationOrder } from "../../src/graph/order.js";

const node = (output: string, ...inputs: string[]): Node => ({
  op: "Sum",
  domain: "",
  name: "",
  inputs,
  outputs: [output, ""],
  attributes: {},
});
const isGiven = (name: string): boolean => name === "x" || name === "w";
const orderOf = (...nodes: Node[]): string =>
  inComputationOrder(nodes, isGiven)
    .map(({ outputs: [name] }) => name)
    .join(" ");

describe("inComputationOrder", () => {
  it("leaves nodes as they are that are in order", () => {
    expect(orderOf(node("c", "x", ""), node("a", "x"), node("b", "c", "a", "w"))).toBe("c a b");
  });

  it("moves forward what is needed before it comes", () => {
    expect(orderOf(node("d", "c", "b"), node("a", "x"), node("c", "b", "a"), node("b", "a"))).toBe("a b c d");
  });

  it("looks for no node where a name is given", () => {
    expect(orderOf(node("a", "w"), node("w", "x"))).toBe("a w");
  });

  it("keeps all nodes of a cycle", () => {
    expect(orderOf(node("a", "b"), node("b", "a"), node("c", "x")).split(" ").sort()).toEqual(["a", "b", "c"]);
    expect(orderOf(node("a", "a"))).toBe("a");
  });

  it("takes any number of inputs", () => {
    const many = Array.from({ length: 50_000 }, (_, index) => node(`n${index}`, "x"));
    const join = node("join", ...many.map(({ outputs }) => outputs[0]));
    expect(inComputationOrder([join, ...many], isGiven)).toEqual([...many, join]);
  });

  it("takes chains of any length", () => {
    const length = 50_000;
    const chain = Array.from({ length }, (_, index) => node(`n${index}`, `n${index + 1}`));
    expect(inComputationOrder(chain, isGiven)[0]).toBe(chain[length - 1]);
  });
});

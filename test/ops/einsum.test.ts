import { describe, expect, it } from "vitest";
import { attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

function graphOf(equation: string, inputs: Readonly<Record<string, Tensor>>): Graph {
  const node: Node = {
    op: "Einsum",
    domain: "",
    name: "sum",
    inputs: Object.keys(inputs),
    outputs: ["y"],
    attributes: { equation: attribute.string(equation) },
  };
  return {
    name: "test",
    inputs: Object.entries(inputs).map(([name, { type, shape }]) => ({ name, type, shape })),
    outputs: [{ name: "y", type: "float32", shape: null }],
    initializers: new Map(),
    nodes: [node],
  };
}

async function run(graph: Graph, inputs: Record<string, Tensor>): Promise<Tensor> {
  const session = await openSession(graph, { threads: 1 });
  try {
    return (await session.run(inputs)).y;
  } finally {
    await session.release();
  }
}

const sizes: Readonly<Record<string, number>> = { b: 2, h: 3, n: 4, m: 5, d: 6, e: 7 };

describe("einsumAsProduct", () => {
  it.each([
    "bnd,bmd->bnm",
    "bnm,bmd->bnd",
    "bhnd,bhmd->bhnm",
    "bnhd,bmhd->bhnm",
    "bnd,de->bne",
    "bnhd, hde -> bnhe",
    "de,bnd->enb",
    "nd,d->n",
    "d,dn->n",
    "bnd,bd->bn",
    "bd,bd->b",
    "bnh->hbn",
    "bhnd,hde->bne",
    "bhdnm,hme->bdne",
    "bhnd,bmhd->bnm",
    "hde,bhnd->ben",
    "bnd,bnd->b",
    "nd,nd->",
    "bnd,dn->b",
    "nd,bndm->mb",
    "...nhd,...mhd->...hnm",
    "...hnm,...mhd->...nhd",
    "...d,de->...e",
  ])("%s as ONNX Runtime computes it", async (equation) => {
    const operands = equation.replace(/\s/g, "").split("->")[0].split(",");
    const inputs = Object.fromEntries(
      operands.map((labels, index) => [
        `x${index}`,
        normalTensor(
          labels,
          // An ellipsis stands for two axes here.
          [...labels.replace("...", "be")].map((label) => sizes[label]),
        ),
      ]),
    );
    const graph = graphOf(equation, inputs);
    const upgraded = upgradeGraph(graph, 17);
    expect(upgraded.nodes.map(({ op }) => op)).not.toContain("Einsum");
    const [expected, found] = [await run(graph, inputs), await run(upgraded, inputs)];
    expect(found.shape).toEqual(expected.shape);
    const wanted = numbersOf(expected);
    numbersOf(found).forEach((value, place) => {
      expect(value).toBeCloseTo(wanted[place], 4);
    });
  });

  it.each([
    "...nd,...dm->...nm",
    "d...,de->e...",
    "bd,be->deb",
    "bhnd,hdme->bnme",
    "nn->n",
    "bnm,bde->bnmde",
    "b,b,b->b",
    "bn->b",
    "bd,de",
  ])("leaves %s", (equation) => {
    const count = equation.split(",").length;
    const inputs = Object.fromEntries(["x0", "x1", "x2"].slice(0, count).map((name) => [name, normalTensor("x", [1])]));
    const graph = graphOf(equation, inputs);
    expect(upgradeGraph(graph, 17).nodes).toEqual(graph.nodes);
  });
});

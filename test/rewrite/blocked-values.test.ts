import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { filterGradient } from "../../src/ops/filter-gradient.js";
import { batchNormalizationTraining } from "../../src/ops/normalizations.js";
import { blockedConvolutions } from "../../src/rewrite/blocked-convolutions.js";
import { blockedValues } from "../../src/rewrite/blocked-values.js";
import { cheapMasks } from "../../src/rewrite/cheap-masks.js";
import { type NodeRule, rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { channelBlock } from "../../src/runtime/channel-block.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

/** What ONNX Runtime's channels lie in here; a machine without the layout has nothing to test. */
const block = await channelBlock();

/** Whole blocks of channels, and a block that is filled up. */
describe.skipIf(block === undefined).each([2, 1.5].map((blocks) => blocks * (block ?? 16)))(
  "values of %i channels between convolutions",
  (channels) => {
    const fillsBlocks = channels % (block ?? 16) === 0;
    const shapes = {
      x: [2, channels, 6, 5],
      w: [channels, channels, 3, 3],
      v: [channels, channels, 1, 1],
      plain: [2, channels, 6, 5],
      scale: [channels],
    };
    type Operands = Record<keyof typeof shapes, Value> & { emit: Emitter };

    /** A graph of what stands between two convolutions, plain and rewritten. */
    function graphsOf(between: (y: Value, operands: Operands) => Value | Record<string, Value>): [Graph, Graph] {
      const emit = new Emitter();
      const values = Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [name, emit.input(name, "float32", shape)]),
      ) as Record<keyof typeof shapes, Value>;
      const y = emit.convolution(values.x, values.w, undefined, { pads: [1, 1, 1, 1] });
      const results = between(y, { ...values, emit });
      if ("name" in results && typeof results.name === "string")
        emit.output("y", emit.convolution(results as Value, values.v, undefined));
      else for (const [name, value] of Object.entries(results)) emit.output(name, value as Value);
      const graph = emit.build("plain");
      const passes = rule(cheapMasks(0), blockedConvolutions(block ?? 16, 0), blockedValues(block ?? 16));
      return [graph, rewriteGraph(graph, passes)];
    }

    function rule(...passes: readonly NodeRule[]): NodeRule {
      return (...node) => {
        for (const pass of passes) {
          const found = pass(...node);
          if (found) return found;
        }
        return undefined;
      };
    }

    const reorders = (graph: Graph) => graph.nodes.filter(({ op }) => /^Reorder/.test(op)).map(({ op }) => op);

    async function expectSame([graph, rewritten]: [Graph, Graph]): Promise<void> {
      const feeds = Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [name, normalTensor(name, shape, 0.3)]),
      );
      const [expected, actual] = await Promise.all([graph, rewritten].map((each) => runOnce(each, feeds)));
      for (const [name, { shape, data }] of Object.entries(expected)) {
        expect(actual[name].shape).toEqual(shape);
        const [before, after] = [data as Float32Array, actual[name].data as Float32Array];
        const size = before.reduce((largest, number) => Math.max(largest, Math.abs(number)), 0);
        before.forEach((number, index) => {
          expect(Math.abs(after[index] - number)).toBeLessThanOrEqual(1e-5 * size);
        });
      }
    }

    const perChannel = ({ emit, scale }: Operands) => emit.reshape(scale, [channels, 1, 1]);

    const cases: [string, (y: Value, operands: Operands) => Value, number][] = [
      ["Relu", (y, { emit }) => emit.relu(y), 0],
      ["Relu that others read too", (y, { emit }) => emit.add(emit.relu(y), y), 0],
      ["LeakyRelu", (y, { emit }) => emit.one("LeakyRelu", [y], { alpha: attribute.float(0.2) }), 0],
      ["a mask", (y, { emit }) => emit.multiply(y, emit.indicator(emit.greater(y, emit.scalar(0)))), 0],
      [
        "a mask of two slopes",
        (y, { emit }) =>
          emit.multiply(y, emit.where(emit.greater(y, emit.scalar(0)), emit.scalar(1), emit.scalar(0.2))),
        0,
      ],
      ["two values", (y, { emit }) => emit.subtract(emit.square(y), emit.tanh(y)), 0],
      ["a number", (y, { emit }) => emit.add(emit.scale(y, 3), emit.constant(floatTensor([2], [1, 1, 1, 1]))), 0],
      ["a number a channel, times", (y, operands) => operands.emit.multiply(perChannel(operands), y), 0],
      ["a number a channel, plus", (y, operands) => operands.emit.add(y, perChannel(operands)), 0],
      [
        "a number a channel, taken away, and times another",
        (y, operands) => operands.emit.multiply(operands.emit.subtract(y, perChannel(operands)), perChannel(operands)),
        0,
      ],
      ["a number a channel, from which it is taken", (y, o) => o.emit.subtract(perChannel(o), y), 2],
      [
        "a number a channel of each sample, everywhere",
        (y, { emit }) => emit.multiply(y, emit.expand(emit.reduceMean(y, [2, 3], true), y.shape)),
        // A block that is filled up is not spread.
        fillsBlocks ? 1 : 2,
      ],
      ["a value that is not in blocks", (y, { emit, plain }) => emit.add(y, plain), 2],
      [
        "another shape and back",
        (y, { emit }) => emit.reshape(emit.relu(emit.reshape(y, [2, channels, 30])), y.shape),
        0,
      ],
      [
        "normalization by the batch",
        (y, { emit, scale }) => batchNormalizationTraining(emit, y, scale, scale, scale, scale).output,
        0,
      ],
    ];
    it.each(cases)("%s", async (_, between, between2) => {
      const graphs = graphsOf(between);
      // One at the begin, one at the end, two for the weights, and those between.
      expect(reorders(graphs[1]).length).toBe(4 + between2);
      await expectSame(graphs);
    });

    const convolutions = (graph: Graph) => graph.nodes.filter(({ op }) => op === "Conv");

    it("numbers a channel one after another are one pass", async () => {
      const graphs = graphsOf((y, operands) => {
        const { emit } = operands;
        const shifted = emit.add(emit.multiply(y, perChannel(operands)), perChannel(operands));
        return emit.subtract(emit.multiply(shifted, perChannel(operands)), perChannel(operands));
      });
      await expectSame(graphs);
      expect(convolutions(graphs[1])).toHaveLength(3);
    });

    it("normalization by the batch reads the difference that its variance is computed of", async () => {
      const graphs = graphsOf((y, { emit, scale }) => {
        const { output, runningVariance } = batchNormalizationTraining(emit, y, scale, scale, scale, scale);
        return { output, runningVariance };
      });
      await expectSame(graphs);
      // The convolution, the difference, sums of squares, the result.
      const [first, difference, , result] = convolutions(graphs[1]);
      expect(difference.inputs[0]).toBe(first.outputs[0]);
      expect(result.inputs[0]).toBe(difference.outputs[0]);
    });

    it("sums of a convolution and what nobody else reads are a part of it", async () => {
      const graphs = graphsOf((y, operands) => {
        const { emit } = operands;
        return emit.add(emit.multiply(emit.tanh(y), perChannel(operands)), emit.sigmoid(y));
      });
      await expectSame(graphs);
      expect(convolutions(graphs[1])[1].inputs).toHaveLength(4);
      expect(graphs[1].nodes.some(({ op }) => op === "Add")).toBe(false);
      const both = graphsOf((y, { emit }) => emit.add(emit.tanh(y), emit.relu(emit.add(emit.tanh(y), y))));
      await expectSame(both);
      expect(both[1].nodes.filter(({ op }) => op === "Add")).toHaveLength(2);
    });

    it("Relu makes a sum a convolution, where one of its operands may be overwritten", async () => {
      const graphs = graphsOf((y, { emit }) => emit.relu(emit.add(emit.tanh(y), y)));
      await expectSame(graphs);
      expect(graphs[1].nodes.some(({ op }) => op === "Relu" || op === "Add")).toBe(false);
    });

    it.each(["ReduceSum", "ReduceMean"])("%s of products computes those as it goes", async (op) => {
      const graphs = graphsOf((y, { emit }) => ({
        products: emit.one(op, [emit.multiply(emit.tanh(y), emit.sigmoid(y)), emit.ints([0, 2, 3])]),
        squares: emit.one(op, [emit.square(emit.tanh(y)), emit.ints([0, 2, 3])]),
      }));
      await expectSame(graphs);
      expect(graphs[1].nodes.some(({ op: each }) => each === "Mul" && op === "ReduceSum")).toBe(false);
      expect(convolutions(graphs[1])).toHaveLength(3);
    });

    it("long sums of products are made row by row", async () => {
      const long = (emit: Emitter): void => {
        const x = emit.input("x", "float32", [1, 16, 70, 61]);
        const v = emit.input("v", "float32", [16, 16, 1, 1]);
        const y = emit.convolution(x, v, undefined);
        emit.output("y", emit.reduceMean(emit.square(y), [0, 2, 3]));
      };
      const emit = new Emitter();
      long(emit);
      const graph = emit.build("plain");
      const rewritten = rewriteGraph(graph, rule(blockedConvolutions(block ?? 16, 0), blockedValues(block ?? 16)));
      expect(convolutions(rewritten)[1].attributes.group).toEqual(attribute.int(16 * 70));
      const feeds = { x: normalTensor("x", [1, 16, 70, 61]), v: normalTensor("v", [16, 16, 1, 1]) };
      const [expected, actual] = await Promise.all([graph, rewritten].map((each) => runOnce(each, feeds)));
      (expected.y.data as Float32Array).forEach((number, index) => {
        expect((actual.y.data as Float32Array)[index]).toBeCloseTo(number, 3);
      });
    });

    it.each([
      ["Relu", {}],
      ["LeakyRelu", { alpha: attribute.float(0.2) }],
      ["LeakyRelu", {}],
      ["Sigmoid", {}],
      ["Tanh", {}],
    ])("%s becomes a part of the convolution that only it reads", async (activation, attributes) => {
      const graphs = graphsOf((y, { emit }) => emit.one(activation, [y], attributes));
      expect(graphs[1].nodes.some(({ op }) => op === activation)).toBe(false);
      await expectSame(graphs);
      const [, beside] = graphsOf((y, { emit }) => emit.add(emit.one(activation, [y], attributes), y));
      expect(beside.nodes.filter(({ op }) => op === activation || op === "Conv")).toHaveLength(3);
    });

    it.each([
      ["ReduceSum", 0],
      ["ReduceSum", 1],
      ["ReduceMean", 1],
    ])("%s over all but channels, keepdims %i", async (op, keepdims) => {
      const graphs = graphsOf((y, { emit }) => ({
        sums: emit.one(op, [y, emit.ints([0, 2, 3])], { keepdims: attribute.int(keepdims) }),
        rest: emit.one(op, [y, emit.ints([2, 3])], { keepdims: attribute.int(keepdims) }),
      }));
      await expectSame(graphs);
      const [, rewritten] = graphsOf((y, { emit }) => ({ sums: emit.reduceSum(y, [0, 2, 3]) }));
      expect(reorders(rewritten)).toEqual(["ReorderInput", "ReorderInput"]);
    });

    it("a depthwise filter's gradient reads blocks as they are", async () => {
      const windows = [6, 5].map((input) => ({
        input,
        kernel: 3,
        stride: 1,
        dilation: 1,
        begin: 1,
        end: 1,
        output: input,
      }));
      const graphs = graphsOf((y, { emit }) => ({
        gradient: filterGradient(emit, emit.relu(y), emit.tanh(y), windows, channels),
      }));
      await expectSame(graphs);
      // Samples and channels are one axis there, so that all blocks must be whole.
      if (fillsBlocks) expect(reorders(graphs[1])).toEqual(["ReorderInput", "ReorderInput", "ReorderOutput"]);
    });
  },
);

/** Puts one of ONNX's own tests through headstart: shapes, results, folding, gradients, mirror. */
import { gradients } from "../../src/autodiff/gradients.js";
import { UserError } from "../../src/errors.js";
import type { Value } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { type DataType, dataTypes, floatTensor, isFloating, type Tensor } from "../../src/graph/tensor.js";
import { mirror } from "../../src/mirror/mirror.js";
import { Emitter } from "../../src/ops/emitter.js";
import { type Instance, instantiate, singlePrecision } from "../../src/ops/instantiate.js";
import { type Network, storedTensors } from "../../src/ops/network.js";
import { RandomStream } from "../../src/random/stream.js";
import { checkGradients } from "../support/check-gradients.js";
import { startValue } from "../support/mirror-network.js";
import { runGraph } from "../support/run-graph.js";
import type { Tolerance } from "./backend-tests.js";

/** A graph of the pinned opset and what its inputs are, in the type in which headstart computes. */
export interface Task {
  readonly graph: Graph;
  /** Every input that has a value, in the graph's order. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** The inputs that are values of the emitted graph; the others (shapes, axes, ...) are constants of it. */
  readonly fed: readonly string[];
}

/** A task with every input fed but those that must be known while building. Throws what is wrong with the graph. */
export function taskOf(graph: Graph, tensors: readonly Tensor[]): Task {
  const names = graph.inputs.filter(({ name }) => !graph.initializers.has(name)).map(({ name }) => name);
  if (names.length !== tensors.length) throw new Error(`${names.length} inputs, ${tensors.length} values`);
  const inputs = new Map(names.map((name, position) => [name, singlePrecision(tensors[position])]));
  let fed = names;
  for (;;) {
    try {
      emit({ graph, inputs, fed });
      return { graph, inputs, fed };
    } catch (error) {
      const wanted = /\((.+?)\) must be a constant/.exec(String(error))?.[1];
      if (wanted === undefined || fed.length === 0) throw error;
      // Where a shape is computed, all whole numbers are taken as known, then everything.
      const integers = fed.filter((name) => !isFloating(inputs.get(name)!.type));
      const known = fed.includes(wanted) ? [wanted] : integers.length > 0 ? integers : fed;
      fed = fed.filter((name) => !known.includes(name));
    }
  }
}

/** The first fed input that gradients can flow to stands for the sample; weights and the like are parameters. */
function emit(task: Task, emitter = new Emitter(), given?: Readonly<Record<string, Value>>): Instance {
  const { graph, inputs, fed } = task;
  const values =
    given ??
    Object.fromEntries(
      fed.map((name) => [name, emitter.input(name, inputs.get(name)!.type, inputs.get(name)!.shape)] as const),
    );
  const sample = sampleOf(task);
  const tensors = new Map([...storedTensors(graph), ...inputs]);
  const parameters = fed
    .filter((name) => name !== sample)
    .map((name) => [name, { name, shape: inputs.get(name)!.shape, role: "weight" }] as const);
  const network: Network = {
    where: "test",
    graph,
    input: { name: sample ?? "no input", type: "float32", shape: null },
    fixedBatch: undefined,
    sampleShape: [],
    beginsInside: false,
    vocabulary: undefined,
    parameters: new Map(parameters),
    tensors,
    layers: [],
    producers: new Map(),
    consumers: new Map(),
    unrolled: new Map(),
    obstacles: new Map(),
    constants: new Set(),
  };
  return instantiate({
    emit: emitter,
    network,
    input: sample === undefined ? emitter.scalar(0) : values[sample],
    targets: graph.outputs.map(({ name }) => name),
    parameter: (name) => values[name],
    normalization: "running",
  });
}

function sampleOf({ inputs, fed }: Task): string | undefined {
  return fed.find((name) => isFloating(inputs.get(name)!.type)) ?? fed[0];
}

function fedTensors({ inputs, fed }: Task): Record<string, Tensor> {
  return Object.fromEntries(fed.map((name) => [name, inputs.get(name)!]));
}

/** Element types of which ONNX Runtime's binding for Node gives tensors. */
const handedOver: ReadonlySet<DataType> = new Set(
  dataTypes.slice(dataTypes.indexOf("float32"), dataTypes.indexOf("uint64") + 1),
);

/** Throws where types, shapes or results are not those that the test expects. */
export async function expectResults(task: Task, expected: readonly Tensor[], tolerance: Tolerance): Promise<void> {
  const results = await runGraph(fedTensors(task), (emitter, values) => {
    const { targets } = emit(task, emitter, values);
    for (const [position, target] of targets.entries()) {
      compareTypes(target, expected[position], position);
      // The binding looks other types up behind the end of its table, and may take all memory for what it finds there.
      if (!handedOver.has(target.type)) throw new Error(`ONNX Runtime's binding gives no tensors of ${target.type}`);
    }
    return Object.fromEntries(targets.map((target, position) => [`result/${position}`, target]));
  });
  for (const [position, tensor] of expected.entries())
    compare(results[`result/${position}`], tensor, tolerance, position);
}

/**
 * The same with every input known while building: what our own arithmetic makes of it.
 *
 * @returns false where the operators are none that are folded
 */
export function expectFolded(task: Task, expected: readonly Tensor[], tolerance: Tolerance): boolean {
  const { targets } = emit({ ...task, fed: [] });
  if (!targets.every(({ constant }) => constant)) return false;
  for (const [position, { constant }] of targets.entries()) compare(constant!, expected[position], tolerance, position);
  return true;
}

function compareTypes(found: Pick<Tensor, "type" | "shape">, expected: Tensor, position: number): void {
  const type = isFloating(expected.type) ? "float32" : expected.type;
  if (found.type !== type) throw new Error(`output ${position} has type ${found.type}, expected ${type}`);
  if (found.shape.join() !== expected.shape.join())
    throw new Error(`output ${position} has shape [${found.shape}], expected [${expected.shape}]`);
}

function compare(found: Tensor, expected: Tensor, tolerance: Tolerance, position: number): void {
  compareTypes(found, expected, position);
  const { relative, absolute } = tolerance;
  const wanted = singlePrecision(expected).data as ArrayLike<unknown>;
  const got = found.data as ArrayLike<unknown>;
  for (let index = 0; index < wanted.length; index++) {
    if (typeof wanted[index] === "string") {
      if (wanted[index] !== got[index]) throw new Error(`output ${position}: ${got[index]}, expected ${wanted[index]}`);
      continue;
    }
    const [a, b] = [Number(got[index]), Number(wanted[index])];
    const isSame = Object.is(a, b) || a === b || Math.abs(a - b) <= absolute + relative * Math.abs(b);
    if (!isSame) throw new Error(`output ${position}, element ${index}: ${a}, expected ${b}`);
  }
}

/** What a gradient check found out. */
export type GradientOutcome = "checked" | "none" | "large" | { readonly unsupported: string };

/** Sums over more numbers than this are too coarse in float32 for differences of them to say anything. */
const mostElements = 20_000;

/**
 * Compares gradients with differences, to second order.
 *
 * The tests' own inputs lie on kinks and ties, where a difference means nothing, so other points are tried, away from
 * them: the test's, moved onto a lattice of fourths that is another one for each input; evenly spaced numbers from −2 to
 * 2, shuffled; the same from 0.5 to 2.5; and 53 numbers an eighth apart. A wrong rule is wrong at all of them.
 *
 * @returns "none" where no gradient flows to any input, "large" where there are too many numbers to check
 */
export async function expectGradients(task: Task): Promise<GradientOutcome> {
  const floats = task.fed.filter((name) => task.inputs.get(name)!.type === "float32");
  try {
    if (floats.length === 0 || !gradientFlows(task, floats)) return "none";
  } catch (error) {
    if (error instanceof UserError) return { unsupported: error.message.replace(/^.*got none\. /, "") };
    throw error;
  }
  if (floats.reduce((sum, name) => sum + task.inputs.get(name)!.data.length, 0) > mostElements) return "large";
  const points: ((name: string, tensor: Tensor) => Tensor)[] = [
    (name, { data, shape }) => {
      const offset = (floats.indexOf(name) + 1) / (floats.length + 1);
      return floatTensor(
        Float32Array.from(data as Float32Array, (x) => (Math.floor(4 * x) + offset) / 4),
        shape,
      );
    },
    (name, tensor) => evenlySpaced(name, tensor, -2, 2),
    (name, tensor) => evenlySpaced(name, tensor, 0.5, 2.5),
    (_, { data, shape }) => {
      // Neighbours in a window differ, and the numbers stay small enough for differences of their sums.
      return floatTensor(
        Float32Array.from({ length: data.length }, (_, index) => (((index * 36) % 53) - 26) / 8),
        shape,
      );
    },
  ];
  // The checker has names of its own, and so may the test.
  const checked = (name: string): string => `test/${name}`;
  const failures: unknown[] = [];
  for (const point of points) {
    const tensors = Object.fromEntries(
      Object.entries(fedTensors(task)).map(([name, tensor]) => [
        checked(name),
        floats.includes(name) ? point(name, tensor) : tensor,
      ]),
    );
    try {
      await checkGradients(tensors, (emitter, values) => {
        const given = Object.fromEntries(task.fed.map((name) => [name, values[checked(name)]] as const));
        return emit(task, emitter, given).targets.filter(({ type }) => type === "float32");
      });
      return "checked";
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

function gradientFlows(task: Task, floats: readonly string[]): boolean {
  const emitter = new Emitter();
  const values = Object.fromEntries(
    task.fed.map((name) => {
      const { type, shape } = task.inputs.get(name)!;
      return [name, emitter.input(name, type, shape)] as const;
    }),
  );
  const seeds = emit(task, emitter, values).targets.filter(({ type }) => type === "float32");
  const found = gradients(
    emitter,
    seeds.map((value) => ({ value })),
    floats.map((name) => values[name]),
  );
  return found.some((gradient) => gradient !== undefined);
}

function evenlySpaced(name: string, { data, shape }: Tensor, from: number, to: number): Tensor {
  const order = new RandomStream(0, `backend test/${name}`).permutation(data.length);
  return floatTensor(
    Float32Array.from(order, (position) => from + ((to - from) * (position + 0.5)) / data.length),
    shape,
  );
}

/** What mirroring found out; "none" where the output is no number, or does not vary with the sample. */
export type MirrorOutcome = "mirrored" | "none" | { readonly unsupported: string };

/** Mirrors from the first output to the sample, and throws where what comes back has not the sample's shape. */
export async function expectMirror({ graph, inputs, fed }: Task): Promise<MirrorOutcome> {
  // In a network only floating values come from outside of it.
  const task = { graph, inputs, fed: fed.filter((name) => isFloating(inputs.get(name)!.type)) };
  const sample = sampleOf(task);
  if (sample === undefined) return "none";
  let outcome: MirrorOutcome = "mirrored";
  const results = await runGraph(fedTensors(task), (emitter, values) => {
    const instance = emit(task, emitter, values);
    const [code] = instance.targets;
    if (!isFloating(code.type) || code.constant) {
      outcome = "none";
      return { back: values[sample] };
    }
    try {
      const { output } = mirror({
        emit: emitter,
        instance,
        code,
        feature: graph.outputs[0].name,
        normalization: "batch",
        tied: false,
        parameter: (spec) => emitter.constant(startValue(spec)),
        lastActivation: "none",
      });
      return { back: output };
    } catch (error) {
      const reason = /the mirror can go back through, got (.*)\. Choose/.exec(String(error))?.[1];
      if (reason === undefined) throw error;
      outcome = { unsupported: reason };
      return { back: values[sample] };
    }
  });
  compareTypes(results.back, task.inputs.get(sample)!, 0);
  return outcome;
}

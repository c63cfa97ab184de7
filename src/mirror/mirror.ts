/**
 * The mirror F^T (Hong and Yeo, 2020, figure 3: the network whose flow of computation is the feature extractor's in
 * reverse): F's steps are walked backwards, each value of F gets a mirrored value of its own shape, and the one of the
 * sample input is the mirror's output.
 */
import { UserError, userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import type { Node } from "../graph/graph.js";
import { type Emitter, sameShape } from "../ops/emitter.js";
import type { Instance } from "../ops/instantiate.js";
import type { OperatorName } from "../ops/names.js";
import { RuleError } from "../ops/operator.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { meanToShape } from "./adjoint.js";
import type { Delivery, MirrorContext, MirrorEntry, OwnParameter } from "./mirror-rule.js";
import { mirrors } from "./table.js";

export interface MirrorOptions {
  readonly emit: Emitter;
  /** F as it was emitted on a batch. */
  readonly instance: Instance;
  /** What enters the mirror: the feature value, or something of its shape. */
  readonly code: Value;
  /** Name of F's feature tensor. */
  readonly feature: string;
  /** Batch normalisation in the mirror by the batch's statistics (training) or by running ones of the mirror's own. */
  readonly normalization: "batch" | "running";
  /** Layers use F's weights, transposed; biases, scales and shifts are the mirror's own in any case. */
  readonly tied: boolean;
  /** Makes a parameter of the mirror's own. Asked once a name. */
  readonly parameter: (spec: ParameterSpec) => Value;
  /** What fits the output to the data's range. */
  readonly lastActivation: "none" | "sigmoid" | "tanh";
}

/** What became of one step of F, the feature's first. */
export interface MirroredStep {
  /** Operator and name of F's node. */
  readonly op: string;
  readonly node: string;
  /** F's value that the node made, the first where it made several. */
  readonly value: string;
  /** The operator that made what goes back; "" where a value is handed on as it is, or nothing goes back. */
  readonly mirroredBy: string;
  /** Shapes of what goes back, the batch first. */
  readonly to: readonly (readonly number[])[];
}

export interface MirrorResult {
  /** A batch of the sample input's shape. */
  readonly output: Value;
  readonly steps: readonly MirroredStep[];
  /** The mirror's parameters, in the order in which the code meets them. */
  readonly parameters: readonly ParameterSpec[];
  /** With normalization "batch": new running statistics of the mirror by parameter name. They start at zero. */
  readonly runningStatistics: ReadonlyMap<string, Value>;
}

/**
 * Emits the mirror of F.
 *
 * @throws MirrorError where an operator between sample input and feature tensor cannot be mirrored
 */
export function mirror(options: MirrorOptions): MirrorResult {
  const { emit, instance, code, feature } = options;
  const { steps } = instance;
  const featureValue = instance.values.get(feature);
  if (!featureValue || !sameShape(featureValue.shape, code.shape))
    throw new Error(`the mirror of ${feature} [${featureValue?.shape}] got a code of shape [${code.shape}]`);
  const inputName = [...instance.values].find(([, value]) => value === instance.input)?.[0] ?? "";
  const made = new Map<string, number>();
  steps.forEach((step, position) => {
    if (step.fromSample.some(Boolean)) for (const name of step.node.outputs) made.set(name, position);
  });
  const arrived = new Map<string, Value>([[feature, code]]);
  const owned = new OwnParameters(options.parameter);
  const statistics = new Map<string, Value>();
  const described: MirroredStep[] = [];
  const arrive = ({ to, value }: Delivery): void => {
    const { shape } = instance.values.get(to) as Value;
    const fitted = sameShape(value.shape, shape) ? value : meanToShape(emit, value, shape);
    const known = arrived.get(to);
    arrived.set(to, known ? emit.add(known, fitted) : fitted);
  };

  for (let position = made.get(feature) ?? 0; position >= 0; position--) {
    const step = steps[position];
    const values = step.node.outputs.map((name) => (made.has(name) ? arrived.get(name) : undefined));
    if (values.every((value) => value === undefined)) continue;
    const context: MirrorContext = {
      emit,
      step,
      steps,
      madeAt: (name) => made.get(name) ?? -1,
      arrived: values,
      get value() {
        return values[0] ?? emit.filled(0, step.outputs[0].shape);
      },
      tied: options.tied,
      normalization: options.normalization,
      own: (spec) => owned.get(spec),
      replace: (statistic, next) => statistics.set(statistic.name, next),
    };
    const deliveries = mirrorStep(context);
    for (const delivery of deliveries) arrive(delivery);
    described.push({
      op: step.node.op,
      node: step.node.name || step.node.outputs[0],
      value: step.node.outputs[0],
      mirroredBy: operatorBehind(emit, deliveries, values),
      to: deliveries.map(({ value }) => value.shape),
    });
  }
  const back = arrived.get(inputName);
  if (!back)
    throw userError({
      where: `feature tensor "${feature}"`,
      required: "a path back to the sample input by which values can be handed",
      got: "gates and attention weights only",
      advice: "Choose another feature tensor with --features.",
    });
  const last = options.lastActivation;
  const output = last === "none" ? back : last === "sigmoid" ? emit.sigmoid(back) : emit.tanh(back);
  return { output, steps: described, parameters: owned.specs, runningStatistics: statistics };
}

function mirrorStep(context: MirrorContext): readonly Delivery[] {
  const { step } = context;
  const entry = entryOf(step.node.op);
  if (entry === "none") return [];
  if (typeof entry !== "function") throw new MirrorError(step.node, entry.unsupported);
  try {
    return entry(context);
  } catch (error) {
    if (error instanceof RuleError) throw new MirrorError(step.node, error.message);
    throw error;
  }
}

function entryOf(op: string): MirrorEntry {
  return Object.hasOwn(mirrors, op)
    ? mirrors[op as OperatorName]
    : { unsupported: "headstart does not know this operator" };
}

/** A node of F that the mirror would have to go back through, and cannot. */
export class MirrorError extends UserError {
  readonly node: Node;
  readonly reason: string;

  constructor(node: Node, reason: string) {
    const { message } = userError({
      where: `node ${node.name || node.outputs[0]} (${node.op})`,
      required: "an operator that the mirror can go back through",
      got: `${node.op}: ${reason}`,
      advice: "Choose an earlier feature tensor with --features.",
    });
    super(message);
    this.node = node;
    this.reason = reason;
  }
}

function operatorBehind(
  emit: Emitter,
  deliveries: readonly Delivery[],
  arrived: readonly (Value | undefined)[],
): string {
  const changed = deliveries.find(({ value }) => !arrived.some((each) => each?.name === value.name))?.value;
  return (changed && emit.nodes.findLast(({ outputs }) => outputs.some(({ name }) => name === changed.name))?.op) ?? "";
}

/** The mirror's own parameters by name; one of another shape gets a name of its own. */
class OwnParameters {
  readonly specs: ParameterSpec[] = [];
  readonly #values = new Map<string, { spec: ParameterSpec; value: Value }>();
  readonly #make: (spec: ParameterSpec) => Value;

  constructor(make: (spec: ParameterSpec) => Value) {
    this.#make = make;
  }

  get(spec: ParameterSpec): OwnParameter {
    for (let count = 1; ; count++) {
      const name = `mirror/${spec.name}${count === 1 ? "" : `/${count}`}`;
      const known = this.#values.get(name);
      if (known && (known.spec.role !== spec.role || !sameShape(known.spec.shape, spec.shape))) continue;
      if (known) return { name, value: known.value };
      const named = { ...spec, name };
      const value = this.#make(named);
      this.specs.push(named);
      this.#values.set(name, { spec: named, value });
      return { name, value };
    }
  }
}

/** A graph that makes one training step, and the account of what it reads and keeps. */
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { Emitter } from "../ops/emitter.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { joined, parted, smallTogether } from "./joined-parameters.js";
import { clipGradients, type OptimizerScalars, optimizerSlots, optimizerStep } from "./optimizers.js";
import type { OptimizerSettings } from "./recipe.js";

/** Which part a parameter belongs to. */
export type Owner = "features" | "head" | "mirror" | "discriminator" | "task";

/** A tensor that the step reads and replaces. */
export interface StateTensor {
  /** The graph input's name; the output that replaces it is called `next/<name>`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly owner: Owner;
  /** There for the parameters themselves, missing for what an optimiser or a moving average keeps. */
  readonly parameter?: ParameterSpec;
  /** The parameter whose moving average this is. */
  readonly averageOf?: string;
}

/** A tensor that is given anew at every step. */
export interface Feed {
  readonly name: string;
  readonly shape: readonly number[];
}

/** An optimiser's part of a step, for those who make it outside of the graph. */
export interface OptimizerUpdate {
  /** Its scalars are fed under this prefix. */
  readonly prefix: string;
  readonly settings: OptimizerSettings;
  /** The graph's value that all gradients are multiplied with before, where they are clipped. */
  readonly factor?: string;
  readonly members: readonly {
    /** Name of the parameter; its new value is the output {@link nextName}. */
    readonly parameter: string;
    readonly shape: readonly number[];
    /** Names of the optimiser's state, in the order of {@link optimizerSlots}. */
    readonly slots: readonly string[];
    /** The graph's value that is the parameter's gradient. */
    readonly gradient: string;
  }[];
}

/** A training step as data. */
export interface TrainingGraph {
  readonly graph: Graph;
  /** In the order in which they are made. */
  readonly updates: readonly OptimizerUpdate[];
  readonly batchSize: number;
  /** About the least memory that the values of a step take, beside the state: see `graph/peak-memory.ts`. */
  readonly peakBytes: number;
  readonly state: readonly StateTensor[];
  readonly feeds: readonly Feed[];
  /** Names of scalar outputs. */
  readonly metrics: readonly string[];
  /** Names of other outputs. */
  readonly views: readonly string[];
}

/** Name of the output that replaces a state tensor. */
export function nextName(name: string): string {
  return `next/${name}`;
}

/** A tensor of zeros for what is fed under a name; a scalar where nothing is. */
export function emptyFeed({ feeds }: TrainingGraph, name: string): FloatTensor {
  const { shape = [] } = feeds.find((feed) => feed.name === name) ?? {};
  return floatTensor(new Float32Array(sizeOf(shape)), shape);
}

/** How a training graph is written, which changes rounding at most. */
export interface GraphStyle {
  /**
   * Whether optimisers treat all parameters of an owner as one. It pays where starting an operator takes longer than copying
   * the parameters does, as on a GPU.
   */
  readonly joinsParameters?: boolean;
}

/** A parameter in a graph. */
interface Trainable {
  readonly value: Value;
  readonly spec: ParameterSpec;
  readonly owner: Owner;
}

/** An optimiser in a graph: its scalars are fed under the prefix. */
interface Optimizer {
  readonly prefix: string;
  readonly settings: OptimizerSettings;
  readonly scalars: OptimizerScalars;
}

/** Names of what an optimiser keeps for a parameter. */
function slotNames({ prefix, settings }: Optimizer, parameter: string): string[] {
  return optimizerSlots(settings).map((slot) => `${prefix}/${slot}/${parameter}`);
}

/** Collects the parts of a training graph while its nodes are emitted. */
export class TrainingGraphBuilder {
  readonly emit = new Emitter();
  readonly #style: GraphStyle;
  readonly #parameters = new Map<string, { value: Value; owner: Owner; spec: ParameterSpec }>();
  readonly #state: StateTensor[] = [];
  readonly #feeds: Feed[] = [];
  readonly #metrics: string[] = [];
  readonly #views: string[] = [];
  readonly #updates: (() => OptimizerUpdate)[] = [];

  constructor(style: GraphStyle = {}) {
    this.#style = style;
  }

  /** A tensor given at every step, float32. */
  feed(name: string, shape: readonly number[]): Value {
    this.#feeds.push({ name, shape });
    if (this.#parameters.has(name)) throw nameTaken(name, "what is fed at every step");
    return this.emit.input(name, "float32", shape);
  }

  /** The current value of a parameter; asked for twice, it is the same one. */
  parameter(owner: Owner, spec: ParameterSpec): Value {
    const known = this.#parameters.get(spec.name);
    if (known?.owner === owner) return known.value;
    if (known) throw nameTaken(spec.name, `a part of the ${known.owner}`);
    if (this.#feeds.some(({ name }) => name === spec.name)) throw nameTaken(spec.name, "what is fed at every step");
    if (this.emit.outputNames.includes(spec.name)) throw nameTaken(spec.name, "what is measured at every step");
    const value = this.emit.input(spec.name, "float32", spec.shape);
    this.#parameters.set(spec.name, { value, owner, spec });
    this.#state.push({ name: spec.name, shape: spec.shape, owner, parameter: spec });
    return value;
  }

  /** The trainable parameters of these owners (running statistics are none), in the order of their first use. */
  trainable(owners: readonly Owner[]): Trainable[] {
    return [...this.#parameters.values()].filter(
      ({ owner, spec }) => owners.includes(owner) && spec.role !== "statistic",
    );
  }

  /** Sets what replaces a parameter after the step. */
  replace(name: string, next: Value): void {
    this.emit.output(nextName(name), next);
  }

  metric(name: string, value: Value): void {
    this.#metrics.push(name);
    this.#report(name, value);
  }

  /** An output to look at that is no scalar. */
  view(name: string, value: Value): void {
    this.#views.push(name);
    this.#report(name, value);
  }

  #report(name: string, value: Value): void {
    if (this.#parameters.has(name)) throw nameTaken(name, "what is measured at every step");
    this.emit.output(name, value);
  }

  /**
   * One step of an optimiser for some parameters: clips, updates, keeps the optimiser's state, sets the replacements.
   *
   * @param gradients by position of `targets`; parameters without one stay as they are
   * @returns the new values by parameter name, and the norm of all gradients together before clipping
   */
  optimize(
    prefix: string,
    settings: OptimizerSettings,
    targets: readonly Trainable[],
    gradients: readonly (Value | undefined)[],
    clip: number,
  ): { next: Map<string, Value>; norm: Value } {
    const emit = this.emit;
    const scalars: OptimizerScalars = {
      learningRate: this.feed(`${prefix}/learning-rate`, []),
      firstCorrection: this.feed(`${prefix}/first-correction`, []),
      secondCorrection: this.feed(`${prefix}/second-correction`, []),
    };
    const optimizer: Optimizer = { prefix, settings, scalars };
    const active = targets.flatMap((target, index) => {
      const gradient = gradients[index];
      return gradient ? [{ ...target, gradient }] : [];
    });
    const groups = smallTogether(active, this.#style.joinsParameters ? Number.POSITIVE_INFINITY : undefined);
    const joinedGradients = groups.map((members) =>
      joined(
        emit,
        members.map(({ gradient }) => gradient),
      ),
    );
    const clipped = clipGradients(emit, joinedGradients, clip);
    this.#tellUpdate(optimizer, active, clipped.factor);
    const next = new Map<string, Value>();
    groups.forEach((members, index) => {
      const parameters = this.#advance(optimizer, members, clipped.gradients[index]);
      for (const [name, value] of parameters) next.set(name, value);
    });
    return { next, norm: clipped.norm };
  }

  /** Notes what an optimiser does, for those who do it outside of the graph. */
  #tellUpdate(optimizer: Optimizer, members: readonly (Trainable & { gradient: Value })[], factor?: Value): void {
    const { prefix, settings } = optimizer;
    const { emit } = this;
    // Values have their final names once all outputs are known.
    this.#updates.push(() => ({
      prefix,
      settings,
      ...(factor ? { factor: emit.nameInGraph(factor) } : {}),
      members: members.map(({ spec, gradient }) => ({
        parameter: spec.name,
        shape: spec.shape,
        slots: slotNames(optimizer, spec.name),
        gradient: emit.nameInGraph(gradient),
      })),
    }));
  }

  /** Emits an optimiser's step of joined parameters and of its state. @returns new values by parameter name */
  #advance(
    optimizer: Optimizer,
    members: readonly Trainable[],
    gradient: Value,
  ): readonly (readonly [string, Value])[] {
    const { emit } = this;
    const { settings, scalars } = optimizer;
    const shapes = members.map(({ spec }) => spec.shape);
    const slots = optimizerSlots(settings).map((_, position) => {
      const names = members.map(({ spec }) => slotNames(optimizer, spec.name)[position]);
      const values = members.map(({ spec, owner }, member) => {
        this.#state.push({ name: names[member], shape: spec.shape, owner });
        return emit.input(names[member], "float32", spec.shape);
      });
      return { names, value: joined(emit, values) };
    });
    const before = joined(
      emit,
      members.map(({ value }) => value),
    );
    const values = slots.map(({ value }) => value);
    const stepped = optimizerStep(emit, settings, scalars, before, gradient, values);
    const parameters = parted(emit, stepped.parameter, shapes).map((value, member) => {
      const { name } = members[member].spec;
      this.replace(name, value);
      return [name, value] as const;
    });
    stepped.slots.forEach((slot, position) => {
      parted(emit, slot, shapes).forEach((value, member) => {
        this.replace(slots[position].names[member], value);
      });
    });
    return parameters;
  }

  /** Keeps an exponential moving average of a parameter: ā ← d ā + (1 − d) θ. It starts as the parameter does. */
  average(owner: Owner, spec: ParameterSpec, next: Value, decay: number): void {
    const name = `average/${spec.name}`;
    this.#state.push({ name, shape: spec.shape, owner, averageOf: spec.name });
    const current = this.emit.input(name, "float32", spec.shape);
    this.replace(name, this.emit.add(this.emit.scale(current, decay), this.emit.scale(next, 1 - decay)));
  }

  /** The finished graph. State that nothing replaced is handed through unchanged. */
  build(name: string, batchSize: number): TrainingGraph {
    const replaced = new Set(this.emit.outputNames);
    for (const tensor of this.#state) {
      if (replaced.has(nextName(tensor.name))) continue;
      const value = this.#parameters.get(tensor.name)?.value;
      if (value) this.replace(tensor.name, value);
    }
    return {
      graph: this.emit.build(name),
      updates: this.#updates.map((update) => update()),
      batchSize,
      peakBytes: this.emit.peakBytes,
      state: this.#state,
      feeds: this.#feeds,
      metrics: this.#metrics,
      views: this.#views,
    };
  }
}

/** A weight of the user's model stands where one of our own tensors must. */
function nameTaken(weight: string, by: string): Error {
  return userError({
    where: `weight ${weight}`,
    required: "a name that headstart's own tensors do not have",
    got: `the name of ${by}`,
    advice: "Rename that weight in the model",
  });
}

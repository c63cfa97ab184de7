/** Makes training steps: holds a training graph's session and its state. */
import { UserError } from "../errors.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { nextName, type TrainingGraph } from "../recipe/training-graph.js";
import { rewriteForCpu } from "../rewrite/rewrite-for-cpu.js";
import { channelBlock } from "../runtime/channel-block.js";
import { keepsTensors } from "../runtime/device.js";
import { openSession } from "../runtime/node.js";
import type { Session, SessionOptions } from "../runtime/session.js";
import { DeviceState, HostState, initialState, type TrainingState } from "./training-state.js";

/** What a step gave: the graph's metrics by name, and its views (valid until the next step). */
export interface StepResult {
  readonly metrics: Readonly<Record<string, number>>;
  readonly views: Readonly<Record<string, FloatTensor>>;
}

/** A training graph with its state, ready to step. */
export class Trainer {
  readonly #training: TrainingGraph;
  readonly #session: Session;
  readonly #options: SessionOptions;
  #state: TrainingState;
  readonly #results: Record<string, FloatTensor> = {};

  private constructor(training: TrainingGraph, session: Session, options: SessionOptions, state: TrainingState) {
    this.#training = training;
    this.#session = session;
    this.#options = options;
    this.#state = state;
    for (const output of training.graph.outputs) {
      if (!training.metrics.includes(output.name) && !training.views.includes(output.name)) continue;
      const shape = (output.shape ?? []).map(Number);
      this.#results[output.name] = floatTensor(new Float32Array(sizeOf(shape)), shape);
    }
  }

  /**
   * @param initial start values by state name; what is missing starts as zeros, moving averages as their parameter
   */
  static async open(
    training: TrainingGraph,
    initial: ReadonlyMap<string, Float32Array>,
    options: SessionOptions = {},
  ): Promise<Trainer> {
    // Complains of start values before anything is loaded.
    const state = stateOn(training, initial, options);
    const device = options.device ?? "cpu";
    const keep = keepsTensors(device) ? training.state.map(({ name }) => nextName(name)) : [];
    const graph = device === "cpu" ? rewriteForCpu(training.graph, await channelBlock()) : training.graph;
    return new Trainer(training, await openSession(graph, { ...options, keep }), options, state);
  }

  /** Starts anew from these values, see {@link Trainer.open}. */
  load(initial: ReadonlyMap<string, Float32Array>): void {
    const state = stateOn(this.#training, initial, this.#options);
    this.#state.dispose();
    this.#state = state;
  }

  /**
   * Makes one step. Where a metric comes out non-finite, the state stays that of the last good step and the step's
   * metrics are given in a {@link DivergedError}.
   */
  async step(feeds: Readonly<Record<string, FloatTensor>>): Promise<StepResult> {
    const { outputs, kept } = await this.#session.runKeeping(
      { ...this.#state.feeds, ...feeds },
      { ...this.#results, ...this.#state.targets },
    );
    const metrics: Record<string, number> = {};
    for (const name of this.#training.metrics) metrics[name] = (outputs[name].data as Float32Array)[0];
    const broken = Object.entries(metrics).filter(([, value]) => !Number.isFinite(value));
    if (broken.length > 0) {
      this.#state.reject(kept);
      throw new DivergedError(
        metrics,
        broken.map(([name]) => name),
      );
    }
    this.#state.accept(kept);
    const views: Record<string, FloatTensor> = {};
    for (const name of this.#training.views) views[name] = this.#results[name];
    return { metrics, views };
  }

  /** Copies of the state's elements by name. */
  async state(): Promise<Map<string, Float32Array>> {
    const state = await this.#state.read(this.#training.state.map(({ name }) => name));
    return new Map([...state].map(([name, elements]) => [name, elements.slice()]));
  }

  /** Copies of the parameters' elements by name, optionally their moving averages where there are some. */
  async parameters(averaged = false): Promise<Map<string, Float32Array>> {
    const wanted = new Map<string, string>();
    for (const { name, parameter } of this.#training.state) if (parameter) wanted.set(name, name);
    if (averaged)
      for (const { name, averageOf } of this.#training.state) if (averageOf !== undefined) wanted.set(averageOf, name);
    const state = await this.#state.read([...wanted.values()]);
    return new Map([...wanted].map(([name, source]) => [name, elementsOf(state, source).slice()]));
  }

  /** Lets {@link Trainer.state} and {@link Trainer.parameters} be asked after {@link Trainer.release}. */
  retreat(): Promise<void> {
    return this.#state.retreat();
  }

  /** Frees the native memory. */
  release(): Promise<void> {
    this.#state.dispose();
    return this.#session.release();
  }
}

/** A state with its start values, on the device where that can be. */
function stateOn(
  training: TrainingGraph,
  initial: ReadonlyMap<string, Float32Array>,
  options: SessionOptions,
): TrainingState {
  const values = initialState(training.state, initial);
  return keepsTensors(options.device ?? "cpu") ? new DeviceState(values) : new HostState(values);
}

function elementsOf(state: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  const elements = state.get(name);
  if (!elements) throw new Error(`the state has no ${name}`);
  return elements;
}

/** A loss or norm became infinite or no number. Carries the step's metrics. */
export class DivergedError extends UserError {
  readonly metrics: Readonly<Record<string, number>>;

  constructor(metrics: Readonly<Record<string, number>>, broken: readonly string[]) {
    super(
      `training: required finite losses, got ${broken.map((name) => `${name} = ${metrics[name]}`).join(", ")}. Lower the learning rate, or choose another start or recipe.`,
    );
    this.metrics = metrics;
  }
}

/** Makes training steps: keeps the state in two sets of buffers and lets each step read one and write the other. */
import { UserError } from "../errors.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { nextName, type TrainingGraph } from "../recipe/training-graph.js";
import { openSession } from "../runtime/node.js";
import type { Session, SessionOptions } from "../runtime/session.js";

/** What a step gave: the graph's metrics by name, and its views (valid until the next step). */
export interface StepResult {
  readonly metrics: Readonly<Record<string, number>>;
  readonly views: Readonly<Record<string, FloatTensor>>;
}

/** A training graph with its state, ready to step. */
export class Trainer {
  readonly #training: TrainingGraph;
  readonly #session: Session;
  #current: Record<string, FloatTensor>;
  #other: Record<string, FloatTensor>;
  readonly #results: Record<string, FloatTensor> = {};

  private constructor(training: TrainingGraph, session: Session, state: Record<string, FloatTensor>) {
    this.#training = training;
    this.#session = session;
    this.#current = state;
    this.#other = Object.fromEntries(
      Object.entries(state).map(([name, tensor]) => [
        name,
        floatTensor(new Float32Array(tensor.data.length), tensor.shape),
      ]),
    );
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
    const state = Object.fromEntries(
      training.state.map(({ name, shape }) => [name, floatTensor(new Float32Array(sizeOf(shape)), shape)]),
    );
    const trainer = new Trainer(training, await openSession(training.graph, options), state);
    trainer.load(initial);
    return trainer;
  }

  /** Starts anew from these values, see {@link Trainer.open}. */
  load(initial: ReadonlyMap<string, Float32Array>): void {
    for (const { name, shape, averageOf, parameter } of this.#training.state) {
      const given = initial.get(name) ?? (averageOf === undefined ? undefined : initial.get(averageOf));
      if (given && given.length !== sizeOf(shape))
        throw new Error(`state ${name}: ${given.length} elements for shape ${shape.join("x")}`);
      if (!given && parameter) throw new Error(`state ${name}: a parameter needs start values`);
      if (given) this.#current[name].data.set(given);
      else this.#current[name].data.fill(0);
    }
  }

  /**
   * Makes one step. Where a metric comes out non-finite, the state stays that of the last good step and the step's
   * metrics are given in a {@link DivergedError}.
   */
  async step(feeds: Readonly<Record<string, FloatTensor>>): Promise<StepResult> {
    const targets: Record<string, FloatTensor> = { ...this.#results };
    for (const name of Object.keys(this.#current)) targets[nextName(name)] = this.#other[name];
    await this.#session.run({ ...this.#current, ...feeds }, targets);
    const metrics: Record<string, number> = {};
    for (const name of this.#training.metrics) metrics[name] = this.#results[name].data[0];
    const broken = Object.entries(metrics).filter(([, value]) => !Number.isFinite(value));
    if (broken.length > 0)
      throw new DivergedError(
        metrics,
        broken.map(([name]) => name),
      );
    [this.#current, this.#other] = [this.#other, this.#current];
    const views: Record<string, FloatTensor> = {};
    for (const name of this.#training.views) views[name] = this.#results[name];
    return { metrics, views };
  }

  /** Copies of the state's elements by name. */
  state(): Map<string, Float32Array> {
    return new Map(Object.entries(this.#current).map(([name, tensor]) => [name, tensor.data.slice()]));
  }

  /** Copies of the parameters' elements by name, optionally their moving averages where there are some. */
  parameters(averaged = false): Map<string, Float32Array> {
    const result = new Map<string, Float32Array>();
    for (const { name, parameter } of this.#training.state)
      if (parameter) result.set(name, this.#current[name].data.slice());
    if (averaged)
      for (const { name, averageOf } of this.#training.state)
        if (averageOf !== undefined) result.set(averageOf, this.#current[name].data.slice());
    return result;
  }

  /** Frees the native memory. */
  release(): Promise<void> {
    return this.#session.release();
  }
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

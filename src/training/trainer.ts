/** Makes training steps: holds a training graph's session and its state. */
import { UserError } from "../errors.js";
import type { Graph } from "../graph/graph.js";
import { type FloatTensor, floatTensor, sizeOf, type Tensor, zeros } from "../graph/tensor.js";
import { type Feed, nextName, type TrainingGraph } from "../recipe/training-graph.js";
import { joinInputs } from "../rewrite/join-inputs.js";
import { joinOutputs } from "../rewrite/join-outputs.js";
import { rewritePartsForCpu } from "../rewrite/rewrite-for-cpu.js";
import { rewriteForDevice } from "../rewrite/rewrite-for-device.js";
import { channelBlock } from "../runtime/channel-block.js";
import { type Device, keepsTensors } from "../runtime/device.js";
import { openSession } from "../runtime/node.js";
import { openResidentSession, type ResidentSession } from "../runtime/resident-session.js";
import type { Feeds, Session, SessionOptions, Tensors } from "../runtime/session.js";
import { HostOptimizer } from "./host-optimizer.js";
import { plansMemory } from "./memory-plan.js";
import { requireMemory } from "./require-memory.js";
import { DeviceState, HostState, initialState, type TrainingState } from "./training-state.js";

/** What a step gave: the graph's metrics by name, and on demand its views, until the next step. */
export interface StepResult {
  readonly metrics: Readonly<Record<string, number>>;
  /** A device is waited for when they are asked for. */
  readonly views: () => Promise<Readonly<Record<string, FloatTensor>>>;
}

/** A training graph with its state, ready to step. */
export class Trainer {
  readonly #training: TrainingGraph;
  readonly #program: Program;
  readonly #state: TrainingState;

  private constructor(training: TrainingGraph, program: Program, state: TrainingState) {
    this.#training = training;
    this.#program = program;
    this.#state = state;
  }

  /**
   * @param initial start values by state name; what is missing starts as zeros, moving averages as their parameter
   */
  static async open(
    training: TrainingGraph,
    initial: ReadonlyMap<string, Float32Array>,
    options: SessionOptions = {},
  ): Promise<Trainer> {
    requireMemory(training, options.device);
    // Complains of start values before anything is loaded.
    const values = initialState(training.state, initial);
    const program = await openProgram(training, options);
    const { device = "cpu" } = options;
    if (!keepsTensors(device)) return new Trainer(training, program, new HostState(values, program.optimizer));
    try {
      return new Trainer(training, program, await DeviceState.open(values, device));
    } catch (error) {
      await releaseParts(program.parts);
      throw error;
    }
  }

  /** Starts anew from these values, see {@link Trainer.open}. */
  load(initial: ReadonlyMap<string, Float32Array>): Promise<void> {
    return this.#state.load(initialState(this.#training.state, initial));
  }

  /**
   * Makes one step. Where a metric comes out non-finite, the state stays that of the last good step and the step's
   * metrics are given in a {@link DivergedError}.
   */
  async step(feeds: Readonly<Record<string, FloatTensor>>): Promise<StepResult> {
    const { parts, optimizer, results, joined } = this.#program;
    const metrics: Record<string, number> = {};
    const targets = { ...results, ...this.#state.targets };
    const fed: Record<string, Feeds[string]> = { ...this.#state.feeds, ...(joined?.(feeds) ?? feeds) };
    for (const [index, { session, metrics: places }] of parts.entries()) {
      const outputs = await session.run(fed, targets);
      for (const { name, output, at } of places) metrics[name] = (outputs[output].data as Float32Array)[at];
      const isLast = index === parts.length - 1;
      if (isLast) checkFinite(metrics);
      const cut = optimizer?.cuts[index];
      if (cut) optimizer.update(index, this.#state.flipped, feeds, outputs);
      if (isLast) this.#state.accept();
      else {
        Object.assign(fed, outputs);
        for (const name of cut?.back ?? []) fed[name] = targets[name];
      }
    }
    return { metrics, views: () => this.#views() };
  }

  async #views(): Promise<Readonly<Record<string, FloatTensor>>> {
    const { views } = this.#training;
    const { left, results } = this.#program;
    const read = left ? await left(views) : results;
    return Object.fromEntries(views.map((name) => [name, read[name] as FloatTensor]));
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
  async release(): Promise<void> {
    await releaseParts(this.#program.parts);
    await this.#state.dispose();
  }
}

/** @throws DivergedError where a metric is not finite */
function checkFinite(metrics: Readonly<Record<string, number>>): void {
  const broken = Object.entries(metrics).flatMap(([name, value]) => (Number.isFinite(value) ? [] : [name]));
  if (broken.length > 0) throw new DivergedError(metrics, broken);
}

/** What a step consists of. */
interface Program {
  /** Run one after another. */
  readonly parts: readonly {
    readonly session: Session;
    readonly metrics: readonly MetricPlace[];
  }[];
  /** Its cuts are between the parts, and behind the last. */
  readonly optimizer: HostOptimizer | undefined;
  /** Where all outputs go that are no state. */
  readonly results: Tensors;
  /** A step's feeds as the graph takes them, where it takes them otherwise. */
  readonly joined: ((feeds: Readonly<Record<string, FloatTensor>>) => Feeds) | undefined;
  /** Reads what the last step left on the device. */
  readonly left: ResidentSession["left"] | undefined;
}

async function releaseParts(parts: Program["parts"]): Promise<void> {
  for (const { session } of parts) await session.release();
}

/** Where a part gives a metric: an output, and an element of it. */
interface MetricPlace {
  readonly name: string;
  readonly output: string;
  readonly at: number;
}

/** The output that has all metrics side by side, beside a device. */
const joinedMetrics = "headstart/metrics";

/** The input that has a step's feeds side by side, beside a device that keeps tensors. */
const joinedFeeds = "headstart/feeds";

/** Elements of feeds that are large enough to be given by themselves. */
const largeFeed = 2 ** 22;

async function openProgram(training: TrainingGraph, options: SessionOptions): Promise<Program> {
  const { device = "cpu" } = options;
  if (keepsTensors(device)) return openResidentProgram(training, device, options);
  const optimizer = device === "cpu" ? HostOptimizer.open(training) : undefined;
  const graphs =
    device === "cpu"
      ? rewritePartsForCpu(training.graph, await channelBlock(), optimizer?.cuts ?? [])
      : [joinOutputs(rewriteForDevice(training.graph, device), training.metrics, joinedMetrics)];
  const results: Record<string, Tensor> = { ...optimizer?.gradients };
  const states = new Set(training.state.map(({ name }) => nextName(name)));
  const parts: Program["parts"][number][] = [];
  // Behind the last cut there may be nothing left to do.
  const present = graphs.filter(({ outputs }) => outputs.length > 0);
  try {
    for (const graph of present) {
      for (const { name, type, shape } of graph.outputs) {
        const place = states.has(name) || results[name] ? undefined : zeros(type, (shape ?? []).map(Number));
        if (place) results[name] = place;
      }
      const session = await openSession(graph, {
        ...options,
        inTurn: present.length > 1,
        intoTargets: true,
        plansMemory: plansMemory(training.peakBytes, device),
      });
      parts.push({ session, metrics: metricPlaces(training, graph) });
    }
  } catch (error) {
    await releaseParts(parts);
    throw error;
  }
  return { parts, optimizer, results, joined: undefined, left: undefined };
}

/** The same where state, feeds and results have places in the device's memory. */
async function openResidentProgram(training: TrainingGraph, device: Device, options: SessionOptions): Promise<Program> {
  const together = training.feeds.filter(({ shape }) => sizeOf(shape) < largeFeed);
  const feedNames = together.map(({ name }) => name);
  const rewritten = rewriteForDevice(joinInputs(training.graph, feedNames, joinedFeeds), device);
  const graph = joinOutputs(rewritten, training.metrics, joinedMetrics);
  const session = await openResidentSession(graph, options, training.views);
  return {
    parts: [{ session, metrics: metricPlaces(training, graph) }],
    optimizer: undefined,
    results: {},
    joined: together.length > 1 ? feedJoiner(together) : undefined,
    left: session.left,
  };
}

function metricPlaces(training: TrainingGraph, { outputs }: Graph): MetricPlace[] {
  const given = new Set(outputs.map(({ name }) => name));
  return training.metrics.flatMap((name, at): MetricPlace[] => {
    if (given.has(joinedMetrics)) return [{ name, output: joinedMetrics, at }];
    return given.has(name) ? [{ name, output: name, at: 0 }] : [];
  });
}

/** What joins these feeds in one tensor, {@link joinedFeeds}, and leaves the others. */
function feedJoiner(together: readonly Feed[]): NonNullable<Program["joined"]> {
  const sizes = together.map(({ shape }) => sizeOf(shape));
  const all = floatTensor(new Float32Array(sizes.reduce((sum, size) => sum + size, 0)));
  const names = new Set(together.map(({ name }) => name));
  return (feeds) => {
    let at = 0;
    for (const [index, { name }] of together.entries()) {
      const data = feeds[name]?.data;
      if (data?.length !== sizes[index])
        throw new Error(`training step: ${name} needs ${sizes[index]} elements, ${data?.length ?? "none"} were fed`);
      all.data.set(data, at);
      at += sizes[index];
    }
    const others = Object.entries(feeds).filter(([name]) => !names.has(name));
    return { ...Object.fromEntries(others), [joinedFeeds]: all };
  };
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

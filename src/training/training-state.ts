/** Where a training graph's state lies between two steps: in the main memory, or in the device's own. */
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { nextName, type StateTensor } from "../recipe/training-graph.js";
import { readDeviceTensors } from "../runtime/node.js";
import type { DeviceTensor, Feeds, Tensors } from "../runtime/session.js";

/** The tensors that a step reads and replaces. A step's results count once they are accepted. */
export interface TrainingState {
  /** What the next step is fed, by state name. */
  readonly feeds: Feeds;
  /** Where the next step's results go, by output name. */
  readonly targets: Tensors;
  /** Whether the state lies in the second of its two places, where it has two. */
  readonly flipped: boolean;
  /** Makes the last step's results the state. */
  accept(kept: Readonly<Record<string, DeviceTensor>>): void;
  /** Drops the last step's results. */
  reject(kept: Readonly<Record<string, DeviceTensor>>): void;
  /** Elements of some of the state by name; later steps may write into them. */
  read(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>;
  /** Moves the state to the main memory, where it can be read without the device. */
  retreat(): Promise<void>;
  /** Frees the memory of the device. */
  dispose(): void;
}

/** Where some of a state's tensors have to lie: now, and after the next step. */
export interface StatePlaces {
  readonly current: ReadonlyMap<string, Float32Array>;
  /** The same array where a step updates it in place. */
  readonly other: ReadonlyMap<string, Float32Array>;
}

/** Two sets of buffers in the main memory: a step reads one and writes the other. */
export class HostState implements TrainingState {
  #current: Record<string, FloatTensor>;
  #other: Record<string, FloatTensor>;
  #flipped = false;
  #targets: Tensors;
  #otherTargets: Tensors;

  /** @param places of tensors that must lie there; they get the start values */
  constructor(initial: Readonly<Record<string, FloatTensor>>, places?: StatePlaces) {
    this.#current = { ...initial };
    this.#other = {};
    for (const [name, { data, shape }] of Object.entries(initial)) {
      const place = places?.current.get(name);
      place?.set(data);
      if (place) this.#current[name] = floatTensor(place, shape);
      this.#other[name] = floatTensor(places?.other.get(name) ?? new Float32Array(data.length), shape);
    }
    this.#targets = targetsIn(this.#other);
    this.#otherTargets = targetsIn(this.#current);
  }

  get flipped(): boolean {
    return this.#flipped;
  }

  get feeds(): Feeds {
    return this.#current;
  }

  get targets(): Tensors {
    return this.#targets;
  }

  accept(): void {
    [this.#current, this.#other] = [this.#other, this.#current];
    [this.#targets, this.#otherTargets] = [this.#otherTargets, this.#targets];
    this.#flipped = !this.#flipped;
  }

  reject(): void {}

  async read(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array>> {
    return new Map(names.map((name) => [name, this.#current[name].data]));
  }

  async retreat(): Promise<void> {}

  dispose(): void {}
}

/** A state's tensors by the names of the outputs that replace them. */
function targetsIn(tensors: Readonly<Record<string, FloatTensor>>): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [nextName(name), tensor]));
}

/** The first step is fed from the main memory; from then on its results stay on the device and are fed again. */
export class DeviceState implements TrainingState {
  #current: Record<string, FloatTensor | DeviceTensor>;
  readonly targets: Tensors = {};
  readonly flipped = false;

  constructor(initial: Readonly<Record<string, FloatTensor>>) {
    this.#current = { ...initial };
  }

  get feeds(): Feeds {
    return this.#current;
  }

  accept(kept: Readonly<Record<string, DeviceTensor>>): void {
    this.dispose();
    this.#current = Object.fromEntries(Object.keys(this.#current).map((name) => [name, kept[nextName(name)]]));
  }

  reject(kept: Readonly<Record<string, DeviceTensor>>): void {
    for (const tensor of Object.values(kept)) tensor.dispose();
  }

  async read(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array>> {
    const entries = names.map((name) => [name, this.#current[name]] as const);
    const onDevice = entries.filter((entry): entry is readonly [string, DeviceTensor] => "location" in entry[1]);
    const read = await readDeviceTensors(Object.fromEntries(onDevice));
    return new Map(
      entries.map(([name, tensor]) => [name, ("location" in tensor ? read[name].data : tensor.data) as Float32Array]),
    );
  }

  async retreat(): Promise<void> {
    const elements = await this.read(Object.keys(this.#current));
    this.dispose();
    this.#current = Object.fromEntries(
      Object.entries(this.#current).map(([name, { shape }]) => [
        name,
        floatTensor(elements.get(name) ?? new Float32Array(sizeOf(shape)), shape),
      ]),
    );
  }

  dispose(): void {
    for (const tensor of Object.values(this.#current)) if ("location" in tensor) tensor.dispose();
  }
}

/** Start values of a state by name: as given, moving averages as their parameter, all else as zeros. */
export function initialState(
  state: readonly StateTensor[],
  initial: ReadonlyMap<string, Float32Array>,
): Record<string, FloatTensor> {
  return Object.fromEntries(
    state.map(({ name, shape, averageOf, parameter }) => {
      const given = initial.get(name) ?? (averageOf === undefined ? undefined : initial.get(averageOf));
      if (given && given.length !== sizeOf(shape))
        throw new Error(`state ${name}: ${given.length} elements for shape ${shape.join("x")}`);
      if (!given && parameter) throw new Error(`state ${name}: a parameter needs start values`);
      return [name, floatTensor(given ? given.slice() : new Float32Array(sizeOf(shape)), shape)];
    }),
  );
}

/** Where a training graph's state lies between two steps: in the main memory, or in the device's own. */
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { nextName, type StateTensor } from "../recipe/training-graph.js";
import type { Device } from "../runtime/device.js";
import { type DevicePlaces, openPlaces } from "../runtime/device-places.js";
import type { Feeds, Targets } from "../runtime/session.js";

/** The tensors that a step reads and replaces. A step's results count once they are accepted. */
export interface TrainingState {
  /** What the next step is fed, by state name. */
  readonly feeds: Feeds;
  /** Where the next step's results go, by output name. */
  readonly targets: Targets;
  /** Whether the state lies in the second of its two places, where it has two. */
  readonly flipped: boolean;
  /** Makes the last step's results the state; the next one's overwrite what was it before. */
  accept(): void;
  /** Overwrites the whole state. */
  load(values: Readonly<Record<string, FloatTensor>>): Promise<void>;
  /** Elements of some of the state by name; later steps may write into them. */
  read(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>;
  /** Moves the state to the main memory, where it can be read without the device. */
  retreat(): Promise<void>;
  /** Frees the memory of the device. */
  dispose(): Promise<void>;
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
  #targets: Targets;
  #otherTargets: Targets;

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

  get targets(): Targets {
    return this.#targets;
  }

  accept(): void {
    [this.#current, this.#other] = [this.#other, this.#current];
    [this.#targets, this.#otherTargets] = [this.#otherTargets, this.#targets];
    this.#flipped = !this.#flipped;
  }

  async load(values: Readonly<Record<string, FloatTensor>>): Promise<void> {
    for (const [name, { data }] of Object.entries(this.#current)) data.set(values[name].data);
  }

  async read(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array>> {
    return new Map(names.map((name) => [name, this.#current[name].data]));
  }

  async retreat(): Promise<void> {}

  async dispose(): Promise<void> {}
}

/** A state's tensors by the names of the outputs that replace them. */
function targetsIn(tensors: Targets): Targets {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [nextName(name), tensor]));
}

/** The same in the device's memory. */
export class DeviceState implements TrainingState {
  #current: DevicePlaces;
  #other: DevicePlaces;
  #targets: Targets;
  #otherTargets: Targets;
  /** Elements by name, once it has left the device. */
  #retreated: ReadonlyMap<string, Float32Array> | undefined;
  readonly flipped = false;

  private constructor(current: DevicePlaces, other: DevicePlaces) {
    this.#current = current;
    this.#other = other;
    this.#targets = targetsIn(other.tensors);
    this.#otherTargets = targetsIn(current.tensors);
  }

  /** @throws UserError where the device has no room for it */
  static async open(initial: Readonly<Record<string, FloatTensor>>, device: Device): Promise<DeviceState> {
    const current = await openPlaces(initial, device);
    try {
      return new DeviceState(current, await openPlaces(initial, device));
    } catch (error) {
      await current.release();
      throw error;
    }
  }

  get feeds(): Feeds {
    return this.#current.tensors;
  }

  get targets(): Targets {
    return this.#targets;
  }

  accept(): void {
    [this.#current, this.#other] = [this.#other, this.#current];
    [this.#targets, this.#otherTargets] = [this.#otherTargets, this.#targets];
  }

  load(values: Readonly<Record<string, FloatTensor>>): Promise<void> {
    return this.#current.write(values);
  }

  async read(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array>> {
    const retreated = this.#retreated;
    if (retreated) return new Map(names.map((name) => [name, retreated.get(name) as Float32Array]));
    const read = await this.#current.read(names);
    return new Map(names.map((name) => [name, read[name].data as Float32Array]));
  }

  async retreat(): Promise<void> {
    const elements = await this.read(Object.keys(this.#current.tensors));
    await this.dispose();
    this.#retreated = elements;
  }

  async dispose(): Promise<void> {
    if (this.#retreated) return;
    this.#retreated = new Map();
    await this.#current.release();
    await this.#other.release();
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

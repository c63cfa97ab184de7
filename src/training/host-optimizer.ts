/**
 * Optimisers outside of the graph, on a CPU: a loop over memory makes all of an update in one pass, where the graph's
 * operators make a dozen. Parameters, what the optimiser keeps of them, and their gradients lie side by side in one
 * memory, so that an update is one call. It computes what the graph computes, to the bit, but that moments below the
 * smallest normal number become zero.
 */
import { dependents } from "../graph/graph.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { optimizerSlots, optimizerStep } from "../recipe/optimizers.js";
import { nextName, type OptimizerUpdate, type TrainingGraph } from "../recipe/training-graph.js";
import type { Cut } from "../rewrite/cut-graph.js";
import type { Tensors } from "../runtime/session.js";
import { type VectorLoop, type VectorMemory, vectorLoop, vectorMemory } from "../runtime/vector-loop.js";
import type { StatePlaces } from "./training-state.js";

/** Elements of a cache's line, at whose begin each tensor begins. What is left of a line stays zero. */
const aligned = 16;
const bytesOfNumber = 4;
const smallestNormal = 2 ** -126;

/** The updates of a training graph, taken out of it. */
export class HostOptimizer implements StatePlaces {
  /** Where they leave the graph and come back. */
  readonly cuts: readonly Cut[];
  readonly current = new Map<string, Float32Array>();
  readonly other = new Map<string, Float32Array>();
  /** Where the graph puts gradients, by output name. */
  readonly gradients: Readonly<Record<string, FloatTensor>>;
  readonly #updates: readonly (readonly PlacedUpdate[])[];

  private constructor(cuts: readonly Cut[], updates: readonly (readonly PlacedUpdate[])[], memory: VectorMemory) {
    this.cuts = cuts;
    this.#updates = updates;
    const gradients: Record<string, FloatTensor> = {};
    for (const { update, current, other, gradient } of updates.flat()) {
      let offset = 0;
      for (const { parameter, slots, shape } of update.members) {
        const at = (place: number): Float32Array =>
          new Float32Array(memory.buffer, place + bytesOfNumber * offset, sizeOf(shape));
        [parameter, ...slots].forEach((name, index) => {
          this.current.set(name, at(current[index]));
          this.other.set(name, at(other[index]));
        });
        gradients[gradientName(parameter)] = floatTensor(at(gradient), shape);
        offset += paddedSize(shape);
      }
    }
    this.gradients = gradients;
  }

  /** @returns undefined where there is nothing to optimise, no memory for it, or an engine that has no vectors */
  static open(training: TrainingGraph): HostOptimizer | undefined {
    const groups = updatesTogether(training);
    const cuts = groups.map(
      (updates): Cut => ({
        out: new Map(
          updates.flatMap(({ prefix, factor, members }) => [
            ...(factor === undefined ? [] : [[factorName(prefix), factor] as const]),
            ...members.map(({ parameter, gradient }) => [gradientName(parameter), gradient] as const),
          ]),
        ),
        back: updates.flatMap(outputsOf),
      }),
    );
    // Where nothing is computed behind the last cut, nothing can go wrong there any more.
    const outside = new Set(cuts.flatMap(({ back }) => back));
    const after = dependents(training.graph, new Set(cuts.at(-1)?.back));
    const endsThere = training.graph.outputs.every(({ name }) => !after.has(name) || outside.has(name));
    let bytes = 0;
    const take = (count: number): number => {
      const place = bytes;
      bytes += bytesOfNumber * count;
      return place;
    };
    const placed = groups.map((updates, group) =>
      updates.map((update) => {
        const inPlace = endsThere && group === groups.length - 1;
        const count = update.members.reduce((sum, { shape }) => sum + paddedSize(shape), 0);
        const arrays = 1 + optimizerSlots(update.settings).length;
        const current = Array.from({ length: arrays }, () => take(count));
        const other = inPlace ? current : Array.from({ length: arrays }, () => take(count));
        return { update, count, current, other, gradient: take(count) };
      }),
    );
    const memory = bytes === 0 ? undefined : vectorMemory(bytes);
    if (!memory) return undefined;
    const updates: PlacedUpdate[][] = [];
    for (const group of placed) {
      const compiled: PlacedUpdate[] = [];
      for (const update of group) {
        const loop = updateLoop(memory, update.update);
        if (!loop) return undefined;
        compiled.push({ ...update, loop });
      }
      updates.push(compiled);
    }
    return new HostOptimizer(cuts, updates, memory);
  }

  /**
   * Makes the updates of a cut.
   *
   * @param flipped whether the state's other places are the current ones
   * @param feeds the step's
   * @param outputs of the part of the graph before
   */
  update(cut: number, flipped: boolean, feeds: Readonly<Record<string, FloatTensor>>, outputs: Tensors): void {
    for (const { update, loop, count, current, other, gradient } of this.#updates[cut]) {
      const { prefix, factor } = update;
      const [from, to] = flipped ? [other, current] : [current, other];
      const scalars = ["learning-rate", "first-correction", "second-correction"].map(
        (name) => feeds[`${prefix}/${name}`].data[0],
      );
      if (factor !== undefined) scalars.push((outputs[factorName(prefix)].data as Float32Array)[0]);
      loop([...from, gradient, ...to], count, scalars);
    }
  }
}

/** An update with the places in memory, in bytes, of its parameters and slots, and of the gradients. */
interface PlacedUpdate {
  readonly update: OptimizerUpdate;
  readonly loop: VectorLoop;
  readonly count: number;
  readonly current: readonly number[];
  readonly other: readonly number[];
  readonly gradient: number;
}

function gradientName(parameter: string): string {
  return `headstart/gradient/${parameter}`;
}

function factorName(prefix: string): string {
  return `headstart/clip-factor/${prefix}`;
}

function outputsOf({ members }: OptimizerUpdate): string[] {
  return members.flatMap(({ parameter, slots }) => [parameter, ...slots].map(nextName));
}

function paddedSize(shape: readonly number[]): number {
  return aligned * Math.ceil(sizeOf(shape) / aligned);
}

/**
 * Updates that do not wait for one another, in groups that do. Where a step goes on with what an update gives, leaving
 * the graph costs: all that both parts use goes out and in, and out of the layout that convolutions compute in. So where
 * there are convolutions such updates stay in the graph.
 */
function updatesTogether({ graph, updates }: TrainingGraph): OptimizerUpdate[][] {
  const groups: OptimizerUpdate[][] = [];
  let made = new Set<string>();
  for (const update of updates) {
    const waits = [update.factor ?? "", ...update.members.map(({ gradient }) => gradient)].some((name) =>
      made.has(name),
    );
    if (groups.length === 0 || waits) groups.push([]);
    const group = groups[groups.length - 1];
    group.push(update);
    made = dependents(graph, new Set(group.flatMap(outputsOf)));
  }
  const convolves = graph.nodes.some(({ op }) => op === "Conv" || op === "ConvTranspose");
  return convolves ? groups.slice(-1) : groups;
}

function updateLoop(memory: VectorMemory, { settings, factor }: OptimizerUpdate): VectorLoop | undefined {
  const slots = optimizerSlots(settings);
  const read = 2 + slots.length;
  return vectorLoop(memory, read + 1 + slots.length, factor === undefined ? 3 : 4, (formula) => {
    const least = formula.scalar(smallestNormal);
    const gradient = formula.read(read - 1);
    const next = optimizerStep(
      formula,
      settings,
      {
        learningRate: formula.number(0),
        firstCorrection: formula.number(1),
        secondCorrection: formula.number(2),
      },
      formula.read(0),
      factor === undefined ? gradient : formula.multiply(gradient, formula.number(3)),
      slots.map((_, index) => formula.read(1 + index)),
    );
    formula.write(read, next.parameter);
    next.slots.forEach((slot, index) => {
      formula.write(read + 1 + index, formula.zeroBelow(slot, least));
    });
  });
}

/**
 * Recurrent layers step by step, in operators that have gradients and mirrors: what one layer of ONNX or Keras computes
 * along a sequence becomes a stretch of nodes for each of its positions.
 *
 * Sources: Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000 (LSTM); Cho et al., 2014 (GRU);
 * Elman, 1990 (RNN); the equations and their options as ONNX's operators LSTM, GRU and RNN state them.
 */
import { type Attributes, attribute } from "../graph/graph.js";
import type { Gate, RecurrentNode } from "../graph/recurrent-node.js";
import { floatTensor, intTensor, type Tensor } from "../graph/tensor.js";

/** Adds nodes to a graph. Names say what a value is; what makes them unique is the writer's business. */
export interface NodeWriter {
  /** @returns names of the outputs */
  readonly nodes: (
    part: string,
    op: string,
    inputs: readonly string[],
    attributes: Attributes,
    outputs: number,
  ) => string[];
  /** @returns the name of a constant */
  readonly constant: (part: string, tensor: Tensor) => string;
}

/** What all directions of a layer have in common. */
export interface RecurrentSettings {
  readonly kind: RecurrentNode["op"];
  /** Gates as they lie in the matrices: four of an LSTM, three of a GRU, one of an RNN. */
  readonly gates: readonly Gate[];
  /** Size of the state. */
  readonly hidden: number;
  /**
   * ONNX operators: of the gates, of what the gates let in, and (LSTM) of what they let out. An RNN has the first alone.
   */
  readonly activations: readonly string[];
  /** GRU: the reset gate acts on what the state's matrix has made, not on the state. */
  readonly resetsAfterProduct: boolean;
}

/** One direction of a layer. Tensors by name. */
export interface RecurrentDirection {
  /** [batch, length, gates · hidden]: W x and all biases that add to it, see {@link writeProduct}. */
  readonly projected: string;
  /** It reads the sequence from its end. */
  readonly reversed: boolean;
  /** [gates · hidden, hidden]; multiplies the state. */
  readonly weight: string;
  /** [gates · hidden]; of a GRU that resets after the product. */
  readonly bias?: string;
  /** [batch, 1, hidden]; without one the state starts at zero. */
  readonly state?: string;
  /** The same of an LSTM's cells. */
  readonly cell?: string;
  /** [batch, length, 1]: 1 at positions that count, 0 at those that leave state and cells as they were. */
  readonly mask?: string;
  /** What is given at positions that do not count is zero, not the state. */
  readonly hidesMasked?: boolean;
  /** An LSTM's weights from cells to gates, [hidden] each. */
  readonly peepholes?: Readonly<Partial<Record<Gate, string>>>;
}

/** What a direction gives: [batch, 1, hidden] each. */
export interface RecurrentStates {
  /** By position in the sequence. */
  readonly states: readonly string[];
  /** The last one that is computed. */
  readonly state: string;
  /** The last cells of an LSTM. */
  readonly cell?: string;
}

/**
 * Writes x Wᵀ and adds biases.
 *
 * @param x [..., inputs]
 * @param weight [outputs, inputs]
 */
export function writeProduct(writer: NodeWriter, x: string, weight: string, biases: readonly string[]): string {
  const one = (part: string, op: string, inputs: readonly string[], attributes: Attributes = {}): string =>
    writer.nodes(part, op, inputs, attributes, 1)[0];
  const matrix = one("input_weight", "Transpose", [weight], { perm: attribute.ints([1, 0]) });
  const product = one("input_product", "MatMul", [x, matrix]);
  return biases.reduce((sum, bias) => one("input_biased", "Add", [sum, bias]), product);
}

/**
 * Writes one direction of a layer, position by position.
 *
 * @param length of the sequence, at least 1
 */
export function writeRecurrence(
  writer: NodeWriter,
  settings: RecurrentSettings,
  direction: RecurrentDirection,
  length: number,
): RecurrentStates {
  return new Recurrence(writer, settings, direction).write(length);
}

class Recurrence {
  readonly #writer: NodeWriter;
  readonly #settings: RecurrentSettings;
  readonly #direction: RecurrentDirection;
  /** Matrices that multiply the state from the right, by gate or for all of them. */
  readonly #matrices = new Map<Gate | "all", string>();
  #position = 0;
  #sizes: string | undefined;
  #unity: string | undefined;

  constructor(writer: NodeWriter, settings: RecurrentSettings, direction: RecurrentDirection) {
    this.#writer = writer;
    this.#settings = settings;
    this.#direction = direction;
  }

  write(length: number): RecurrentStates {
    const { kind } = this.#settings;
    const { projected, reversed, mask, hidesMasked } = this.#direction;
    const sizes = this.#writer.constant("lengths", intTensor(new Array<number>(length).fill(1)));
    const along = { axis: attribute.int(1) };
    const inputs = this.#writer.nodes("positions", "Split", [projected, sizes], along, length);
    const counts =
      mask === undefined ? undefined : this.#writer.nodes("counting", "Split", [mask, sizes], along, length);
    const states = new Array<string>(length);
    let { state, cell } = this.#direction;
    for (let count = 0; count < length; count++) {
      this.#position = reversed ? length - 1 - count : count;
      const input = inputs[this.#position];
      const before = { state, cell };
      if (kind === "LSTM") [state, cell] = this.#lstm(input, state, cell);
      else state = kind === "GRU" ? this.#gru(input, state) : this.#rnn(input, state);
      if (counts) {
        const counting = counts[this.#position];
        state = this.#unlessMasked("state", counting, state, before.state);
        if (cell !== undefined) cell = this.#unlessMasked("cell", counting, cell, before.cell);
        states[this.#position] = hidesMasked ? this.#one("shown_state", "Mul", [state, counting]) : state;
      } else states[this.#position] = state;
    }
    if (state === undefined) throw new Error("a sequence without positions");
    return { states, state, ...(kind === "LSTM" && cell !== undefined ? { cell } : {}) };
  }

  /** The new value at positions that count, the old one, or zero, at others. */
  #unlessMasked(part: string, counting: string, next: string, before: string | undefined): string {
    const taken = this.#one(`${part}_taken`, "Mul", [next, counting]);
    if (before === undefined) return taken;
    const masked = this.#one("masked", "Sub", [this.#constantOne(), counting]);
    return this.#one(`${part}_after`, "Add", [taken, this.#one(`${part}_left`, "Mul", [before, masked])]);
  }

  /** h' = f(W x + R h + b) */
  #rnn(input: string, state: string | undefined): string {
    const [activation] = this.#settings.activations;
    return this.#one("state", activation, [this.#plusState(input, state)]);
  }

  /** c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh c', the gates i, f, o and the new content g read x and h. */
  #lstm(input: string, state: string | undefined, cell: string | undefined): [string, string] {
    const [gate, content, output] = this.#settings.activations;
    const parts = this.#apart(this.#plusState(input, state));
    const opened = (which: Gate, cells: string | undefined): string => {
      const peephole = this.#direction.peepholes?.[which];
      const looked =
        peephole === undefined || cells === undefined
          ? parts[which]
          : this.#one(`${which}_looked`, "Add", [parts[which], this.#one(`${which}_seen`, "Mul", [cells, peephole])]);
      return this.#one(which, gate, [looked]);
    };
    const added = this.#one("added", "Mul", [opened("input", cell), this.#one("content", content, [parts.cell])]);
    const cells =
      cell === undefined
        ? added
        : this.#one("cell", "Add", [this.#one("kept", "Mul", [opened("forget", cell), cell]), added]);
    return [this.#one("state", "Mul", [opened("output", cells), this.#one("shown", output, [cells])]), cells];
  }

  /** h' = (1 − z) ⊙ n + z ⊙ h, with n = tanh(W x + r ⊙ (R h + b)) or tanh(W x + R (r ⊙ h) + b) */
  #gru(input: string, state: string | undefined): string {
    const [gate, content] = this.#settings.activations;
    const read = this.#apart(input);
    const fromState = this.#settings.resetsAfterProduct ? this.#stateParts(state) : undefined;
    const sum = (which: Gate, summand: string | undefined): string =>
      summand === undefined ? read[which] : this.#one(`${which}_sum`, "Add", [read[which], summand]);
    const product = (which: Gate): string | undefined =>
      fromState ? fromState[which] : state && this.#timesState(state, which);
    const update = this.#one("update", gate, [sum("update", product("update"))]);
    let reset: string | undefined;
    if (fromState) {
      const opened = this.#one("reset", gate, [sum("reset", product("reset"))]);
      reset = this.#one("let_in", "Mul", [opened, fromState.hidden]);
    } else if (state !== undefined) {
      const opened = this.#one("reset", gate, [sum("reset", product("reset"))]);
      reset = this.#timesState(this.#one("let_in", "Mul", [opened, state]), "hidden");
    }
    const next = this.#one("content", content, [sum("hidden", reset)]);
    const replaced = this.#one("replaced", "Sub", [this.#constantOne(), update]);
    const added = this.#one("added", "Mul", [replaced, next]);
    return state === undefined ? added : this.#one("state", "Add", [added, this.#one("kept", "Mul", [update, state])]);
  }

  /** A GRU's R h + b by gate; without a state that is b. undefined where there is neither. */
  #stateParts(state: string | undefined): Readonly<Record<Gate, string>> | undefined {
    const { bias } = this.#direction;
    if (state === undefined) {
      if (bias === undefined) return undefined;
      const shape = this.#writer.constant("row", intTensor([1, 1, -1]));
      return this.#apart(this.#one("bias", "Reshape", [bias, shape]));
    }
    const product = this.#timesState(state, "all");
    return this.#apart(bias === undefined ? product : this.#one("biased", "Add", [product, bias]));
  }

  #plusState(input: string, state: string | undefined): string {
    return state === undefined ? input : this.#one("sum", "Add", [input, this.#timesState(state, "all")]);
  }

  #timesState(state: string, which: Gate | "all"): string {
    let matrix = this.#matrices.get(which);
    if (matrix === undefined) {
      matrix = this.#one("weight", "Transpose", [this.#rowsOf(which)], { perm: attribute.ints([1, 0]) });
      this.#matrices.set(which, matrix);
    }
    return this.#one("product", "MatMul", [state, matrix]);
  }

  /** The rows of one gate in the matrix that multiplies the state. */
  #rowsOf(which: Gate | "all"): string {
    const { weight } = this.#direction;
    const { gates, hidden } = this.#settings;
    if (which === "all") return weight;
    const apart = this.#writer.constant("apart", intTensor([gates.length, hidden, hidden]));
    const index = this.#writer.constant("gate", intTensor([gates.indexOf(which)], []));
    return this.#one("rows", "Gather", [this.#one("gates", "Reshape", [weight, apart]), index]);
  }

  /** The gates' shares of a value, by gate. */
  #apart(value: string): Readonly<Record<Gate, string>> {
    const { gates, hidden } = this.#settings;
    this.#sizes ??= this.#writer.constant("sizes", intTensor(gates.map(() => hidden)));
    const last = { axis: attribute.int(2) };
    const names = this.#writer.nodes(this.#part("gates"), "Split", [value, this.#sizes], last, gates.length);
    return Object.fromEntries(gates.map((gate, index) => [gate, names[index]])) as Record<Gate, string>;
  }

  #constantOne(): string {
    this.#unity ??= this.#writer.constant("one", floatTensor([1], []));
    return this.#unity;
  }

  #one(part: string, op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.#writer.nodes(this.#part(part), op, inputs, attributes, 1)[0];
  }

  #part(part: string): string {
    return `${this.#position}/${part}`;
  }
}

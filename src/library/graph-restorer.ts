/** Gives a graph back the tensors that its framework has, and remembers the way back into the file. */
import { convertTensor } from "../formats/convert-tensor.js";
import type { ModelFile } from "../formats/model-file.js";
import { attribute, type Node } from "../graph/graph.js";
import {
  type DirectionTensors,
  type Gate,
  type RecurrentNode,
  recurrentNode,
  stackedGates,
} from "../graph/recurrent-node.js";
import { floatTensor, isFloating, numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import { reorderGates, stackedParts } from "./stacked-matrices.js";

/** How the framework's tensor is the file's: as it is, a matrix the other way round, or the same elements in one axis. */
export type View = "same" | "transposed" | "flat";

/** What was restored, by the framework's names. */
export interface Restoration {
  /** The file's name of each tensor that has another one there. */
  readonly renamed: Readonly<Record<string, string>>;
  /** Tensors that the export had merged with others of equal elements. */
  readonly separated: readonly string[];
  /** Tensors that stand for several still, since it is not certain for which. */
  readonly merged: readonly string[];
  /** Biases that the export had left out, being zero. */
  readonly zeros: readonly string[];
  /** Weights into which the export had folded a batch normalisation, and the normalisation's tensors. */
  readonly unfolded: Readonly<Record<string, readonly string[]>>;
  /** Tensors of recurrent layers, and the tensor in which ONNX has each, stacked with others. */
  readonly unstacked: Readonly<Record<string, string>>;
  /** Copies that the export had made of tied weights, by the file's names, and the tensor that each is a copy of. */
  readonly tied: Readonly<Record<string, string>>;
}

/** A batch normalisation's tensors by name. */
export interface NormalizationNames {
  readonly scale: string;
  readonly shift: string;
  readonly mean: string;
  readonly variance: string;
}

/** What to take out of a convolution's or matrix product's weight. */
interface Unfolding {
  readonly names: NormalizationNames;
  readonly epsilon: number;
  /** Name of the layer's own bias, where the framework has one. */
  readonly bias?: string;
  /** The framework's elements, where they are known; else the normalisation starts as the identity. */
  readonly known?: ReadonlyMap<string, Tensor>;
}

interface Fold extends Unfolding {
  readonly output: string;
  readonly weight: string;
  readonly fileWeight: string;
  /** The file's bias, where this layer alone has it. */
  readonly fileBias: string | undefined;
  /** A layer whose folded bias was left out or merged gets one of its own under this name. */
  readonly addedBias: string;
}

/** A stacked tensor of the file and what it is made of. */
interface Stack {
  readonly file: string;
  readonly parts: readonly string[];
  readonly gates: readonly Gate[];
  readonly ownGates: readonly Gate[];
}

/** A tensor of the file that holds another one's elements, as they are or turned round, and is written anew with it. */
interface Tie {
  readonly file: string;
  readonly original: string;
  readonly view: View;
}

/** A graph that changes step by step. Nodes go by their first output. */
export class GraphRestorer {
  readonly #model: ModelFile;
  readonly initializers: Map<string, Tensor>;
  nodes: readonly Node[];
  /** Tensors that are no parameters in the framework. */
  readonly constants = new Set<string>();
  readonly #fileNames = new Map<string, string>();
  readonly #views = new Map<string, View>();
  readonly #separated = new Set<string>();
  readonly #zeros: string[] = [];
  readonly #merged: string[] = [];
  readonly #folds: Fold[] = [];
  readonly #stacks: Stack[] = [];
  #ties: readonly Tie[] = [];
  readonly #added = new Map<string, Tensor>();
  readonly #dropped = new Set<string>();
  readonly #inputs = new Map<string, readonly string[]>();

  constructor(model: ModelFile) {
    this.#model = model;
    this.initializers = new Map(model.graph.initializers);
    this.nodes = model.graph.nodes;
  }

  /** A floating-point initializer of this many elements or more. */
  parameter(name: string | undefined, least = 2): Tensor | undefined {
    const tensor = this.initializers.get(name ?? "");
    return tensor && isFloating(tensor.type) && sizeOf(tensor.shape) >= least ? tensor : undefined;
  }

  /** A tensor as the framework lays it out. */
  asStored(name: string, tensor: Tensor): Tensor {
    const view = this.#views.get(name) ?? "same";
    return view === "same" ? this.#model.asStored(name, tensor) : viewed(tensor, view);
  }

  /** True where no value of the graph has this name. */
  isFree(name: string): boolean {
    return (
      !this.initializers.has(name) &&
      this.nodes.every(({ inputs, outputs }) => !inputs.includes(name) && !outputs.includes(name))
    );
  }

  /**
   * Calls a tensor of the file by the framework's name. Where a tensor has that name already, this one is tied to it if it
   * holds the same elements, and else left alone.
   */
  rename(from: string, to: string, view: View): void {
    const tensor = this.initializers.get(from);
    if (!tensor || from === to) return;
    if (!this.isFree(to)) {
      const known = this.#views.get(to) ?? "same";
      if (view !== "flat" && known !== "flat") this.tie(from, to, view === known ? "same" : "transposed");
      return;
    }
    this.initializers.delete(from);
    this.initializers.set(to, tensor);
    this.nodes = this.nodes.map((node) =>
      node.inputs.includes(from) ? { ...node, inputs: node.inputs.map((name) => (name === from ? to : name)) } : node,
    );
    this.#fileNames.set(to, this.#fileNames.get(from) ?? from);
    if (view !== "same") this.#views.set(to, view);
    this.#ties = this.#ties.map((tie) => (tie.original === from ? { ...tie, original: to } : tie));
  }

  /** Do two matrices hold the same elements, the first as this view has it? */
  isCopy(copy: string, original: string, view: View): boolean {
    const [tensor, whole] = [copy, original].map((name) => this.parameter(name));
    if (!tensor || !whole || tensor.type !== whole.type || tensor.shape.length !== 2 || copy === original) return false;
    const shape = view === "transposed" ? [...tensor.shape].reverse() : tensor.shape;
    if (shape.join() !== whole.shape.join()) return false;
    const [rows, columns] = whole.shape;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const place = view === "transposed" ? column * rows + row : row * columns + column;
        if (tensor.data[place] !== whole.data[row * columns + column]) return false;
      }
    return true;
  }

  /**
   * Has the graph compute a copy from the tensor that it is a copy of, which the framework has once. Nothing happens where
   * the two do not hold the same elements.
   */
  tie(copy: string, original: string, view: View): void {
    if (!this.isCopy(copy, original, view)) return;
    this.initializers.delete(copy);
    if (view === "same")
      this.nodes = this.nodes.map((node) =>
        node.inputs.includes(copy)
          ? { ...node, inputs: node.inputs.map((name) => (name === copy ? original : name)) }
          : node,
      );
    else {
      const name = `${copy}/tied`;
      const attributes = { perm: attribute.ints([1, 0]) };
      this.nodes = [
        { op: "Transpose", domain: "", name, inputs: [original], outputs: [copy], attributes },
        ...this.nodes,
      ];
    }
    this.#ties = [...this.#ties, { file: this.#fileNames.get(copy) ?? copy, original, view }];
    this.#fileNames.delete(copy);
  }

  /** Gives one input of a node, or several of one name, a tensor of its own with the elements of the shared one. */
  separate(output: string, slot: number, name: string, view: View): void {
    const node = this.nodes.find(({ outputs }) => outputs[0] === output);
    const tensor = this.initializers.get(node?.inputs[slot] ?? "");
    if (!node || !tensor) return;
    if (!this.#separated.has(name)) {
      if (!this.isFree(name)) return;
      // In the file, the framework's name is for what is laid out as the framework has it.
      const file = view === "same" ? name : `${name}/${view}`;
      this.initializers.set(name, tensor);
      this.#added.set(file, tensor);
      this.#separated.add(name);
      if (file !== name) this.#fileNames.set(name, file);
      if (view !== "same") this.#views.set(name, view);
    }
    this.#setInput(node, slot, name);
  }

  /** Notes a tensor that stands for several, of which not all are known. */
  leaveMerged(name: string): void {
    this.#merged.push(name);
  }

  /** Makes an initializer of what a node hands on from another. */
  separateCopy({ inputs: [from], outputs: [to] }: Node): void {
    const tensor = this.initializers.get(from);
    if (!tensor) return;
    this.initializers.set(to, tensor);
    this.#added.set(to, tensor);
    this.#dropped.add(to);
    this.#separated.add(to);
    this.nodes = this.nodes.filter(({ outputs }) => outputs[0] !== to);
  }

  /** Gives a layer its bias of zeros again, at each of its calls. */
  addBias(output: string, name: string): void {
    const node = this.nodes.find(({ outputs }) => outputs[0] === output);
    const weight = this.parameter(node?.inputs[1]);
    if (!node || !weight || node.inputs[2] || !hasOutputsFirst(node)) return;
    if (!this.#zeros.includes(name)) {
      if (!this.isFree(name)) return;
      const zeros = convertTensor(floatTensor(new Float32Array(weight.shape[0])), weight.type);
      this.initializers.set(name, zeros);
      this.#added.set(name, zeros);
      this.#zeros.push(name);
    }
    this.#setInput(node, 2, name);
  }

  /** Takes a layer's bias away, which the framework does not have. */
  dropBias(output: string): void {
    const node = this.nodes.find(({ outputs }) => outputs[0] === output);
    if (!node) return;
    const inputs = node.inputs.slice(0, 2);
    this.nodes = this.nodes.map((other) => (other === node ? { ...node, inputs } : other));
    this.#inputs.set(
      output,
      inputs.map((name) => this.#fileNames.get(name) ?? name),
    );
  }

  /** Puts a batch normalisation behind the layer that it was folded into. @returns false where that cannot be */
  unfold(output: string, unfolding: Unfolding): boolean {
    const node = this.nodes.find(({ outputs }) => outputs[0] === output);
    const weight = node?.inputs[1] ?? "";
    const tensor = this.parameter(weight);
    const names = Object.values(unfolding.names);
    if (!node || !tensor || !hasOutputsFirst(node) || this.#readers(weight) > 1) return false;
    const ownBias = node.inputs[2] || undefined;
    const reserved = [...names, ...(unfolding.bias === undefined ? [] : [unfolding.bias])];
    if (new Set(reserved).size < reserved.length) return false;
    if (!reserved.every((name) => this.isFree(name) || name === ownBias)) return false;
    const shared = ownBias !== undefined && this.#readers(ownBias) > 1;
    if (ownBias !== undefined && !this.initializers.has(ownBias)) return false;
    const units = tensor.shape[0];
    const biasTensor = ownBias === undefined ? undefined : this.initializers.get(ownBias);
    const root = Math.sqrt(1 + unfolding.epsilon);
    const known = unfolding.known;
    const put = (name: string, elements: readonly number[]): void => {
      const given = known?.get(name);
      this.initializers.set(name, convertTensor(floatTensor(given ? numbersOf(given) : elements), tensor.type));
    };
    const filled = (value: number): number[] => new Array<number>(units).fill(value);
    const biases = biasTensor ? numbersOf(biasTensor) : filled(0);
    if (ownBias !== undefined && !shared) this.initializers.delete(ownBias);
    const given = known?.get(weight);
    const elements = given ? numbersOf(given) : numbersOf(tensor).map((value) => value * root);
    this.initializers.set(weight, convertTensor(floatTensor(elements, tensor.shape), tensor.type));
    if (unfolding.bias !== undefined)
      put(
        unfolding.bias,
        biases.map((value) => value * root),
      );
    put(unfolding.names.scale, filled(1));
    put(unfolding.names.shift, unfolding.bias === undefined ? biases : filled(0));
    put(unfolding.names.mean, filled(0));
    put(unfolding.names.variance, filled(1));
    const before = `${output}/before ${unfolding.names.scale}`;
    const layer: Node = {
      ...node,
      inputs: [node.inputs[0], weight, ...(unfolding.bias === undefined ? [] : [unfolding.bias])],
      outputs: [before],
    };
    const { scale, shift, mean, variance } = unfolding.names;
    const normalization: Node = {
      op: "BatchNormalization",
      domain: "",
      name: `${node.name}/BatchNormalization`,
      inputs: [before, scale, shift, mean, variance],
      outputs: [output],
      attributes: { epsilon: attribute.float(unfolding.epsilon), momentum: attribute.float(0.9) },
    };
    this.nodes = this.nodes.flatMap((other) => (other === node ? [layer, normalization] : [other]));
    this.#folds.push({
      ...unfolding,
      output,
      weight,
      fileWeight: this.#fileNames.get(weight) ?? weight,
      fileBias: shared ? undefined : ownBias && (this.#fileNames.get(ownBias) ?? ownBias),
      addedBias: `${scale}/folded`,
    });
    return true;
  }

  /**
   * Has recurrent layers read the framework's own tensors, in place of the stacked ones that hold them or, where these are
   * no initializers, are computed from them.
   *
   * @param outputs the nodes that share the tensors
   * @param own the framework's order of gates
   * @returns false where that cannot be
   */
  unstack(outputs: readonly string[], directions: readonly DirectionTensors[], own: readonly Gate[]): boolean {
    const nodes = this.nodes.filter((node) => outputs.includes(node.outputs[0]));
    const parts = stackedParts(directions);
    if (nodes.length === 0 || new Set(parts.map(({ name }) => name)).size < parts.length) return false;
    const gates = stackedGates[nodes[0].op];
    const stacks: Stack[] = [];
    const tensors = new Map<string, Tensor>();
    for (const slot of [1, 2, 3]) {
      const inside = parts.filter((part) => part.slot === slot).map(({ name }) => name);
      const [input, ...others] = new Set(nodes.map((node) => node.inputs[slot] ?? ""));
      if ((input === "") !== (inside.length === 0)) return false;
      if (input === "") continue;
      const tensor = this.parameter(input);
      if (!tensor) {
        if (!inside.every((name) => this.parameter(name))) return false;
        continue;
      }
      const size = sizeOf(tensor.shape) / inside.length;
      const fits = tensor.shape.length === (slot === 3 ? 2 : 3) && tensor.shape[0] === directions.length;
      if (others.length > 0 || this.#readers(input) !== nodes.length || !fits || size % gates.length !== 0)
        return false;
      if (!inside.every((name) => this.isFree(name))) return false;
      const elements = reorderGates(numbersOf(tensor), gates, own, size);
      const shape = slot === 3 ? [size] : tensor.shape.slice(1);
      for (const [place, name] of inside.entries()) {
        const part = floatTensor(elements.slice(place * size, (place + 1) * size), shape);
        tensors.set(name, convertTensor(part, tensor.type));
      }
      stacks.push({ file: input, parts: inside, gates, ownGates: own });
    }
    for (const [name, tensor] of tensors) this.initializers.set(name, tensor);
    for (const stack of stacks) {
      this.initializers.delete(stack.file);
      this.#stacks.push({ ...stack, file: this.#fileNames.get(stack.file) ?? stack.file });
    }
    this.nodes = this.nodes.map((node) => (nodes.includes(node) ? withOwnMatrices(node, directions, own) : node));
    return true;
  }

  /** Number of inputs of nodes that read a value. */
  #readers(name: string): number {
    return this.nodes.reduce((count, { inputs }) => count + inputs.filter((input) => input === name).length, 0);
  }

  /** Changes or adds an input; the file is written so, too. */
  #setInput(node: Node, slot: number, name: string): void {
    const withInput = (inputs: readonly string[], own: string): string[] => [
      ...inputs.slice(0, slot),
      own,
      ...inputs.slice(slot + 1),
    ];
    this.nodes = this.nodes.map((other) =>
      other === node ? { ...node, inputs: withInput(node.inputs, name) } : other,
    );
    const file = this.#inputs.get(node.outputs[0]) ?? node.inputs.map((old) => this.#fileNames.get(old) ?? old);
    this.#inputs.set(node.outputs[0], withInput(file, this.#fileNames.get(name) ?? name));
  }

  restoration(): Restoration {
    return {
      merged: this.#merged,
      renamed: Object.fromEntries([...this.#fileNames].filter(([name]) => !this.#separated.has(name))),
      separated: [...this.#separated].filter((name) => this.initializers.has(name)),
      zeros: this.#zeros,
      unfolded: Object.fromEntries(this.#folds.map(({ weight, names }) => [weight, Object.values(names)])),
      unstacked: Object.fromEntries(this.#stacks.flatMap(({ file, parts }) => parts.map((name) => [name, file]))),
      tied: Object.fromEntries(this.#ties.map(({ file, original }) => [file, original])),
    };
  }

  /** The model with the restored graph, written back as the file has it. */
  finish(): ModelFile {
    const { writeEdited } = this.#model;
    if (!writeEdited) throw new Error("only models whose structure can be edited are restored");
    const { graph } = this.#model;
    // Old files list weights among the inputs, under the file's names.
    const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
    return {
      ...this.#model,
      graph: { ...graph, inputs, initializers: this.initializers, nodes: this.nodes },
      asStored: (name, tensor) => this.asStored(name, tensor),
      write: (replacements) => {
        const { file, edits } = this.#fold(replacements);
        return writeEdited(file, edits);
      },
    };
  }

  /** Replacements by the file's names, with every normalisation folded again. */
  #fold(replacements: ReadonlyMap<string, Tensor>) {
    const added = new Map(this.#added);
    const inputs = new Map(this.#inputs);
    const file = new Map<string, Tensor>();
    const now = (name: string): Tensor => {
      const tensor = replacements.get(name) ?? this.initializers.get(name);
      if (!tensor) throw new Error(`${name} is no tensor of the model`);
      return tensor;
    };
    const inFolds = new Set<string>();
    for (const fold of this.#folds) {
      const parts = [fold.weight, ...Object.values(fold.names), ...(fold.bias === undefined ? [] : [fold.bias])];
      for (const name of parts) inFolds.add(name);
      if (!parts.some((name) => replacements.has(name))) continue;
      const type = now(fold.weight).type;
      const [scale, shift, mean, variance] = Object.values(fold.names).map((name) => numbersOf(now(name)));
      const factors = scale.map((value, unit) => value / Math.sqrt(variance[unit] + fold.epsilon));
      const weight = now(fold.weight);
      const size = sizeOf(weight.shape.slice(1));
      const folded = numbersOf(weight).map((value, place) => value * factors[Math.floor(place / size)]);
      const own = fold.bias === undefined ? undefined : numbersOf(now(fold.bias));
      const biases = factors.map((factor, unit) => shift[unit] + ((own?.[unit] ?? 0) - mean[unit]) * factor);
      file.set(fold.fileWeight, convertTensor(floatTensor(folded, weight.shape), type));
      const bias = convertTensor(floatTensor(biases), type);
      if (fold.fileBias !== undefined) file.set(fold.fileBias, bias);
      else {
        const node = this.#model.graph.nodes.find(({ outputs }) => outputs[0] === fold.output);
        const read = inputs.get(fold.output) ?? node?.inputs ?? [];
        added.set(fold.addedBias, bias);
        inputs.set(fold.output, [read[0], read[1], fold.addedBias]);
      }
    }
    for (const { file: stack, parts, gates, ownGates } of this.#stacks) {
      for (const name of parts) inFolds.add(name);
      const before = this.#model.graph.initializers.get(stack);
      if (!before || !parts.some((name) => replacements.has(name))) continue;
      const elements = parts.flatMap((name) => numbersOf(now(name)));
      const stacked = reorderGates(elements, ownGates, gates, elements.length / parts.length);
      file.set(stack, convertTensor(floatTensor(stacked, before.shape), before.type));
    }
    for (const { file: copy, original, view } of this.#ties)
      if (replacements.has(original)) file.set(copy, viewed(now(original), view));
    for (const [name, tensor] of replacements) {
      if (inFolds.has(name)) continue;
      file.set(this.#fileNames.get(name) ?? name, tensor);
    }
    return { file, edits: { added, dropped: this.#dropped, inputs } };
  }
}

/** One of ONNX's recurrent layers as a node with a framework's own tensors. */
function withOwnMatrices(node: Node, directions: readonly DirectionTensors[], gates: readonly Gate[]): Node {
  const { op, name, inputs, attributes, outputs } = node;
  const [sequence, , , , , state = "", cell = ""] = inputs;
  const own = { sequence, state, cell, directions, gates };
  return recurrentNode({ op: op as RecurrentNode["op"], name, ...own, attributes, outputs });
}

/** Does a layer's weight have its outputs on the first axis? */
function hasOutputsFirst({ op, attributes }: Node): boolean {
  const { transB } = attributes;
  return op === "Conv" || (op === "Gemm" && transB?.kind === "int" && transB.value === 1);
}

/** The tensor as this view has it; a transposition undoes itself. */
export function viewed(tensor: Tensor, view: View): Tensor {
  if (view === "same") return tensor;
  if (view === "flat") return { ...tensor, shape: [sizeOf(tensor.shape)] };
  const [rows, columns] = tensor.shape;
  const data = (tensor.data as Float32Array).slice();
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      data[column * rows + row] = (tensor.data as Float32Array)[row * columns + column];
  return { type: tensor.type, shape: [columns, rows], data };
}

/** True where every tensor is as the file has it. */
export function isNothing({ renamed, separated, zeros, unfolded, unstacked, tied }: Restoration): boolean {
  const records = [renamed, unfolded, unstacked, tied].map((record) => Object.keys(record).length);
  return records.reduce((sum, count) => sum + count, separated.length + zeros.length) === 0;
}

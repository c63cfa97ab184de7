/** Writes a Loop whose number of turns does not hang on the samples' values as what it computes at each turn. */
import { checkGraph } from "../graph/check.js";
import { attribute, firstOutput, type Graph, type Node } from "../graph/graph.js";
import { intTensor, sizeOf, type Tensor } from "../graph/tensor.js";
import { knownConstant } from "./known-constant.js";
import type { NetworkOptions } from "./network.js";
import { longestSequence, Obstacle } from "./unroll-recurrences.js";
import { upgradeGraph } from "./upgrade.js";

/** A graph without the loops that could be unrolled. */
export interface UnrolledLoops {
  readonly graph: Graph;
  /** Tensors that are stored inside loops: they cannot be written back, and stay as they are. */
  readonly constants: ReadonlySet<string>;
  /** Why a loop could not be unrolled, by its first output. */
  readonly obstacles: ReadonlyMap<string, string>;
}

/** Graphs grow with the turns, as they do with the positions of recurrent layers. */
const mostNodes = 20_000;

/**
 * Unrolls every Loop of a graph whose turns are as many whatever the samples are, as those of `jax.lax.scan` and
 * `jax.lax.fori_loop` are.
 *
 * @param graph of its model's own operator set
 */
export function unrollLoops(graph: Graph, opset: number, options: NetworkOptions): UnrolledLoops {
  const constants = new Set<string>();
  const obstacles = new Map<string, string>();
  let current = graph;
  for (;;) {
    const node = current.nodes.find((each) => isLoop(each) && !obstacles.has(firstOutput(each)));
    if (!node) return { graph: current, constants, obstacles };
    try {
      const { nodes, initializers } = unrolled(current, opset, options, node);
      const next = {
        ...current,
        initializers: new Map([...current.initializers, ...initializers]),
        nodes: current.nodes.flatMap((each) => (each === node ? nodes : [each])),
      };
      const [complaint] = checkGraph(next);
      if (complaint !== undefined) throw new Obstacle(`unrolled, ${complaint}`);
      for (const name of initializers.keys()) constants.add(name);
      for (const each of nodes) if (each.op === "Constant") constants.add(each.outputs[0]);
      current = next;
    } catch (error) {
      if (!(error instanceof Obstacle)) throw error;
      obstacles.set(firstOutput(node), error.message);
    }
  }
}

function isLoop({ op, domain }: Node): boolean {
  return op === "Loop" && domain === "";
}

/** The parts of a loop's body. Names are those inside the body. */
interface Body {
  readonly graph: Graph;
  readonly turn: string;
  readonly condition: string;
  /** Inputs and outputs of what a turn hands to the next one, by place. */
  readonly states: readonly { readonly before: string; readonly after: string }[];
  /** What each turn adds a slice to. */
  readonly collected: readonly string[];
}

/** @throws Obstacle */
function bodyOf({ attributes: { body }, inputs, outputs }: Node): Body {
  if (body?.kind !== "graph") throw new Obstacle("its body is not of tensors throughout");
  const graph = body.value;
  const count = inputs.length - 2;
  const [turn, condition, ...before] = graph.inputs.map(({ name }) => name);
  const [, ...after] = graph.outputs.map(({ name }) => name);
  if (count < 0 || before.length !== count || after.length < count || outputs.length > after.length)
    throw new Obstacle("its body has other inputs or outputs than it");
  for (const { attributes } of graph.nodes)
    if (Object.values(attributes).some(({ kind }) => kind === "graph" || kind === "opaque"))
      throw new Obstacle("there is control flow inside of it");
  return {
    graph,
    turn,
    condition,
    states: before.map((name, place) => ({ before: name, after: after[place] })),
    collected: after.slice(count),
  };
}

/** @throws Obstacle where the number of turns is not known, or too large */
function turnsOf(graph: Graph, opset: number, options: NetworkOptions, node: Node, body: Body): number {
  const upgraded = upgradeGraph(graph, opset);
  const numberOf = (name: string): number | undefined => {
    const tensor = knownConstant(upgraded, name, options);
    return tensor && sizeOf(tensor.shape) === 1 ? Number(tensor.data[0]) : undefined;
  };
  const [most = "", first = ""] = node.inputs;
  if (first !== "" && numberOf(first) !== 1) throw new Obstacle("whether it begins depends on the samples");
  if (!goesOn(body)) throw new Obstacle("when it ends depends on what it computes");
  const turns = most === "" ? undefined : numberOf(most);
  if (turns === undefined) throw new Obstacle("how many turns it makes depends on the samples");
  if (!(turns >= 1 && turns <= longestSequence))
    throw new Obstacle(`loops of 1 to ${longestSequence} turns can be trained, not of ${turns}`);
  if (turns * body.graph.nodes.length > mostNodes)
    throw new Obstacle(
      `unrolled it has more than ${mostNodes} operators, ${body.graph.nodes.length} in ${turns} turns`,
    );
  return turns;
}

/** Whether a body says at each turn that there is a next one: by a constant, or by what it was told itself. */
function goesOn({ graph, condition }: Body): boolean {
  let { name } = graph.outputs[0];
  for (;;) {
    if (name === condition) return true;
    const node = graph.nodes.find(({ outputs }) => outputs.includes(name));
    const value = node?.op === "Constant" ? node.attributes.value : undefined;
    const stored = value?.kind === "tensor" ? value.value : graph.initializers.get(name);
    if (stored) return sizeOf(stored.shape) === 1 && Number(stored.data[0]) === 1;
    if (node?.op !== "Identity") return false;
    [name] = node.inputs;
  }
}

function unrolled(
  graph: Graph,
  opset: number,
  options: NetworkOptions,
  node: Node,
): { readonly nodes: readonly Node[]; readonly initializers: ReadonlyMap<string, Tensor> } {
  const body = bodyOf(node);
  const turns = turnsOf(graph, opset, options, node, body);
  const taken = new Set([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)]);
  for (const { inputs, outputs } of graph.nodes) for (const name of [...inputs, ...outputs]) taken.add(name);
  const fresh = (part: string): string => {
    const stem = `${firstOutput(node)}/${part}`;
    let name = stem;
    for (let count = 2; taken.has(name); count++) name = `${stem}_${count}`;
    taken.add(name);
    return name;
  };
  const nodes: Node[] = [];
  const initializers = new Map<string, Tensor>();
  const constant = (part: string, tensor: Tensor): string => {
    const name = fresh(part);
    initializers.set(name, tensor);
    return name;
  };
  const add = (op: string, inputs: readonly string[], output: string, attributes: Node["attributes"] = {}): string => {
    nodes.push({ op, domain: "", name: output, inputs, outputs: [output], attributes });
    return output;
  };

  const shared = new Map([...body.graph.initializers].map(([name, tensor]) => [name, constant(name, tensor)]));
  shared.set(body.condition, constant("goes_on", { type: "bool", shape: [], data: Uint8Array.of(1) }));
  const turnShape = body.graph.inputs[0].shape?.length === 1 ? [1] : [];
  const slices = body.collected.map((): string[] => []);
  let states = node.inputs.slice(2);
  for (let turn = 0; turn < turns; turn++) {
    const names = new Map(shared);
    names.set(body.turn, constant(`${turn}/turn`, intTensor([turn], turnShape)));
    body.states.forEach(({ before }, place) => {
      names.set(before, states[place]);
    });
    const named = (name: string): string => names.get(name) ?? name;
    for (const each of body.graph.nodes) {
      // What a turn hands on as it is, as weights, stays one value.
      if (each.op === "Identity" && each.domain === "") {
        names.set(each.outputs[0], named(each.inputs[0]));
        continue;
      }
      const inputs = each.inputs.map(named);
      for (const name of each.outputs) if (name !== "") names.set(name, fresh(`${turn}/${name}`));
      nodes.push({ ...each, name: fresh(`${turn}/${each.name || each.op}`), inputs, outputs: each.outputs.map(named) });
    }
    states = body.states.map(({ after }) => named(after));
    body.collected.forEach((name, place) => {
      const axes = constant(`${turn}/axes`, intTensor([0]));
      slices[place].push(add("Unsqueeze", [named(name), axes], fresh(`${turn}/slice`)));
    });
  }
  node.outputs.forEach((output, place) => {
    if (output === "") return;
    if (place < states.length) add("Identity", [states[place]], output);
    else add("Concat", slices[place - states.length], output, { axis: attribute.int(0) });
  });
  return { nodes, initializers };
}

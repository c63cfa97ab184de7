/** A network's steps as `inspect` shows them: what F is made of, and what stands behind it. */
import { UserError } from "../errors.js";
import { dependents, firstOutput, isOfShapes, type Node } from "../graph/graph.js";
import { Emitter } from "../ops/emitter.js";
import { instanceUpTo } from "../ops/instance-up-to.js";
import type { NetworkStep } from "../ops/instantiate.js";
import { ancestors, type Network } from "../ops/network.js";
import { otherInputs } from "../recipe/feature-extractor.js";

/** One step of a chain, with the shape of one sample behind it. */
export interface ChainStep {
  readonly op: string;
  /** The value it gives, in the model's own names; missing for parts that headstart builds. */
  readonly name?: string;
  readonly shape: readonly number[];
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[]; readonly role: string }[];
}

/** A step behind F. Its shape is missing where an operator behind F is not known, or reads another input than the samples. */
export type HeadStep = Omit<ChainStep, "shape"> & Partial<Pick<ChainStep, "shape">>;

/** The steps without those that compute shapes and constants, a recurrent layer as one. */
export function chainSteps(all: readonly NetworkStep[], network: Network): ChainStep[] {
  const shown = all.filter((step) => network.unrolled.has(step.node.outputs[0]) || bringsFeatures(step));
  return stretches(shown, network, ({ node }) => node.outputs[0]).map(({ layer, steps }): ChainStep => {
    const last = steps[steps.length - 1];
    const [output] = last.node.outputs;
    return {
      op: layer?.op ?? last.node.op,
      name: output,
      shape: layer
        ? withoutAxis(last.outputs[0].shape, batchAxis(layer, output))
        : last.outputs[0].shape.slice(last.fromSample.some(Boolean) ? 1 : 0),
      parameters: parametersOf(
        network,
        steps.flatMap(({ parameters }) => parameters),
      ),
    };
  });
}

/** What a network computes of its samples, or of its other inputs, beside F, on the way to any output: `init` leaves it as it is. */
export function headSteps(network: Network, feature: string): HeadStep[] {
  const outputs = network.graph.outputs.map(({ name }) => name);
  const inF = new Set(ancestors(network, [feature]).map(firstOutput));
  try {
    const { steps } = instanceUpTo(new Emitter(), network, outputs);
    return chainSteps(
      steps.filter(({ node }) => !inF.has(firstOutput(node))),
      network,
    );
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  const inputs = new Set([network.input.name, ...otherInputs(network)]);
  const computed = dependents(network.graph, inputs, (node) => !isOfShapes(node));
  return ancestors(network, outputs)
    .filter((node) => computed.has(firstOutput(node)) && !inF.has(firstOutput(node)))
    .map((node) => ({ op: node.op, name: firstOutput(node), parameters: parametersOf(network, node.inputs) }));
}

function parametersOf(network: Network, names: readonly (string | undefined)[]): ChainStep["parameters"] {
  return [...new Set(names)].flatMap((name) => {
    const spec = name === undefined ? undefined : network.parameters.get(name);
    return spec ? [{ name: spec.name, shape: spec.shape, role: spec.role }] : [];
  });
}

/**
 * Does a step compute with the samples, or apply a weight to what is learned? Others compute shapes and constants, or show a
 * parameter in another form to the step that has it.
 */
function bringsFeatures({ node, fromSample, parameters }: NetworkStep): boolean {
  if (isOfShapes(node)) return false;
  return fromSample.some(Boolean) || parameters.slice(1).some((name) => name !== undefined);
}

/** Steps one by one, those of one recurrent layer together. */
export function stretches<Step>(
  steps: readonly Step[],
  { unrolled }: Network,
  outputOf: (step: Step) => string,
): { readonly layer: Node | undefined; readonly steps: readonly Step[] }[] {
  const all: { readonly layer: Node | undefined; readonly steps: Step[] }[] = [];
  for (const step of steps) {
    const layer = unrolled.get(outputOf(step));
    const before = all.at(-1);
    if (layer && before?.layer === layer) before.steps.push(step);
    else all.push({ layer, steps: [step] });
  }
  return all;
}

function batchFirst({ attributes: { layout } }: Node): boolean {
  return layout?.kind === "int" && layout.value === 1;
}

/** Where a recurrent layer's output has the batch: all states, [length, directions, batch, hidden], or the last ones. */
function batchAxis(layer: Node, output: string): number {
  return batchFirst(layer) ? 0 : output === layer.outputs[0] ? 2 : 1;
}

function withoutAxis(shape: readonly number[], axis: number): readonly number[] {
  return shape.filter((_, index) => index !== axis);
}

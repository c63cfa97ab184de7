/** What the features of a network with several outputs are, where nobody has named them. */
import type { FeatureExtractor } from "../recipe/feature-extractor.js";

/** @returns undefined where the network has one output, or the features were named */
export function outputsNote({ network }: FeatureExtractor, named: string | undefined): string | undefined {
  const [first, ...others] = network.graph.outputs.map(({ name }) => name);
  if (named !== undefined || others.length === 0) return undefined;
  const shown = others.length > 3 ? `${others.length} others` : others.join(", ");
  return `the model's first output is ${first}, beside ${shown}: the features are what the last layer in front of it reads; name others with --features.`;
}

/** What the features of a network with several inputs or outputs are, where nobody has named them. */
import { type FeatureExtractor, otherInputs } from "../recipe/feature-extractor.js";

/** @returns undefined where the network has one input and one output, or the features were named */
export function featuresNote({ network, feature }: FeatureExtractor, named: string | undefined): string | undefined {
  if (named !== undefined) return undefined;
  const inputs = otherInputs(network);
  const [first, ...outputs] = network.graph.outputs.map(({ name }) => name);
  const facts = [
    ...(inputs.length > 0
      ? [
          `the model takes ${listed(inputs)} beside ${network.input.name}: F ends at ${feature}, which needs none of them`,
        ]
      : []),
    ...(outputs.length > 0
      ? [
          `the model's first output is ${first}, beside ${listed(outputs)}: the features are what the last layer in front of it reads`,
        ]
      : []),
  ];
  return facts.length === 0 ? undefined : `${facts.join(". ")}; name others with --features.`;
}

function listed(names: readonly string[]): string {
  return names.length > 3 ? `${names.length} others` : names.join(", ");
}

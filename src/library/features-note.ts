/** What the features of a network with a decoder, or with several inputs or outputs, are, where nobody has named them. */
import { ancestors, type Network } from "../ops/network.js";
import { type FeatureExtractor, otherInputs } from "../recipe/feature-extractor.js";

/** @returns undefined where the network has one input, one output and no decoder, or the features were named */
export function featuresNote(
  { network, feature, enlargement }: FeatureExtractor,
  named: string | undefined,
): string | undefined {
  if (named !== undefined) return undefined;
  const inputs = otherInputs(network);
  const joint = jointOf(network, feature, new Set(inputs));
  if (joint !== undefined)
    return `the model takes ${listed(inputs)} beside ${network.input.name}, and joins them in front of F's first layer, at ${joint}: F can only begin behind that, with --input ${joint}, the shape of one sample of it as --input-shape, and such samples.`;
  const [first, ...outputs] = network.graph.outputs.map(({ name }) => name);
  const facts = [
    ...(inputs.length > 0
      ? [
          `the model takes ${listed(inputs)} beside ${network.input.name}: F ends at ${feature}, which needs none of them`,
        ]
      : []),
    ...(outputs.length > 0 && !enlargement
      ? [
          `the model's first output is ${first}, beside ${listed(outputs)}: the features are what the last layer in front of it reads`,
        ]
      : []),
    ...(enlargement
      ? [
          `the network enlarges its smallest map again, at ${enlargement.op} ${enlargement.name || enlargement.outputs[0]}: F ends in front of that, at ${feature}, and the decoder behind it keeps the model's weights. What this start brings such networks was measured to depend on the network, and on how long and with what augmentation it is trained (docs/features.md): train from both starts, and keep what is better`,
        ]
      : []),
  ];
  return facts.length === 0 ? undefined : `${facts.join(". ")}; name others with --features.`;
}

/** The first tensor of those that the features need which needs the samples and other inputs; undefined where none does. */
function jointOf(network: Network, feature: string, others: ReadonlySet<string>): string | undefined {
  const sampled = new Set([network.input.name]);
  const other = new Set(others);
  for (const { inputs, outputs } of ancestors(network, [feature])) {
    const [isSampled, isOther] = [sampled, other].map((known) => inputs.some((name) => known.has(name)));
    if (isSampled && isOther) return outputs[0];
    for (const name of outputs) {
      if (isSampled) sampled.add(name);
      if (isOther) other.add(name);
    }
  }
  return undefined;
}

function listed(names: readonly string[]): string {
  return names.length > 3 ? `${names.length} others` : names.join(", ");
}

/** In which part of the form an option stands. */

/** Those behind "all options", in their order. */
export const optionGroups = ["study", "training", "model", "data", "machine", "other"] as const;
export type OptionGroup = (typeof optionGroups)[number];

const keys: Readonly<Record<Exclude<OptionGroup, "other"> | "main", string>> = {
  main: "recipe arms epochs steps minutes seeds pilot output init.seed compare.labels",
  study:
    "baseline labelsPerClass optimizer learningRates schedule augment tune grid measure target targetRmse minimumEffect longestExtension duplicates",
  training:
    "head labelled selfTrainingSteps batchSize learningRate discriminatorLearningRate pretrainingSeeds pretrainingEpochs start discriminator checkpointEvery",
  model: "task features input inputShape freeze layout stateDict keepNames",
  data:
    "unlabelled labels labelColumn testLabelColumn classNames columns categories header normalise resize convert transform " +
    "onBad limit testLimit unlabelledLimit",
  machine: "device threads workers memory dataWorkers cache cacheLimit tensorboard overwrite",
};

const groups: ReadonlyMap<string, OptionGroup | "main"> = new Map(
  Object.entries(keys).flatMap(([group, names]) =>
    names.split(" ").map((name) => [name, group as OptionGroup | "main"] as const),
  ),
);

/** An option that is new to the page stands with the others. */
export function groupOf(command: string, key: string): OptionGroup | "main" {
  return groups.get(`${command}.${key}`) ?? groups.get(key) ?? "other";
}

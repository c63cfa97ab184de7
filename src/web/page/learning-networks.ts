/**
 * What a run's metrics of the group `generator` are of. They are recorded under the same names by all recipes, whether or not
 * there is a G.
 */

/** F alone with its tasks' layers; or G, F and its mirror; or G where F learns by tasks, too. */
export type LearningNetworks = "F" | "G" | "G-and-tasks";

/** @param metrics the names of a run's metrics */
export function learningNetworks(metrics: Iterable<string>): LearningNetworks {
  const names = new Set(metrics);
  if (!names.has("likeness/own")) return "F";
  return names.has("task/loss") || names.has("contrast/loss") ? "G-and-tasks" : "G";
}

/** The text that is the title of the losses. */
export function lossesTitle(metrics: Iterable<string>): "chart.losses" | "chart.losses.F" | "chart.losses.G" {
  const names = new Set(metrics);
  if (names.has("discriminator/loss")) return "chart.losses";
  return learningNetworks(names) === "F" ? "chart.losses.F" : "chart.losses.G";
}

import { shorten } from "../data/classes.js";
import { userError } from "../errors.js";

/** @throws UserError unless there is one name for each class that the network tells apart */
export function requireNamesOfOutputs(classNames: readonly string[], classes: number): void {
  if (classNames.length === classes) return;
  throw userError({
    where: "class names",
    required: `${classes}, as many as the network tells apart, in the order of its outputs`,
    got: `${classNames.length}: ${shorten(classNames)}`,
    advice: "Name every class, also those without samples.",
  });
}

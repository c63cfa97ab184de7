/** `--grid`: the depths and activations of a study of convergence. */
import { userError } from "../errors.js";
import { nearest } from "../nearest.js";
import { classifierActivations } from "../recipe/new-network.js";

/** The cells of a grid and what all of them share. */
export interface Grid {
  readonly depths: readonly number[];
  readonly activations: readonly string[];
  readonly widths?: readonly number[];
  readonly normalization?: string;
}

const keys = ["depth", "activation", "widths", "normalization"];

/** Reads such as "depth=2,4,8 activation=sigmoid,tanh widths=128"; a depth or activation that stands twice is one. @throws UserError */
export function parseGrid(text: string): Grid {
  const given = new Map<string, string[]>();
  for (const part of text.trim().split(/[\s;]+/)) {
    const [key, values] = part.split("=", 2);
    if (!keys.includes(key) || !values)
      throw userError({
        where: "grid",
        required: `such as "depth=2,4,8 activation=sigmoid,relu", with the keys ${keys.join(", ")}`,
        got: `"${part}"`,
        advice: keys.includes(key) ? "Give it values." : `Did you mean ${nearest(key, keys)}?`,
      });
    if (given.has(key))
      throw userError({
        where: `grid: ${key}`,
        required: "the key once",
        got: "it twice",
        advice: "Write its values behind one.",
      });
    given.set(key, values.split(","));
  }
  const wholes = (key: string): number[] | undefined =>
    given.get(key)?.map((value) => {
      if (/^[1-9]\d*$/.test(value)) return Number(value);
      throw userError({
        where: `grid: ${key}`,
        required: "whole numbers from 1 on",
        got: `"${value}"`,
        advice: "Correct it.",
      });
    });
  const activations = given.get("activation") ?? ["relu"];
  for (const activation of activations)
    if (!classifierActivations.includes(activation))
      throw userError({
        where: "grid: activation",
        required: `some of ${classifierActivations.join(", ")}`,
        got: `"${activation}"`,
        advice: `Did you mean ${nearest(activation, classifierActivations)}?`,
      });
  const widths = wholes("widths");
  const [normalization, another] = given.get("normalization") ?? [];
  if (another !== undefined)
    throw userError({
      where: "grid: normalization",
      required: "one, which all networks of the grid share",
      got: `"${normalization},${another}"`,
      advice: "Take one study for each.",
    });
  // Cells that stand twice would count as two settings.
  return {
    depths: [...new Set(wholes("depth") ?? [2])],
    activations: [...new Set(activations)],
    ...(widths ? { widths } : {}),
    ...(normalization ? { normalization } : {}),
  };
}

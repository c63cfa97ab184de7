/** Which values of a sample have one scale. */
import { userError } from "../errors.js";
import type { ChannelOrder } from "./channel-statistics.js";
import type { OpenOptions } from "./dataset.js";
import { readFitted } from "./fitted-record.js";
import type { PictureTarget } from "./picture-shape.js";

/** The normalisations by which a row or a column of samples such as spectrograms has a scale of its own, not a channel. */
export const lineNormalisations = { "standard-rows": "rows", "standard-columns": "columns" } as const;

/** Rows or columns, where a normalisation of this name is by them. */
export function linesOf(name: unknown): "rows" | "columns" | undefined {
  return name === "standard-rows" || name === "standard-columns" ? lineNormalisations[name] : undefined;
}

/** What the normalisation that is asked for, or that was fitted on other data, is called. */
function nameOf({ normalise, fitted }: Pick<OpenOptions, "normalise" | "fitted">): unknown {
  return readFitted(fitted)?.normalisation?.name ?? normalise;
}

/**
 * How the channels of delivered pictures lie; or their rows or columns, where these are scaled one by one.
 *
 * @throws UserError where rows or columns are asked for, and samples have several channels
 */
export function pictureOrder(
  { channels, height, width, layout }: PictureTarget,
  options: Pick<OpenOptions, "normalise" | "fitted">,
  where: string,
): ChannelOrder {
  const lines = linesOf(nameOf(options));
  if (lines === undefined) return { channels, inner: layout === "NCHW" ? height * width : 1 };
  if (channels !== 1) throw unfitLines(options, where, `${channels} channels`);
  return lines === "rows" ? { channels: height, inner: width } : { channels: width, inner: 1 };
}

/** @throws UserError where rows or columns are asked for, which samples of this kind have not */
export function requireNoLines(options: Pick<OpenOptions, "normalise" | "fitted">, where: string, kind: string): void {
  if (linesOf(nameOf(options)) !== undefined) throw unfitLines(options, where, kind);
}

function unfitLines(options: Pick<OpenOptions, "normalise" | "fitted">, where: string, got: string): Error {
  return userError({
    where,
    required: `arrays of one channel with rows and columns, as spectrograms are, for the normalisation ${nameOf(options)}`,
    got,
    advice: "Use standard instead (--normalise)",
  });
}

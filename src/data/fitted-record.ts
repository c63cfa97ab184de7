import { z } from "zod";
import { userError } from "../errors.js";

const isAsLongAs = (some: readonly unknown[]) => (others: readonly unknown[]) => others.length === some.length;

const normalisation = z
  .object({
    name: z.string(),
    scale: z.array(z.number()).min(1),
    offset: z.array(z.number()),
    low: z.array(z.number()),
    high: z.array(z.number()),
  })
  .refine(({ scale, ...others }) => [others.offset, others.low, others.high].every(isAsLongAs(scale)), {
    error: "scale, offset, low and high must have a number a channel",
  });

const column = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("numeric"),
    name: z.string(),
    index: z.number().int(),
    scale: z.number(),
    offset: z.number(),
    mean: z.number(),
    std: z.number(),
    min: z.number(),
    max: z.number(),
    /** Whether an indicator column (1 where the value is missing) follows. */
    indicator: z.boolean(),
    /** For the scaling `quantile`: values at evenly spaced shares; scale and offset do not count then. */
    quantiles: z.array(z.number()).optional(),
  }),
  z.object({
    type: z.literal("embedding"),
    name: z.string(),
    index: z.number().int(),
    categories: z.array(z.string()),
    /** Whether missing values have a category of their own, the last. */
    missing: z.boolean(),
    /** A vector for each category. */
    codes: z.array(z.array(z.number())),
  }),
  z.object({
    type: z.literal("categorical"),
    name: z.string(),
    index: z.number().int(),
    categories: z.array(z.string()),
    /** Whether missing values have a category of their own, the last. */
    missing: z.boolean(),
  }),
]);

const labelColumn = z.object({ name: z.string(), index: z.number().int() });

const picture = z.object({
  channels: z.number().int().positive(),
  height: z.number().int().positive(),
  width: z.number().int().positive(),
  layout: z.enum(["NCHW", "NHWC"]),
});

const signal = z.object({
  channels: z.number().int().positive(),
  length: z.number().int().positive(),
  layout: z.enum(["NCHW", "NHWC"]),
});

/** The part of a data set's record that another data set can be opened with. */
export const fittedRecord = z.object({
  /** What its samples are, see DatasetKind. */
  kind: z.string().optional(),
  normalisation: normalisation.optional(),
  picture: picture.optional(),
  signal: signal.optional(),
  classNames: z.array(z.string()).optional(),
  /** How maps of classes were understood, see LabelMaps. */
  maps: z.object({ objects: z.boolean(), colours: z.array(z.string()).optional() }).optional(),
  table: z
    .object({
      columns: z.array(column),
      columnCount: z.number().int(),
      named: z.boolean(),
      labelColumn: labelColumn.optional(),
      /** Where there are several. */
      labelColumns: z.array(labelColumn).optional(),
    })
    .optional(),
});

export type FittedRecord = z.infer<typeof fittedRecord>;
/** How one column of a table becomes features. */
export type FittedColumn = z.infer<typeof column>;

/**
 * Reads what was fitted from a data set's record.
 *
 * @throws UserError if the record is not one of headstart's
 */
export function readFitted(record: Record<string, unknown> | undefined): FittedRecord | undefined {
  if (record === undefined) return undefined;
  const result = fittedRecord.safeParse(record);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw userError({
    where: "the fitted data record",
    required: "a record that headstart wrote",
    got: `${issue.message} at ${issue.path.join(".") || "its top"}`,
    advice: "Take it from a run's run.json unchanged",
  });
}

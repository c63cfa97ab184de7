import { fittedRecord } from "./fitted-record.js";

/**
 * What was done to the data before the network saw it, as it is saved beside the weights (transform.json): enough to
 * treat other data in the same way, here ({@link OpenOptions.fitted}) or in any other program. docs/data.md explains
 * every field.
 *
 * @param record a data set's record
 */
export function savedTransform(record: Record<string, unknown>): Record<string, unknown> {
  const { kind, shape } = record;
  // What a record holds beside the fitted part (counts, file names) is about the data, not about the transform.
  return { transform: 1, kind, shape, ...fittedRecord.parse(record) };
}

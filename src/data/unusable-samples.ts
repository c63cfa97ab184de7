/** What could not be read or used of a data set. */
export interface UnusableSamples {
  readonly count: number;
  /** The first ones, each with its place and what is wrong with it. */
  readonly names: readonly string[];
}

/** Finds in a data set's record what was left out because it could not be read or used. */
export function unusableSamples(record: Record<string, unknown>): UnusableSamples {
  const { unreadable, badRows, notFinite, skipped } = record as {
    unreadable?: { file: string; reason: string }[];
    badRows?: { count: number; rows: string[] };
    notFinite?: { skipped: number; samples: string[] };
    skipped?: { unreadable?: number; withoutPicture?: number };
  };
  return {
    names: [
      ...(unreadable ?? []).map(({ file, reason }) => `${file}: ${reason}`),
      ...(badRows?.rows ?? []),
      ...(notFinite?.samples ?? []).map((place) => `${place}: NaN or infinite`),
    ],
    count:
      (skipped?.unreadable ?? 0) + (skipped?.withoutPicture ?? 0) + (badRows?.count ?? 0) + (notFinite?.skipped ?? 0),
  };
}

/** What the user should know of a data set before it is trained on: columns and samples that are left out, in sentences. */
export function dataNotes(record: Record<string, unknown>): string[] {
  const { count, names } = unusableSamples(record);
  const notes = (record.notes as string[] | undefined) ?? [];
  if (count === 0) return notes;
  const [first] = names;
  const example = first === undefined ? "" : `, ${count === 1 ? "" : "such as "}${first}`;
  return [...notes, `${count.toLocaleString("en")} ${count === 1 ? "sample" : "samples"} cannot be used${example}`];
}

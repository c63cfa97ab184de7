/**
 * A date or timestamp as pandas writes it into a CSV file, so that tables of all formats are read alike: 2024-01-31, or
 * 2024-01-31 17:05:00 where it is not midnight.
 *
 * @returns null for what is no date
 */
export function dateText(date: Date): string | null {
  if (Number.isNaN(date.getTime())) return null;
  const [day, time] = date.toISOString().slice(0, -1).split("T");
  return time === "00:00:00.000" ? day : `${day} ${time.replace(/\.000$/, "")}`;
}

/** The runs that are marked in the list, to be laid over each other. */
import { useEffect, useState } from "preact/hooks";
import type { EntryList } from "../protocol.js";
import { go, type Route } from "./route.js";

/**
 * @returns the marked runs that there are, and what marks others in their place: in a comparison, that compares them at once
 */
export function useMarks(
  route: Route,
  list: EntryList | undefined,
): { readonly marked: readonly string[]; readonly mark: (ids: readonly string[]) => void } {
  const [marked, setMarked] = useState<readonly string[]>([]);
  const compared = route.view === "compare" ? route.ids.join("\n") : undefined;
  // A link to a comparison marks its runs in the list, too.
  useEffect(() => {
    if (compared !== undefined) setMarked(compared === "" ? [] : compared.split("\n"));
  }, [compared]);
  const mark = (ids: readonly string[]): void => {
    setMarked(ids);
    if (route.view === "compare") go({ view: "compare", ids });
  };
  // One that has been deleted is marked no more.
  const there = new Set(list?.entries.map(({ id }) => id));
  return { marked: list ? marked.filter((id) => there.has(id)) : marked, mark };
}

/** What an entry is doing, as a coloured word. */
import type { Entry } from "../protocol.js";
import { say } from "./language.js";

export function StateTag({ entry }: { entry: Entry }) {
  return <span class={`tag ${entry.state}`}>{say(`state.${entry.state}`)}</span>;
}

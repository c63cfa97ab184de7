/** The commands by name. A command's own file is loaded only when it is asked for, so that help comes at once. */
import type { Command } from "./command.js";

/** A command's entry in the overview. */
export interface CatalogueEntry {
  readonly name: string;
  /** What it does, as a phrase. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** In the order in which the overview shows them. */
export const catalogue: readonly CatalogueEntry[] = [
  {
    name: "new",
    summary: "write a fresh network, for whoever has no model file yet",
    load: async () => (await import("./new.js")).command,
  },
];

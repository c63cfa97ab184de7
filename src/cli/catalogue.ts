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
    name: "init",
    summary: "train initial weights for a network on unlabelled data: the main job",
    load: async () => (await import("./init.js")).command,
  },
  {
    name: "inspect",
    summary: "show a model's feature extractor, mirror and discriminator, and what is not supported",
    load: async () => (await import("./inspect.js")).command,
  },
  {
    name: "verify",
    summary: "compare weights with a model, tensor by tensor: what fits, what changes, what is missing",
    load: async () => (await import("./verify.js")).command,
  },
  {
    name: "compare",
    summary: "the honest study: train from several starts and say which help",
    load: async () => (await import("./compare.js")).command,
  },
  {
    name: "data",
    summary: "show what headstart understands of data, and what is wrong with it",
    load: async () => (await import("./data.js")).command,
  },
  {
    name: "demo",
    summary: "run the main job and a small comparison on pictures that ship with headstart",
    load: async () => (await import("./demo.js")).command,
  },
  {
    name: "new",
    summary: "write a fresh network, for whoever has no model file yet",
    load: async () => (await import("./new.js")).command,
  },
  {
    name: "lab",
    summary: "watch and steer runs and studies on a local page",
    load: async () => (await import("./lab.js")).command,
  },
];

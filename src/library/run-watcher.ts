/** Other programs that watch a run: they are told what the run's folder is told. */
import type { LayerSnapshot } from "../training/layer-snapshots.js";

/** How a run ended. */
export type RunEnd = "finished" | "interrupted" | "failed";

export interface RunWatcher {
  metrics(step: number, values: Readonly<Record<string, number>>): Promise<void>;
  /** A picture as PNG. */
  picture(name: string, step: number, png: Uint8Array): Promise<void>;
  layers(step: number, layers: readonly LayerSnapshot[]): Promise<void>;
  end(how: RunEnd): Promise<void>;
}

/** All of some watchers as one. */
export function allWatchers(watchers: readonly RunWatcher[]): RunWatcher {
  const all = async (tell: (watcher: RunWatcher) => Promise<void>): Promise<void> => {
    for (const watcher of watchers) await tell(watcher);
  };
  return {
    metrics: (step, values) => all((watcher) => watcher.metrics(step, values)),
    picture: (name, step, png) => all((watcher) => watcher.picture(name, step, png)),
    layers: (step, layers) => all((watcher) => watcher.layers(step, layers)),
    end: (how) => all((watcher) => watcher.end(how)),
  };
}

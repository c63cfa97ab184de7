/** Opens what tells other programs of a run, as its options say. */
import { basename } from "node:path";
import type { InitializeEvent, InitializeOptions, RunRecord } from "./initialize-types.js";
import { mlflowWatcher } from "./mlflow-watcher.js";
import { type RunFolder, runFiles } from "./run-folder.js";
import { allWatchers, type RunWatcher } from "./run-watcher.js";
import { tensorboardWatcher } from "./tensorboard-watcher.js";

/** The other programs that the options name. @param step steps that were done before */
export async function openWatchers(
  options: InitializeOptions,
  folder: RunFolder,
  run: RunRecord,
  step: number,
  emit: (event: InitializeEvent) => void,
): Promise<RunWatcher> {
  const watchers: RunWatcher[] = [];
  if (options.tensorboard) watchers.push(await tensorboardWatcher(folder.file(runFiles.tensorboard), step));
  if (options.mlflow !== undefined) {
    const { headstart, model, data, recipe, task, seed, steps, batchSize } = run;
    const settings = {
      headstart,
      model: model.file,
      features: model.features,
      data: data.file,
      recipe,
      task,
      seed,
      steps,
      batchSize,
    };
    watchers.push(
      await mlflowWatcher({
        address: options.mlflow,
        name: basename(folder.path),
        settings,
        keep: folder.file(runFiles.mlflow),
        resumed: options.resume ?? false,
        onTrouble: (message) => emit({ type: "note", message }),
      }),
    );
  }
  return allWatchers(watchers);
}

/** Writes a run as an event file that TensorBoard reads. */
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "../errors.js";
import { type EventValue, restartRecord, summaryRecord, versionRecord } from "../formats/event-file.js";
import type { RunWatcher } from "./run-watcher.js";

/**
 * Begins an event file in a folder. Each start of a run has a file of its own; a resumed run's says where it goes on.
 *
 * @param step steps that were done before
 * @param now milliseconds since 1970: event files carry the time, other files of a run do not
 */
export async function tensorboardWatcher(folder: string, step: number, now = Date.now): Promise<RunWatcher> {
  const began = now();
  const file = join(
    folder,
    `events.out.tfevents.${String(Math.floor(began / 1000)).padStart(10, "0")}.headstart.${step}`,
  );
  const write = async (record: Uint8Array): Promise<void> => {
    try {
      await appendFile(file, record);
    } catch (error) {
      throw fileError(error, file, "a place for TensorBoard's events");
    }
  };
  const add = (at: number, values: readonly EventValue[]): Promise<void> =>
    values.length === 0 ? Promise.resolve() : write(summaryRecord(now() / 1000, at, values));
  await mkdir(folder, { recursive: true });
  await write(versionRecord(began / 1000));
  if (step > 0) await write(restartRecord(began / 1000, step + 1));
  return {
    metrics: (at, values) =>
      add(
        at,
        Object.entries(values).map(([tag, scalar]) => ({ tag, scalar })),
      ),
    picture: (name, at, png) => {
      // The header of a PNG has its size at fixed places.
      const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
      return add(at, [{ tag: name, png, width: view.getUint32(16), height: view.getUint32(20) }]);
    },
    layers: (at, layers) =>
      add(
        at,
        layers.map(({ layer, preActivations }) => ({ tag: `pre-activations/${layer}`, histogram: preActivations })),
      ),
    end: async () => {},
  };
}

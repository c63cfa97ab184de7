/** A thread that decodes pictures, see PicturePool. */
import { parentPort } from "node:worker_threads";
import { decodeSample } from "./decode-picture.js";
import type { DecodedJob, PictureJob } from "./picture-pool.js";

parentPort!.on("message", async (jobs: readonly PictureJob[]) => {
  const decoded = await Promise.all(
    jobs.map(({ place, request }) =>
      decodeSample(place, request).catch((error: unknown) => (error instanceof Error ? error.message : String(error))),
    ),
  );
  // All samples go in one buffer, which is handed over without a copy.
  const samples = decoded.map((result) => (typeof result === "string" ? undefined : result.sample));
  const all = new Uint8Array(samples.reduce((sum, sample) => sum + (sample?.length ?? 0), 0));
  let start = 0;
  const answers = jobs.map(({ id }, place): DecodedJob => {
    const result = decoded[place];
    if (typeof result === "string") return { id, error: result };
    const { channels, height, width, sample } = result;
    const size = { channels, height, width };
    if (sample === undefined) return { id, size };
    all.set(sample, start);
    const answer = { id, size, start, length: sample.length };
    start += sample.length;
    return answer;
  });
  parentPort!.postMessage({ answers, samples: all }, [all.buffer]);
});

/** A thread that decodes pictures, see PicturePool. */
import { parentPort } from "node:worker_threads";
import { decodeSample, type PicturePlace, type PictureRequest } from "./decode-picture.js";

parentPort!.on("message", async (job: { id: number; place: PicturePlace; request: PictureRequest }) => {
  try {
    const result = await decodeSample(job.place, job.request);
    // A buffer is handed over without a copy, unless it is a part of a larger one.
    const sample = result.sample;
    const whole = sample !== undefined && sample.byteLength === sample.buffer.byteLength;
    parentPort!.postMessage({ id: job.id, result }, whole ? [sample.buffer as ArrayBuffer] : []);
  } catch (error) {
    parentPort!.postMessage({ id: job.id, error: error instanceof Error ? error.message : String(error) });
  }
});

/** Loaded before a measured program: says on stderr at its end how much memory it has had at most. */
import { peakMemory } from "../step/peak-memory.js";

process.on("exit", () => {
  process.stderr.write(`\npeak memory ${peakMemory()}\n`);
});

/** The machine and the versions that a study ran with. */
import { createRequire } from "node:module";
import { cpus, release, totalmem } from "node:os";

/** For the records; nothing of it decides a result but the processor's kind, by rounding. */
export function studyEnvironment(): Record<string, string | number> {
  const processors = cpus();
  return {
    node: process.version,
    "onnxruntime-node": packageVersion("onnxruntime-node"),
    platform: `${process.platform} ${process.arch} ${release()}`,
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    "memory in GiB": Math.round(totalmem() / 2 ** 30),
  };
}

function packageVersion(name: string): string {
  try {
    const load = createRequire(import.meta.url);
    return String((load(`${name}/package.json`) as { version?: unknown }).version);
  } catch {
    return "unknown";
  }
}

/** The most memory that this process has had. */
import { readFileSync } from "node:fs";

/** In bytes. On Linux as the kernel counts it for this program alone; elsewhere what getrusage says. */
export function peakMemory(): number {
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "ascii")) ?? [];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  } catch {
    // No /proc.
  }
  // Counts what its parent had, too, where that was more.
  return process.resourceUsage().maxRSS * 1024;
}

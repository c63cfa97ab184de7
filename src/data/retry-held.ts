/** What Windows refuses while another program has a file open, such as a virus scanner that looks at every new one. */
import { setTimeout } from "node:timers/promises";

/** How Windows says so; missing permission, too. */
const heldCodes: ReadonlySet<unknown> = new Set(["EPERM", "EACCES", "EBUSY"]);

/** Milliseconds before another attempt. */
const pauses = [10, 40, 160, 640, 1000];

/**
 * Does something with files, on Windows again where another program holds one of them, which mostly is a matter of
 * moments.
 *
 * @param wait waits so many milliseconds
 * @throws what the last attempt does
 */
export async function retryHeld<Result>(
  work: () => Promise<Result>,
  platform: NodeJS.Platform = process.platform,
  wait: (milliseconds: number) => Promise<unknown> = setTimeout,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isHeld = platform === "win32" && heldCodes.has((error as NodeJS.ErrnoException).code);
      if (!isHeld || attempt === pauses.length) throw error;
      await wait(pauses[attempt]);
    }
  }
}

/** Whether a process that the page has started can be there still. */
import { uptime } from "node:os";

/** How far two clocks of one machine may be apart, in milliseconds. */
const apart = 60_000;

/**
 * False for what began before the machine did: its number may be another's by now.
 *
 * @param started milliseconds since 1970
 * @param seconds that the machine has been up
 */
export function isOfThisBoot(started: number, now = Date.now(), seconds = uptime()): boolean {
  return started + apart >= now - 1000 * seconds;
}

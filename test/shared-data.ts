/**
 * Larger real data that tests use where it is there. It does not come with the package: set HEADSTART_SHARED_DATA to
 * its folder, or lay it beside the repository as ../shared/data. Tests without it are skipped, with the reason.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.env.HEADSTART_SHARED_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));

/** The path of a file of the shared data, and why a test that needs it must be skipped (undefined: it is there). */
export function sharedData(name: string): { path: string; missing: string | undefined } {
  const path = join(folder, name);
  return {
    path,
    missing: existsSync(path) ? undefined : `${name} is not there (set HEADSTART_SHARED_DATA to its folder)`,
  };
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

/** A folder with the given files, removed when the test is over. */
export function temporaryFolder(files: Record<string, string | Uint8Array> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "headstart-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** An empty folder for all tests of a file or of a `describe`, removed after the last of them. */
export function sharedTemporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "headstart-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

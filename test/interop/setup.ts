/**
 * Exports the networks of models.py and export_others.py, and ONNX's own tests, once for all test files.
 *
 * HEADSTART_PYTHON names another Python than .venv's; HEADSTART_ZOO names a folder to keep the exports in, which is taken
 * as it is where it is there already.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    zoo: string;
    python: string;
  }
}

export default function setup(project: TestProject): (() => void) | undefined {
  const python = process.env.HEADSTART_PYTHON ?? ".venv/bin/python";
  const kept = process.env.HEADSTART_ZOO;
  const zoo = kept ?? mkdtempSync(join(tmpdir(), "headstart-zoo-"));
  project.provide("zoo", zoo);
  project.provide("python", python);
  if (!kept || !existsSync(kept)) {
    for (const script of ["export_models.py", "export_others.py", "export_onnx_tests.py"]) {
      const ran = spawnSync(python, [join("test", "interop", script), zoo], { encoding: "utf8", maxBuffer: 2 ** 28 });
      if (ran.status !== 0)
        throw new Error(`${script} failed (${ran.error?.message ?? ran.status}):\n${(ran.stderr ?? "").slice(-4000)}`);
    }
  }
  return kept ? undefined : () => rmSync(zoo, { recursive: true, force: true });
}

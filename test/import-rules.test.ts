import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import { expect, test } from "vitest";

const { forbidden, options } = createRequire(import.meta.url)("../.dependency-cruiser.cjs");

/** Every rule of imports must bite: the fixture breaks each of them once, and keeps to the rest. */
test("each import rule finds the module that breaks it, and no other", async () => {
  const baseDir = fileURLToPath(new URL("fixtures/import-rules", import.meta.url));
  const { output } = await cruise(["src"], { ...options, baseDir, validate: true, ruleSet: { forbidden } });
  const found = (output as ICruiseResult).summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
  expect([...new Set(found)].sort()).toEqual([
    "cli-is-the-top: src/library/imports-cli.ts",
    "graph-imports: src/graph/imports-ops.ts",
    "new-folder: src/cli/imports-misc.ts",
    "no-cycles: src/ops/cycle-first.ts",
    "no-development-packages: src/random/imports-vitest.ts",
    "onnxruntime-in-runtime: src/training/imports-onnxruntime.ts",
    "page-imports: src/web/page/imports-server.ts",
    "protobuf-in-formats: src/library/imports-protobuf.ts",
    "pure-without-node: src/ops/imports-node.ts",
    "resolvable: src/cli/imports-missing.ts",
    "sharp-in-data: src/study/imports-sharp.ts",
    "study-imports: src/study/imports-ops.ts",
  ]);
});

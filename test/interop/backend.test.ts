/**
 * ONNX's own backend tests: every model is read and written back, and the tests of the operators that headstart knows
 * pass. What does not is in backend-filters.json, by stage; what came out is in backend-results.json, of which
 * docs/operators.md is made (`npx vitest run --config vitest.interop.config.ts test/interop/backend.test.ts -u`, then
 * `node scripts/write-operators-page.mjs`).
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { type OnnxModel, readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph, writeOnnx } from "../../src/formats/onnx-write.js";
import type { Graph, Node } from "../../src/graph/graph.js";
import { isFloating, type Tensor } from "../../src/graph/tensor.js";
import { checkAttributes } from "../../src/ops/check-attributes.js";
import { operatorOf } from "../../src/ops/table.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { type BackendTest, backendTests, modelPath } from "./backend-tests.js";
import { expectFolded, expectGradients, expectMirror, expectResults, taskOf } from "./run-backend-test.js";

const stages = ["reading", "results", "folding", "gradients", "mirror"] as const;
type Stage = (typeof stages)[number];

/** Tests that fail in a stage, and why. */
interface Filter {
  readonly pattern: string;
  readonly reason: string;
}

const filters = JSON.parse(readFileSync(new URL("backend-filters.json", import.meta.url), "utf8")) as Record<
  Stage,
  readonly Filter[]
>;
const used = new Set<Filter>();
/** How often each reason was met, by stage. */
const listed: Record<Stage, Record<string, number>> = {
  reading: {},
  results: {},
  folding: {},
  gradients: {},
  mirror: {},
};

/** What came of an operator's tests. */
interface OperatorRecord {
  /** Tests of which it is the one node. */
  tests: number;
  passed: number;
  /** Operator sets of the passed tests of all kinds that have it. */
  opsets: number[];
  folded: number;
  gradients: number;
  mirrored: number;
  /** What the tests found that it does not do. */
  limits: string[];
}

const records: Record<string, OperatorRecord> = {};
/** Tests that need an operator that headstart does not know, by operator. */
const unknown: Record<string, number> = {};
const totals = { tests: 0, passed: 0, listed: 0, unknown: 0, folded: 0, gradients: 0, tooLarge: 0, mirrored: 0 };

/**
 * Runs a stage of a test. Gives what it gave, or undefined where it failed and is listed.
 *
 * @throws where it fails and is not listed, or is listed and does not fail
 */
async function stage<Result>(name: Stage, test: BackendTest, run: () => Promise<Result> | Result) {
  const filter = filters[name].find(({ pattern }) => new RegExp(pattern).test(test.name));
  let result: Result;
  try {
    result = await run();
  } catch (error) {
    if (!filter) throw new Error(`${test.name}: ${name}: ${error instanceof Error ? error.message : error}`);
    used.add(filter);
    listed[name][filter.reason] = (listed[name][filter.reason] ?? 0) + 1;
    return { failed: filter.reason };
  }
  if (filter) throw new Error(`${test.name}: ${name}: it passes now, but backend-filters.json has ${filter.pattern}`);
  return { result };
}

function recordOf(op: string): OperatorRecord {
  records[op] ??= { tests: 0, passed: 0, opsets: [], folded: 0, gradients: 0, mirrored: 0, limits: [] };
  return records[op];
}

function limit(record: OperatorRecord | undefined, text: string): void {
  if (record && !record.limits.includes(text)) record.limits.push(text);
}

/** The nodes that the outputs depend on. */
function neededNodes({ nodes, outputs }: Graph): Node[] {
  const needed = new Set(outputs.map(({ name }) => name));
  return nodes
    .toReversed()
    .filter((node) => {
      const isNeeded = node.outputs.some((name) => needed.has(name));
      if (isNeeded) for (const name of node.inputs) needed.add(name);
      return isNeeded;
    })
    .toReversed();
}

/** Puts one test through all stages. */
async function putThrough(test: BackendTest): Promise<void> {
  const read = await stage("reading", test, () => {
    const model = readOnnx(test.bytes, { where: test.name });
    checkAttributes(model.graph, test.name);
    return model;
  });
  if (!read.result) return;
  const model: OnnxModel = read.result;
  const graph: Graph = upgradeGraph(model.graph, model.opset);
  const strange = neededNodes(graph)
    .filter(({ op, domain }) => domain !== "" || !operatorOf(op))
    .map(({ op }) => op);
  totals.tests++;
  if (strange.length > 0) {
    totals.unknown++;
    for (const op of new Set(strange)) unknown[op] = (unknown[op] ?? 0) + 1;
    return;
  }
  const [node] = model.graph.nodes;
  const record = test.kind === "node" && model.graph.nodes.length === 1 ? recordOf(node.op) : undefined;
  if (record) record.tests++;
  const [set] = test.readData();
  const ran = await stage("results", test, async () => {
    const task = taskOf(graph, set.inputs);
    await expectResults(task, set.outputs, test.tolerance);
    return task;
  });
  if (!ran.result) {
    totals.listed++;
    limit(record, ran.failed);
    return;
  }
  const task = ran.result;
  totals.passed++;
  if (record) record.passed++;
  for (const { op } of model.graph.nodes) {
    const { opsets } = recordOf(op);
    if (!opsets.includes(model.opset)) opsets.push(model.opset);
  }
  const folding = await stage("folding", test, () => expectFolded(task, set.outputs, test.tolerance));
  if (folding.result) {
    totals.folded++;
    if (record) record.folded++;
  }
  const gradients = await stage("gradients", test, () => expectGradients(task));
  if (gradients.result === "large") totals.tooLarge++;
  if (gradients.result === "checked") {
    totals.gradients++;
    if (record) record.gradients++;
  }
  if (typeof gradients.result === "object") limit(record, `gradient: ${gradients.result.unsupported}`);
  if (gradients.failed) limit(record, `gradient: ${gradients.failed}`);
  const mirrored = await stage("mirror", test, () => expectMirror(task));
  if (mirrored.result === "mirrored") {
    totals.mirrored++;
    if (record) record.mirrored++;
  }
  if (typeof mirrored.result === "object") limit(record, `mirror: ${mirrored.result.unsupported}`);
  if (mirrored.failed) limit(record, `mirror: ${mirrored.failed}`);
}

const tests = backendTests();
/** Tests by what they are about: the node tests by the name's first word, the others by kind. */
const groups = new Map<string, BackendTest[]>();
for (const test of tests) {
  const key = test.kind === "node" ? `node/${/test_([a-z]+)/.exec(test.name)?.[1]}` : test.kind;
  groups.set(key, [...(groups.get(key) ?? []), test]);
}

describe("ONNX's backend tests", () => {
  for (const [group, members] of groups)
    it(`${group} (${members.length})`, async () => {
      const problems: string[] = [];
      for (const test of members) await putThrough(test).catch((error: Error) => problems.push(error.message));
      expect(problems).toEqual([]);
    });

  it("all filters are needed", () => {
    const idle = stages.flatMap((name) =>
      filters[name].filter((filter) => !used.has(filter)).map(({ pattern }) => `${name}: ${pattern}`),
    );
    expect(idle).toEqual([]);
  });

  it("come out as backend-results.json says", async () => {
    const sorted = (record: Readonly<Record<string, number>>) =>
      Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
    const operators = Object.fromEntries(
      Object.entries(records)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([op, record]) => {
          return [op, { ...record, opsets: record.opsets.sort((a, b) => a - b), limits: record.limits.sort() }];
        }),
    );
    const results = {
      onnx: onnxVersion(),
      models: tests.length,
      totals,
      listed: Object.fromEntries(stages.map((name) => [name, sorted(listed[name])])),
      unknownOperators: sorted(unknown),
      operators,
    };
    await expect(`${JSON.stringify(results, null, 2)}\n`).toMatchFileSnapshot("backend-results.json");
  });
});

function python(...options: string[]): string {
  const ran = spawnSync(inject("python"), options, { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (ran.status !== 0) throw new Error(`${options[0]} failed (${ran.error?.message ?? ran.status}):\n${ran.stderr}`);
  return ran.stdout;
}

function onnxVersion(): string {
  return python("-c", "import onnx; print(onnx.__version__)").trim();
}

/** Every floating tensor of a model that can be replaced, by itself. */
function ownTensors({ graph }: OnnxModel): Map<string, Tensor> {
  const found = new Map([...graph.initializers].filter(([, { type }]) => isFloating(type)));
  for (const { op, domain, outputs, attributes } of graph.nodes) {
    const value = op === "Constant" && domain === "" ? attributes.value : undefined;
    if (value?.kind === "tensor" && isFloating(value.value.type)) found.set(outputs[0], value.value);
  }
  return found;
}

describe("the models of ONNX's backend tests", () => {
  it("are written back as they were read", () => {
    const folder = mkdtempSync(join(tmpdir(), "headstart-onnx-"));
    try {
      const paths: string[] = [];
      const changed: string[] = [];
      for (const { name, bytes } of tests) {
        let model: OnnxModel;
        try {
          model = readOnnx(bytes, { where: name });
        } catch {
          // The tests above hold the list of what is not read.
          continue;
        }
        if (!Buffer.from(writeOnnx(model, new Map())).equals(Buffer.from(bytes))) changed.push(name);
        const stem = join(folder, String(paths.length));
        writeFileSync(`${stem}.kept.onnx`, writeOnnx(model, ownTensors(model)));
        writeFileSync(`${stem}.graph.onnx`, serializeGraph(model.graph, model.opset));
        paths.push(modelPath(name));
      }
      expect(changed, "models of which a byte changed").toEqual([]);
      writeFileSync(join(folder, "models.json"), JSON.stringify(paths));
      expect(JSON.parse(python(join("test", "interop", "compare_onnx.py"), folder)), "models that differ").toEqual({});
      expect(paths.length).toBeGreaterThan(1900);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/**
 * Writes docs/operators.md from the tables of operators and mirrors (as built in dist) and from what came of ONNX's own
 * tests (test/interop/backend-results.json). With --check it writes nothing, and fails where the page is not what it
 * would write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, root } from "./prepare.mjs";

await build();
const built = (...path) => import(pathToFileURL(join(root, "dist", ...path)).href);
const { operators } = await built("ops", "table.js");
const { mirrors } = await built("mirror", "table.js");
const { mirroredConv, mirroredConvTranspose } = await built("mirror", "layers.js");
const { knownActivations, longestSequence, mostPositions } = await built("ops", "unroll-recurrences.js");
const { newestOpset, oldestOpset } = await built("formats", "onnx-read.js");
const { pinnedOpset } = await built("graph", "opset.js");
const results = JSON.parse(readFileSync(join(root, "test", "interop", "backend-results.json"), "utf8"));
const page = join(root, "docs", "operators.md");

/** What the mirror's rules do, by their names. */
const mirrorWords = {
  linear: "its transpose",
  linearInFirst: "its transpose",
  passedOn: "passed on",
  passedOnToFirst: "passed on",
  standsAgain: "stands again",
  choice: "its transpose; stands again in a nonlinearity",
  extremum: "passed on; stands again in a nonlinearity",
  power: "stands again; passed on where not defined below 0",
  mirroredMul: "its transpose; stands again in a nonlinearity",
  mirroredDiv: "its transpose; stands again in a nonlinearity",
  mirroredGemm: "the transposed layer",
  mirroredMatMul: "the transposed layer; attention's weights stay",
  mirroredBatchNormalization: "the same, with its own parameters",
  mirroredNormalization: "the same, with its own parameters",
  mirroredPool: "copies for averages",
  mirroredGlobalPool: "copies for averages",
  mirroredReduction: "copies for averages",
  mirroredResize: "resized back",
  mirroredTile: "averages for copies",
  mirroredConcat: "taken apart",
};

function mirrorOf(name) {
  const entry = mirrors[name];
  if (entry === "none") return "nothing goes back";
  if (typeof entry !== "function") return `no: ${entry.unsupported}`;
  const isConvolution = entry === mirroredConv || entry === mirroredConvTranspose;
  const words = isConvolution ? mirrorWords.mirroredGemm : mirrorWords[entry.name];
  if (!words) throw new Error(`write-operators-page: no words for the mirror's rule ${entry.name}`);
  return words;
}

/** Which inputs have a gradient. */
function gradientOf(name) {
  const rule = operators[name].gradient;
  if (rule === "none") return { text: "none", has: false };
  if ("unsupported" in rule) return { text: `no: ${rule.unsupported}`, has: false };
  if (!("length" in rule)) return { text: rule.every === "none" ? "none" : "all inputs", has: rule.every !== "none" };
  const numbers = rule.flatMap((each, index) => (typeof each === "function" ? [index + 1] : []));
  if (numbers.length === 0) return { text: "none", has: false };
  if (numbers.length === rule.length) return { text: rule.length === 1 ? "yes" : "all inputs", has: true };
  return { text: `input${numbers.length > 1 ? "s" : ""} ${numbers.join(", ")}`, has: true };
}

/** Operator sets in ascending order, runs of them shortened. */
function ranges(numbers) {
  const runs = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}

const nothing = { tests: 0, passed: 0, opsets: [], folded: 0, gradients: 0, mirrored: 0, limits: [] };
const escaped = (text) => text.replaceAll("|", "\\|");

const rows = Object.keys(operators)
  .sort()
  .map((name) => {
    const record = results.operators[name] ?? nothing;
    const gradient = gradientOf(name);
    const second = gradient.has ? (record.gradients > 0 ? "yes" : "not tested") : "–";
    const folds = operators[name].fold ? "yes, and constants" : "yes";
    return [
      name,
      ranges(record.opsets) || "–",
      `${record.passed} of ${record.tests}`,
      folds,
      gradient.text,
      second,
      mirrorOf(name),
    ];
  });
const composed = Object.entries(results.operators)
  .filter(([name]) => !Object.hasOwn(operators, name))
  .map(([name, { passed, tests, opsets, gradients, mirrored }]) => [
    name,
    ranges(opsets) || "–",
    `${passed} of ${tests}`,
    `${gradients}`,
    `${mirrored}`,
  ]);
const limits = Object.entries(results.operators).flatMap(([name, record]) => {
  const own = [...record.limits];
  const rule = operators[name]?.gradient;
  if (rule && typeof rule === "object" && "length" in rule)
    rule.forEach((each, index) => {
      if (each.unsupported) own.push(`gradient of input ${index + 1}: ${each.unsupported}`);
    });
  // What the mirror's column says already need not stand here again.
  const mirror = mirrors[name]?.unsupported;
  return own
    .map((limit) => limit.replaceAll(`${name}: `, "").replace(/\.$/, ""))
    .filter((limit, index, all) => all.indexOf(limit) === index && limit !== `mirror: ${mirror}`)
    .map((limit) => `- **${name}**: ${limit}`);
});
const listed = Object.entries(results.listed).flatMap(([stage, reasons]) =>
  Object.entries(reasons).map(([reason, count]) => [stage, `${count}`, reason]),
);
/** Unrolled where a network is found in a model; ONNX's tests of them have no network, and no batch on the first axis. */
const recurrent = ["LSTM", "GRU", "RNN"];
const unknown = Object.entries(results.unknownOperators)
  .filter(([name]) => !recurrent.includes(name))
  .sort((a, b) => b[1] - a[1]);

function table(head, body) {
  const line = (cells) => `| ${cells.map(escaped).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...body.map(line)].join("\n");
}

const { totals } = results;
const text = `<!-- Made by scripts/write-operators-page.mjs: change the tables or the tests, not this page. -->

# Operators

headstart trains networks of these ${rows.length} ONNX operators. It reads models of operator sets ${oldestOpset} to ${newestOpset}, and thinks and
writes in operator set ${pinnedOpset}: what differs is rewritten when a network is found in a model, and ${composed.length} more operators are
written in terms of these.

What it says here is tested with ONNX's own backend tests (those of onnx ${results.onnx}): types, shapes and results of the graph
that headstart writes, run by ONNX Runtime, against the expected ones; gradients to second order against central
differences; and the mirror, which has to give back the sample's shape. Of ${results.models} models ${
  results.models - Object.values(results.listed.reading).reduce((sum, count) => sum + count, 0)
} are read, and written back as
they were. Of these, ${totals.unknown} need an operator that headstart does not know; of the other ${totals.tests - totals.unknown}, ${totals.passed} pass, and ${totals.listed} are
listed below. Gradients were compared for ${totals.gradients}, mirrors made of ${totals.mirrored}.

## The operators

- *opsets*: operator sets of models with the operator in tests that pass.
- *tests*: ONNX's tests of this operator alone that pass. Where there are none, it occurs in tests of whole networks or
  is tested here only, in \`test/ops\`.
- *shape*: whether types and shapes of the outputs are worked out; "and constants": the outputs too, where all inputs are
  known, as in shape arithmetic.
- *gradient*: for which inputs; "none" where the output does not vary with a number, as with comparisons.
- *second*: whether the gradient's own gradient agreed with differences.
- *mirror*: what stands for it in the mirror of the feature extractor.

${table(["operator", "opsets", "tests", "shape", "gradient", "second", "mirror"], rows)}

## Written in terms of others

Shapes, gradients and mirrors are those of the operators that they are written in; the numbers say for how many tests
gradients to second order agreed with differences, and how many were mirrored.

${table(["operator", "opsets", "tests", "gradients", "mirrored"], composed)}

## Recurrent layers

${recurrent.join(", ")} are written as what they compute at each position of a sequence, whose length has to follow from the sample's
shape (${longestSequence} positions at most, and ${mostPositions} in all layers and directions together): forward, reverse and bidirectional, from given states or zeros, with peepholes and either kind
of GRU, with the activations ${knownActivations.join(", ")}.
What they leave out is said by \`inspect\`: coupled gates, clipping, lengths of a sequence's own. They are compared with ONNX Runtime's operators (\`test/ops/unroll-recurrences.test.ts\`) and, gradients
included, with PyTorch's layers. ONNX's own tests have their sequences' positions on the axis that headstart takes for the
batch, and count above as not known.

## Known limits

${limits.join("\n")}

## Tests that are listed as failing

One that passes again fails the run, and so does a pattern that meets no test (\`test/interop/backend-filters.json\`).

${table(["stage", "tests", "reason"], listed)}

## Operators that it does not know

By the number of tests that need them: ${unknown.map(([name, count]) => `${name} (${count})`).join(", ")}.

An \`If\` whose condition follows from shapes and constants is taken as its branch when a network is found in a model.

How to add one is in [adding-an-operator.md](adding-an-operator.md).
`;

const arguments_ = process.argv.slice(2);
if (arguments_.length > 1 || (arguments_.length === 1 && arguments_[0] !== "--check")) {
  console.error("usage: node scripts/write-operators-page.mjs [--check]");
  process.exit(2);
}
if (arguments_.length === 0) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  console.error("docs/operators.md is not what the tables and tests say: run node scripts/write-operators-page.mjs.");
  process.exit(1);
}

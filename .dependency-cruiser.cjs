/**
 * Which folder may import which: the table of docs/architecture.md. A folder may always import itself. Edges that exist
 * only for types count here too, but not as cycles.
 */
const mayImport = {
  graph: [],
  "errors.ts": [],
  "counted.ts": [],
  "nearest.ts": [],
  "is-running.ts": [],
  "webassembly.ts": [],
  "zip-directory.ts": ["errors.ts"],
  random: ["errors.ts"],
  formats: ["graph", "errors.ts", "zip-directory.ts"],
  ops: ["graph", "errors.ts", "nearest.ts"],
  autodiff: ["graph", "ops", "errors.ts"],
  mirror: ["graph", "ops", "errors.ts"],
  initializers: ["graph", "random", "errors.ts", "nearest.ts"],
  recipe: ["graph", "ops", "autodiff", "mirror", "initializers", "random", "errors.ts", "nearest.ts"],
  rewrite: ["graph", "ops"],
  runtime: ["graph", "formats", "errors.ts", "webassembly.ts"],
  data: ["random", "errors.ts", "counted.ts", "is-running.ts", "nearest.ts", "webassembly.ts", "zip-directory.ts"],
  training: [
    "recipe",
    "rewrite",
    "runtime",
    "data",
    "formats",
    "ops",
    "initializers",
    "random",
    "graph",
    "errors.ts",
    "counted.ts",
    "nearest.ts",
  ],
  // recipe, initializers and graph: a trial's start is weights by name, drawn by an initializer or trained by a recipe.
  study: [
    "training",
    "recipe",
    "initializers",
    "data",
    "random",
    "graph",
    "errors.ts",
    "counted.ts",
    "is-running.ts",
    "nearest.ts",
  ],
  web: ["library", "study", "training", "formats", "errors.ts", "is-running.ts", "nearest.ts"],
};

/** Folders that compute only: no Node, no browser. tsconfig.pure.json holds the same list. */
const pure = [
  "graph",
  "errors\\.ts",
  "counted\\.ts",
  "nearest\\.ts",
  "webassembly\\.ts",
  "random",
  "ops",
  "autodiff",
  "mirror",
  "initializers",
  "recipe",
  "rewrite",
];

/** A pattern for the modules of src in these folders or files. */
const inside = (names) => `^src/(${names.map((name) => name.replace(".", "\\.")).join("|")})(/|$)`;

const folderRules = Object.entries(mayImport).map(([folder, allowed]) => ({
  name: `${folder}-imports`,
  comment: `${folder} may import ${allowed.join(", ") || "nothing else"} of src.`,
  severity: "error",
  from: { path: inside([folder]) },
  to: { path: "^src/", pathNot: inside([folder, ...allowed]) },
}));

module.exports = {
  forbidden: [
    ...folderRules,
    {
      name: "cli-is-the-top",
      comment: "Nothing imports the command line.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "page-imports",
      comment: "The page runs in a browser, and knows of the server only what the protocol says.",
      severity: "error",
      from: { path: "^src/web/page/" },
      to: { path: "^src/", pathNot: "^src/web/(page/|protocol\\.ts$)" },
    },
    {
      name: "new-folder",
      comment: "Every folder and file at the top of src has its place in the table above.",
      severity: "error",
      from: {},
      to: { path: "^src/", pathNot: inside([...Object.keys(mayImport), "library", "index.ts", "cli"]) },
    },
    {
      name: "no-cycles",
      comment:
        "A cycle of imports hides which module stands on which. Imports of types alone leave no trace and are free.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "pure-without-node",
      comment: "The pure folders run in a browser too.",
      severity: "error",
      from: { path: `^src/(${pure.join("|")})(/|$)` },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "onnxruntime-in-runtime",
      comment:
        "Only src/runtime/onnx-runtime.ts imports ONNX Runtime: it forbids its telemetry and tries its library first.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/runtime/onnx-runtime\\.ts$" },
      to: { path: "(^|/)(node_modules/)?onnxruntime-" },
    },
    {
      name: "sharp-in-data",
      comment: "Only src/data/sharp.ts loads sharp: it says what to do where that fails.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/data/sharp\\.ts$" },
      to: { path: "(^|/)(node_modules/)?sharp(/|$)" },
    },
    {
      name: "protobuf-in-formats",
      comment: "Only src/formats knows that an ONNX file is a protobuf message.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/formats/" },
      to: { path: "(^|/)(node_modules/)?(onnx-buf|@bufbuild)(/|$)" },
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "no-development-packages",
      comment: "What src imports must come with the package; the page is built into one file.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/web/page/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Sees imports of types, which the compiler would have erased.
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};

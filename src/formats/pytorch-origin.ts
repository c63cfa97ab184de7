/** What PyTorch's exporters note at a node of the code that it came from. */

/** Where in PyTorch's module tree a node comes from, and which call it stands for. */
export interface PytorchOrigin {
  /** Paths of the modules around the call, outermost first; the outermost has the empty path. */
  readonly modules: readonly string[];
  /** Class of the innermost module, such as torch.nn.modules.linear.Linear. */
  readonly moduleClass: string;
  /** The operation, such as aten.linear.default. */
  readonly operation: string;
  /**
   * The call's positional arguments as text. `%p_` and `%b_` begin parameters and buffers, whose paths follow with every
   * dot as an underscore.
   */
  readonly arguments: readonly string[];
  /** The call has arguments by name, too. */
  readonly hasKeywords: boolean;
  /** The exporter has folded a normalisation, which is the call named here, into the node. */
  readonly isFolded: boolean;
}

/**
 * The origin of a node by the metadata that the exporter of torch.export graphs (dynamo=True) writes; undefined where it
 * is none of that exporter.
 */
export function pytorchOrigin(metadata: ReadonlyMap<string, string>): PytorchOrigin | undefined {
  const scopes = quotedList(metadata.get("pkg.torch.onnx.name_scopes"));
  const classes = quotedList(metadata.get("pkg.torch.onnx.class_hierarchy"));
  const call = metadata.get("pkg.torch.onnx.fx_node") ?? "";
  // The last scope is the call itself.
  if (scopes.length < 2 || scopes.length !== classes.length) return undefined;
  const [, operation = "", rest = ""] =
    /call_function\[target=torch\.ops\.([\w.]+)\]\(args = \((.*)$/s.exec(call) ?? [];
  return {
    modules: scopes.slice(0, -1),
    moduleClass: classes[classes.length - 2],
    operation,
    arguments: topLevelParts(rest),
    hasKeywords: !/, kwargs = \{\}\)/.test(rest),
    isFolded: (metadata.get("pkg.onnxscript.rewriter.rule_name") ?? "").includes("BatchNorm"),
  };
}

/**
 * Does this metadata of an initializer, by the same exporter, say that PyTorch trains no such tensor? That are buffers and
 * tensors that are plain attributes of a module.
 */
export function isPytorchConstant(metadata: ReadonlyMap<string, string>): boolean {
  const kind = metadata.get("pkg.torch.export.graph_signature.InputSpec.kind");
  return kind === "BUFFER" || kind === "CONSTANT_TENSOR";
}

/** The tensors of a network in PyTorch, as its exporter has noted them. */
export interface PytorchSignature {
  /** Names of all parameters. */
  readonly trained: ReadonlySet<string>;
  /** Names of parameters and buffers by what calls have among their arguments, such as `%p_layer1_0_bn1_weight`. */
  readonly names: ReadonlyMap<string, string>;
}

/** The network's tensors by the same exporter's metadata of the graph; undefined where it has none. */
export function pytorchSignature(metadata: ReadonlyMap<string, string>): PytorchSignature | undefined {
  const signature = metadata.get("pkg.torch.export.ExportedProgram.graph_signature");
  if (signature === undefined) return undefined;
  const tensors = [...signature.matchAll(/^(\S+): (PARAMETER|BUFFER) target=(['"])(.*?)\3/gm)];
  return {
    trained: new Set(tensors.flatMap(([, , kind, , name]) => (kind === "PARAMETER" ? [name] : []))),
    names: new Map(tensors.map(([, placeholder, , , name]) => [`%${placeholder}`, name])),
  };
}

/**
 * Does this metadata of an initializer say that the exporter's optimiser has computed it, from none of the tensors that
 * PyTorch trains? Such are the sines of positions and other tables that the network makes on its way.
 */
export function isFoldedTable(metadata: ReadonlyMap<string, string>, parameters: ReadonlySet<string>): boolean {
  const sources = quotedList(metadata.get("pkg.onnxscript.optimizer.folded_from"));
  return sources.length > 0 && !sources.some((name) => parameters.has(name));
}

/** The texts of a printed Python list of strings. */
function quotedList(text = ""): string[] {
  return [...text.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double);
}

/** The parts between commas outside of brackets, up to the bracket that closes the list. */
function topLevelParts(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const character of text) {
    if (depth === 0 && (character === "," || character === ")")) {
      if (part.trim() !== "") parts.push(part.trim());
      part = "";
      if (character === ")") return parts;
      continue;
    }
    if ("([{".includes(character)) depth++;
    if (")]}".includes(character)) depth--;
    part += character;
  }
  return [];
}

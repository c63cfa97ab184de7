/** The lines that load written weights in each framework. */

export interface LoadingLines {
  readonly framework: string;
  readonly lines: readonly string[];
}

/** What to write in PyTorch, Keras and ONNX Runtime, with the files' own paths. */
export function loadingLines(weightsFile: string, modelFile: string): LoadingLines[] {
  const weights = JSON.stringify(weightsFile);
  return [
    {
      framework: "PyTorch",
      lines: ["from safetensors.torch import load_file", `model.load_state_dict(load_file(${weights}), strict=False)`],
    },
    {
      framework: "Keras",
      lines: [
        "from safetensors.numpy import load_file",
        `weights = load_file(${weights})`,
        "for v in model.weights:",
        "    w = next((w for n, w in weights.items() if n.split(':')[0].removesuffix('/ReadVariableOp').endswith(v.path)), None)",
        "    if w is not None: v.assign(w.transpose(2, 3, 1, 0) if w.ndim == 4 else w)",
      ],
    },
    {
      framework: "ONNX Runtime",
      lines: ["import onnxruntime", `session = onnxruntime.InferenceSession(${JSON.stringify(modelFile)})`],
    },
  ];
}

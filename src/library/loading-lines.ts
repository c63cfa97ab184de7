/** The lines that load written weights in each framework. */
import { join } from "node:path";
import { isJaxExporter } from "../formats/jax-export.js";
import type { LoadingLimits, ModelFormat } from "../formats/model-file.js";
import { runFiles } from "./run-folder.js";

export interface LoadingLines {
  readonly framework: string;
  readonly lines: readonly string[];
}

/** The model that a run wrote, as its result.json has it. */
export interface WrittenModel {
  /** File name in the run's folder. */
  readonly model: string;
  readonly format: ModelFormat;
  /** What wrote the model that the user gave. */
  readonly producer: string;
  /** The weights have the file's names, which are not the framework's. */
  readonly names?: "kept";
  readonly limits?: LoadingLimits;
}

/**
 * What to write in the model's own framework, and in ONNX Runtime for an ONNX model. Where names of weights are not the
 * framework's own, a comment says what helps in place of lines that would load nothing.
 *
 * @param folder the run's
 */
export function loadingLines(folder: string, written: WrittenModel): LoadingLines[] {
  const { model, format, producer, names } = written;
  const path = JSON.stringify(join(folder, model));
  switch (format) {
    case "keras":
    case "keras-hdf5":
      return kerasLines(path, written);
    case "tensorflow.js":
      return [
        {
          framework: "TensorFlow.js (in Node.js with @tensorflow/tfjs-node; in a browser, by its URL)",
          lines: [`const model = await tf.loadLayersModel(${JSON.stringify(`file://${join(folder, model)}`)});`],
        },
      ];
    case "onnx":
      return [
        ...ownFramework(join(folder, runFiles.weights), producer, names === "kept"),
        {
          framework: "ONNX Runtime",
          lines: ["import onnxruntime", `session = onnxruntime.InferenceSession(${path})`],
        },
      ];
  }
}

function kerasLines(path: string, { format, producer, limits = {} }: WrittenModel): LoadingLines[] {
  const { notWhole, afterCall } = limits;
  // Keras 3 does not find losses and metrics by the short names (mse) that it has written into HDF5 itself.
  const settings = format === "keras-hdf5" ? ", compile=False" : "";
  const whole: LoadingLines = {
    framework: "Keras",
    // Keras 3 does not load what Keras 2 has saved.
    lines: producer.startsWith("Keras 2.")
      ? [
          "import tf_keras as keras  # with TensorFlow before 2.16: from tensorflow import keras",
          `model = keras.models.load_model(${path})`,
        ]
      : ["import keras", `model = keras.saving.load_model(${path}${settings})`],
  };
  const remarks = [
    ...(notWhole === undefined
      ? []
      : [
          `# Keras cannot load this whole model from a .h5 file, because of ${notWhole}: make it by its code, or save it`,
          "# as .keras and give headstart that.",
        ]),
    ...(afterCall === undefined
      ? []
      : [`# Call the model once before, on any samples: ${afterCall} has its weights only from then on.`]),
  ];
  return [
    ...(notWhole === undefined ? [whole] : []),
    {
      framework: "Keras, into a model that is there already",
      lines: [...remarks, `model.load_weights(${path})`],
    },
  ];
}

function ownFramework(weights: string, producer: string, hasFileNames: boolean): LoadingLines[] {
  if (/^tf2onnx|^keras/i.test(producer))
    return [
      {
        framework: "Keras",
        lines: [
          "# The export to ONNX has renamed the weights. For weights that go back into Keras, save the model with",
          "# model.save and run headstart init on that .keras or .h5 file.",
        ],
      },
    ];
  if (/^skl2onnx/i.test(producer)) return [];
  if (isJaxExporter(producer)) return [hasFileNames ? jaxWithoutNames : jaxLines(weights)];
  if (hasFileNames)
    return [
      {
        framework: "PyTorch",
        lines: [
          "# The weights have the names of the ONNX file, as --keep-names asked; load_state_dict does not take them.",
          "# headstart init without --keep-names says how to export.",
        ],
      },
    ];
  return [
    {
      framework: "PyTorch",
      lines: [
        "from safetensors.torch import load_file",
        `missing, unexpected = model.load_state_dict(load_file(${JSON.stringify(weights)}), strict=False)`,
        "assert not unexpected, unexpected",
      ],
    },
  ];
}

const jaxWithoutNames: LoadingLines = {
  framework: "JAX",
  lines: [
    "# The weights have the names of the ONNX file, as --keep-names asked, which no tree has.",
    "# headstart init without --keep-names says how to export.",
  ],
};

function jaxLines(file: string): LoadingLines {
  return {
    framework: "JAX (weights is the tree that was exported)",
    lines: [
      "import jax",
      "from safetensors.flax import load_file",
      `tensors = load_file(${JSON.stringify(file)})`,
      'name_of = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")',
      "weights = jax.tree_util.tree_map_with_path(lambda path, old: tensors.pop(name_of(path), old), weights)",
      "assert not tensors, tensors.keys()",
    ],
  };
}

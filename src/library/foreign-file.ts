/** Files that people take for a model, though no network can be read from them. */
import { unzipSync } from "fflate";
import { type UserError, userError } from "../errors.js";
import { isZip } from "../formats/keras.js";
import { plainExport } from "../ops/plain-export.js";

interface Kind {
  readonly got: string;
  readonly advice: string;
}

const pytorch: Kind = {
  got: "a file of PyTorch, which can hold code and has no network that other programs read",
  advice: `Load it into the network and export that: ${plainExport}. Where weights are wanted, take safetensors.torch.save_model(model, FILE).`,
};
const safetensors: Kind = {
  got: "safetensors, which are weights without a network",
  advice: "Give the network itself, such as the ONNX file that was exported.",
};
const arrays: Kind = {
  got: "arrays of NumPy",
  advice: "Give the model's file first, and samples with --data.",
};
const empty: Kind = {
  got: "an empty file",
  advice: "Write or fetch it again.",
};

/** The error to give for a file that is of another kind than a model; undefined for all others. */
export function foreignFile(bytes: Uint8Array, where: string): UserError | undefined {
  const kind = kindOf(bytes);
  return kind && userError({ where, required: "a model as ONNX, Keras or TensorFlow.js file", ...kind });
}

function kindOf(bytes: Uint8Array): Kind | undefined {
  if (bytes.length === 0) return empty;
  // A pickle of protocol 2 or later, as torch.save wrote it before it wrote zip archives.
  if (bytes[0] === 0x80 && bytes[1] >= 2 && bytes[1] <= 5) return pytorch;
  if (bytes[0] === 0x93 && textAt(bytes, 1, 5) === "NUMPY") return arrays;
  // The length of a header in eight bytes, then the header, in JSON.
  if (bytes[8] === 0x7b && bytes[6] === 0 && bytes[7] === 0) return safetensors;
  if (!isZip(bytes)) return undefined;
  const names = namesInZip(bytes);
  // Of torch.save and TorchScript; of torch.export.save.
  if (names.some((name) => /(^|\/)(data\.pkl|archive_format)$/.test(name))) return pytorch;
  return names.length > 0 && names.every((name) => name.endsWith(".npy")) ? arrays : undefined;
}

/** What a zip archive holds, without unpacking any of it; nothing where it is broken. */
function namesInZip(bytes: Uint8Array): string[] {
  const names: string[] = [];
  try {
    unzipSync(bytes, {
      filter({ name }) {
        names.push(name);
        return false;
      },
    });
  } catch {
    return [];
  }
  return names;
}

function textAt(bytes: Uint8Array, start: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

import { unzipSync } from "fflate";
import { userError } from "../errors.js";
import { looksLikeNpy, parseNpy } from "./npy.js";
import { memoryLimit, type RawArray } from "./sample-array.js";

const sampleNames = ["x", "images", "data", "X", "x_train", "X_train", "train_images", "arr_0"];
const labelNames = ["y", "labels", "label", "targets", "Y", "y_train", "Y_train", "train_labels"];

/** Whether a file's first bytes are those of a zip archive. */
export function looksLikeZip(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}

/**
 * Parses an NPZ archive and finds its samples and labels: samples are the array of two or more axes, or of a usual
 * name where there are several (x, images, data, X, x_train); labels the array of a usual name (y, labels, y_train)
 * or of the name asked for.
 *
 * @throws UserError if it is damaged, or if it is not clear which array is meant
 */
export function parseNpz(bytes: Uint8Array, where: string, labels?: string): { samples: RawArray; labels?: RawArray } {
  const files = unpack(bytes, where);
  const arrays = new Map<string, RawArray>();
  for (const [name, content] of Object.entries(files)) {
    if (looksLikeNpy(content)) arrays.set(name.replace(/\.npy$/, ""), parseNpy(content, `${where}[${name}]`));
  }
  const labelName = labels ?? labelNames.find((name) => arrays.has(name));
  if (labels !== undefined && !arrays.has(labels)) {
    throw userError({
      where,
      required: `an array named ${labels} for the labels`,
      got: [...arrays.keys()].join(", ") || "none",
      advice: "Name one of these",
    });
  }
  const deep = [...arrays.keys()].filter((name) => name !== labelName && (arrays.get(name)?.dims.length ?? 0) >= 2);
  const chosen = deep.length === 1 ? deep[0] : sampleNames.find((name) => deep.includes(name));
  if (chosen === undefined) {
    throw userError({
      where,
      required: `one array of samples, or one of the names ${sampleNames.join(", ")}`,
      got: [...arrays].map(([name, { dims }]) => `${name} [${dims.join(", ")}]`).join(", ") || "no array",
      advice: "Save the samples under one of these names, or alone as NPY",
    });
  }
  const found = labelName === undefined ? undefined : arrays.get(labelName);
  return { samples: arrays.get(chosen)!, ...(found === undefined ? {} : { labels: found }) };
}

function unpack(bytes: Uint8Array, where: string): Record<string, Uint8Array> {
  let total = 0;
  const damaged = (got: string) =>
    userError({ where, required: "a whole NPZ archive", got, advice: "Save it again with numpy.savez" });
  try {
    return unzipSync(bytes, {
      filter: ({ name, size, originalSize }) => {
        if (!name.endsWith(".npy")) return false;
        total += originalSize;
        // Checked before anything is allocated: deflate packs at most about 1,032 bytes into one.
        if (originalSize > 1032 * size + 1024)
          throw damaged(`${name} with an impossible size of ${originalSize} bytes`);
        if (total > memoryLimit) throw damaged(`arrays of more than ${memoryLimit} bytes`);
        return true;
      },
    });
  } catch (error) {
    if (error instanceof Error && error.name === "UserError") throw error;
    throw damaged(`one that cannot be unpacked (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** What Keras 3 cannot load of the files that it saves itself. */
import { isObject, type Json } from "./keras-calls.js";
import type { LoadingLimits } from "./model-file.js";

/** Layers deeper in each other than this are no real ones. */
const deepest = 64;

/**
 * Finds the layers that Keras 3.15 fails to load where it saves them without a complaint: in an HDF5 file functions that
 * stand among the layers, Attention, and Normalization with statistics of its own but for one axis; and in any file the
 * weights of PReLU as a layer's activation, which a model has after its first call only.
 *
 * @param config a model's config, as JSON has it
 * @param isHdf5 whether the model is one HDF5 file
 */
export function loadingLimits(config: unknown, isHdf5: boolean): LoadingLimits {
  let notWhole: string | undefined;
  let afterCall: string | undefined;
  const visit = (value: unknown, key: string, depth: number): void => {
    if (depth > deepest) return;
    if (Array.isArray(value)) for (const part of value) visit(part, key, depth + 1);
    if (!isObject(value)) return;
    const { class_name: className, config: settings } = value;
    if (typeof className === "string" && isObject(settings)) {
      const name = String(value.name ?? settings.name ?? className);
      if (isHdf5 && key === "layers" && failsInHdf5(className, settings)) notWhole ??= name;
      if (className === "PReLU" && key === "activation") afterCall ??= name;
    }
    for (const [inner, part] of Object.entries(value)) visit(part, inner, depth + 1);
  };
  visit(config, "", 0);
  return {
    ...(notWhole === undefined ? {} : { notWhole }),
    ...(afterCall === undefined ? {} : { afterCall }),
  };
}

function failsInHdf5(className: string, settings: Json): boolean {
  if (className === "Attention") return true;
  if (className === "Normalization") {
    const { axis, mean } = settings;
    const axes = Array.isArray(axis) ? axis.length : Number(typeof axis === "number");
    return (mean ?? null) === null && axes !== 1;
  }
  // Layers say whether they are trainable, but for these; functions, which may have a layer's name, do not.
  const isLayer =
    settings.trainable !== undefined || settings.layers !== undefined || /^(InputLayer|SpatialDropout)/.test(className);
  return !isLayer;
}

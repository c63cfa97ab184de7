/**
 * headstart as a library: every command of the command line is a thin shell around one of these functions.
 */
export type { Dataset, NormalisationChoice, OpenOptions } from "./data/dataset.js";
export { memoryDataset } from "./data/memory-dataset.js";
export { openDataset } from "./data/open-dataset.js";
export { savedTransform } from "./data/saved-transform.js";
export { type StreamedSample, type StreamOptions, streamDataset } from "./data/stream-dataset.js";
export { InterruptedError, UsageError, UserError } from "./errors.js";
export { readSafetensors, type Safetensors, writeSafetensors } from "./formats/safetensors.js";
export type { FloatTensor, Tensor } from "./graph/tensor.js";
export { initializerNames } from "./initializers/initializers.js";
export type { ChainStep, HeadStep } from "./library/chain-steps.js";
export { type CompareEvent, type CompareOptions, type CompareResult, compare } from "./library/compare.js";
export { type DemoArm, type DemoEvent, type DemoOptions, type DemoResult, demo } from "./library/demo.js";
export { type DataDescription, type DescribeDataOptions, describeData } from "./library/describe-data.js";
export {
  type FeatureReport,
  type InitializeEvent,
  type InitializeOptions,
  type InitializeResult,
  initialize,
  type RunRecord,
} from "./library/initialize.js";
export { type InspectOptions, type InspectResult, inspect } from "./library/inspect.js";
export { type LabOptions, lab, type RunningLab } from "./library/lab.js";
export { type NewModelOptions, type NewModelResult, newModel } from "./library/new-model.js";
export {
  type TensorFacts,
  type TensorVerdict,
  type VerifiedTensor,
  type VerifyOptions,
  type VerifyResult,
  verify,
} from "./library/verify.js";
export { builtInRecipe, builtInRecipes, parseRecipe, type Recipe, type RecipeInput } from "./recipe/recipe.js";
export { type Device, devices } from "./runtime/device.js";

/**
 * headstart as a library: every command of the command line is a thin shell around one of these functions.
 */
export { InterruptedError, UsageError, UserError } from "./errors.js";
export { type NewModelOptions, type NewModelResult, newModel } from "./library/new-model.js";

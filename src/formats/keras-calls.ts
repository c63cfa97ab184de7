/** The calls of a Keras model's layers, as its config has them. */
import type { UserError } from "../errors.js";

/** One tensor: an output of a call of a layer. */
export interface TensorReference {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

/** A use of a layer. A layer that is used twice has two calls and one set of weights. */
export interface LayerCall {
  readonly inputs: readonly TensorReference[];
  /** Set where a model is called with a dictionary: the inputs' keys, in their order. */
  readonly keys?: readonly string[] | undefined;
  /** Tensors that are given by the argument's name, such as an attention's value. */
  readonly named?: Readonly<Record<string, TensorReference>>;
  /** Names of arguments that are true, such as use_causal_mask. */
  readonly flags?: readonly string[];
  /** It is given a mask, which Masking in front of it has made. */
  readonly isMasked?: boolean;
  /** Set where the call says whether it is one of training, which otherwise the model decides. */
  readonly training?: boolean;
  /** Whether it is written as Keras 3 does. */
  readonly isNew?: boolean;
  /** Set where constants are among the arguments, as in x * 2: all arguments in order, undefined for the inputs. */
  readonly operands?: readonly (Constant | undefined)[];
  /** Settings of this call, where Keras has them in the call and not in the layer: x[:, 0] has an index. */
  readonly settings?: Json;
  /** Set where the call has other constant arguments, which headstart does not read. */
  readonly constants?: string;
}

/** A number, or several with the shape that they have. */
export interface Constant {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** An object of JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** Makes the error of something that is not as required. */
export type Fail = (required: string, got: string) => UserError;

/** All tensors that a call takes. */
export function tensorsOf({ inputs, named = {} }: LayerCall): TensorReference[] {
  return [...inputs, ...Object.values(named)];
}

/** Keras 3 has {args, kwargs}; Keras 2 and TensorFlow.js have lists of [layer, call, output, keyword arguments]. */
export function readCall(node: unknown, fail: Fail, isGetItem = false): LayerCall {
  if (isObject(node) && !Array.isArray(node.args)) return { inputs: references(node, fail), keys: keysOf(node) };
  if (Array.isArray(node)) {
    const keywords = node.map((entry) => (Array.isArray(entry) && isObject(entry[3]) ? entry[3] : {}));
    return { inputs: references(node, fail), ...readKeywords(Object.assign({}, ...keywords), fail) };
  }
  if (!isObject(node) || !Array.isArray(node.args)) throw fail("inbound_nodes with args", describe(node));
  const inputs: TensorReference[] = [];
  const constants: string[] = [];
  const operands: (Constant | undefined)[] = [];
  const collect = (argument: unknown): void => {
    if (Array.isArray(argument)) for (const part of argument) collect(part);
    else if (isObject(argument) && argument.class_name === "__keras_tensor__" && isObject(argument.config)) {
      inputs.push(...references([argument.config.keras_history], fail));
      operands.push(undefined);
    } else if (isObject(argument) && argument.class_name === undefined) {
      for (const [, part] of sortedEntries(argument)) collect(part);
    } else {
      const constant = constantOf(argument);
      if (constant) operands.push(constant);
      else if (argument !== null) constants.push(JSON.stringify(argument) ?? "");
    }
  };
  const [first, second] = node.args;
  collect(isGetItem ? [first] : node.args);
  const keywords = readKeywords(isObject(node.kwargs) ? node.kwargs : {}, fail);
  if (keywords.constants !== undefined) constants.push(keywords.constants);
  const mixed = operands.some((operand) => operand !== undefined);
  const isDictionary = node.args.length === 1 && isObject(first) && first.class_name === undefined;
  return {
    inputs,
    isNew: true,
    keys: isDictionary ? keysOf(first) : undefined,
    ...(isGetItem ? { settings: { index: second } } : {}),
    ...keywords,
    ...(mixed ? { operands } : {}),
    ...(constants.length > 0 ? { constants: constants.join(", ").slice(0, 80) } : {}),
  };
}

/** Layers of attention and recurrent ones take tensors by name; masks and modes are mostly null or false in saved models. */
function readKeywords(keywords: Json, fail: Fail): Pick<LayerCall, "named" | "flags" | "training" | "constants"> {
  const named: Record<string, TensorReference> = {};
  const flags: string[] = [];
  const constants: string[] = [];
  for (const [key, value] of Object.entries(keywords)) {
    const isTensor = isObject(value) && value.class_name === "__keras_tensor__" && isObject(value.config);
    const history = isTensor ? (value.config as Json).keras_history : value;
    if (key === "training") continue;
    if (Array.isArray(history) && history.length === 3 && typeof history[0] === "string")
      [named[key]] = references([history], fail);
    else if (value === true) flags.push(key);
    else if (!isEmpty(value) && typeof value === "object") constants.push(`${key}=${JSON.stringify(value)}`);
  }
  return {
    ...(Object.keys(named).length > 0 ? { named } : {}),
    ...(flags.length > 0 ? { flags } : {}),
    ...(typeof keywords.training === "boolean" ? { training: keywords.training } : {}),
    ...(constants.length > 0 ? { constants: constants.join(", ").slice(0, 80) } : {}),
  };
}

/**
 * [layer, call, output], or a structure of such triples: a list, or a dictionary, in Python's order of keys whatever that of
 * the file, as Keras flattens it.
 */
export function references(value: unknown, fail: Fail): TensorReference[] {
  const required = "tensors as [layer, call, output]";
  if (isObject(value)) return sortedEntries(value).flatMap(([, part]) => references(part, fail));
  if (!Array.isArray(value)) throw fail(required, describe(value));
  const [layer, call, output] = value;
  if (typeof layer !== "string") return value.flatMap((entry) => references(entry, fail));
  if (!Number.isSafeInteger(call) || !Number.isSafeInteger(output)) throw fail(required, describe(value));
  return [{ layer, call, output }];
}

/** The keys of a dictionary, in Python's order. */
export function keysOf(value: unknown): readonly string[] | undefined {
  return isObject(value) ? sortedEntries(value).map(([key]) => key) : undefined;
}

/** A number, an array of NumPy's, a tensor, or lists of numbers; undefined for anything else. */
export function constantOf(value: unknown): Constant | undefined {
  if (isObject(value)) {
    const isArray = (value.class_name === "__numpy__" || value.class_name === "__tensor__") && isObject(value.config);
    return isArray ? constantOf((value.config as Json).value) : undefined;
  }
  if (typeof value === "number") return { shape: [], data: [value] };
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const parts = value.map(constantOf);
  const [first] = parts;
  const isEven = (part: Constant | undefined): part is Constant => part?.shape.join() === first?.shape.join();
  if (!first || !parts.every(isEven)) return undefined;
  return { shape: [value.length, ...first.shape], data: parts.flatMap(({ data }) => data) };
}

function sortedEntries(value: Json): [string, unknown][] {
  return Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Whether nothing but null is in a value, as in masks that are not there. */
function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === "object" && Object.values(value).every(isEmpty));
}

/** Whether a value of JSON is an object: no list, and not null. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in a message. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

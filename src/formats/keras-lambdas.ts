/** TensorFlow's functions in models of Keras 2 (its TFOpLambda), as what Keras 3 calls the same. */
import {
  type Constant,
  constantOf,
  type Fail,
  isObject,
  type Json,
  type LayerCall,
  references,
  type TensorReference,
} from "./keras-calls.js";

/** What a function of TensorFlow is in Keras 3. */
export interface LambdaOperation {
  readonly className: string;
  /** Names of the arguments that may be tensors, in order, the first of which comes without its name. */
  readonly operands: readonly string[];
  /** Keras 3's names of other arguments, where they differ. */
  readonly renamed: Readonly<Record<string, string>>;
  /** Settings where the call does not say them. */
  readonly initial: Json;
}

const unary = (
  className: string,
  renamed: Readonly<Record<string, string>> = {},
  initial: Json = {},
): LambdaOperation => ({
  className,
  operands: ["x"],
  renamed,
  initial,
});

const binary = (className: string, other = "y"): LambdaOperation => ({
  className,
  operands: ["x", other],
  renamed: {},
  initial: {},
});

const functions: Readonly<Record<string, LambdaOperation>> = {
  "__operators__.add": binary("Add"),
  "__operators__.getitem": unary("GetItem", { slice_spec: "index" }),
  "math.add": binary("Add"),
  "nn.bias_add": binary("Add", "bias"),
  "math.subtract": binary("Subtract"),
  "math.multiply": binary("Multiply"),
  "math.truediv": binary("TrueDivide"),
  "math.divide": binary("TrueDivide"),
  "math.maximum": binary("Maximum"),
  "math.minimum": binary("Minimum"),
  "math.pow": binary("Power"),
  "math.negative": unary("Negative"),
  "math.square": unary("Square"),
  "math.sqrt": unary("Sqrt"),
  "math.abs": unary("Absolute"),
  "math.exp": unary("Exp"),
  "math.log": unary("Log"),
  "math.sigmoid": unary("Sigmoid"),
  "math.tanh": unary("Tanh"),
  "math.softplus": unary("Softplus"),
  "nn.softplus": unary("Softplus"),
  "nn.softsign": unary("Softsign"),
  "nn.relu": unary("Relu"),
  "nn.relu6": unary("Relu6"),
  "nn.leaky_relu": unary("LeakyRelu", { alpha: "negative_slope" }),
  "nn.elu": unary("Elu"),
  "nn.selu": unary("Selu"),
  "nn.silu": unary("Silu"),
  "nn.gelu": unary("Gelu", {}, { approximate: false }),
  "nn.softmax": unary("Softmax"),
  "nn.log_softmax": unary("LogSoftmax"),
  "math.reduce_mean": unary("Mean"),
  "math.reduce_sum": unary("Sum"),
  "math.reduce_max": unary("Max"),
  "math.reduce_min": unary("Min"),
  clip_by_value: unary("Clip", { clip_value_min: "x_min", clip_value_max: "x_max" }),
  reshape: unary("Reshape", { shape: "newshape" }),
  transpose: unary("Transpose", { perm: "axes" }),
  expand_dims: unary("ExpandDims"),
  squeeze: unary("Squeeze"),
  concat: unary("Concatenate"),
  stack: unary("Stack", {}, { axis: 0 }),
  cast: unary("Cast"),
};

/** The operation that a layer of Keras 2 is; a function that is not known is one by its own name. */
export function lambdaOperation(className: string, { function: name }: Json): LambdaOperation | undefined {
  if ((className !== "TFOpLambda" && className !== "SlicingOpLambda") || typeof name !== "string") return undefined;
  // tf.transpose and tf.squeeze are known to Keras by their first names.
  const known = name.replace(/^compat\.v1\./, "");
  return Object.hasOwn(functions, known) ? functions[known] : unary(`tf.${name}`);
}

/** A call as lists of [layer, call, output, keyword arguments], where constants are ["_CONSTANT_VALUE", −1, value, ...]. */
export function lambdaCall(
  { operands: names, renamed, initial }: LambdaOperation,
  node: unknown,
  fail: Fail,
): LayerCall {
  const entries: unknown[] =
    Array.isArray(node) && typeof node[0] === "string" ? [node] : Array.isArray(node) ? node : [];
  const inputs: TensorReference[] = [];
  const operands: (Constant | undefined)[] = [];
  const constants: string[] = [];
  const add = (value: unknown): void => {
    const constant = constantOf(value);
    if (constant) operands.push(constant);
    else {
      inputs.push(...references(value, fail));
      operands.push(undefined);
    }
  };
  const settings: Record<string, unknown> = { ...initial };
  for (const entry of entries) {
    if (!Array.isArray(entry)) throw fail("tensors as [layer, call, output]", JSON.stringify(entry).slice(0, 60));
    add(entry[0] === "_CONSTANT_VALUE" ? entry[2] : entry);
    // TensorFlow's null is a default, and all entries have the same.
    for (const [key, value] of Object.entries(isObject(entry[3]) ? entry[3] : {}))
      if (value !== null && key !== "name") settings[Object.hasOwn(renamed, key) ? renamed[key] : key] = value;
  }
  for (const name of names.slice(1)) {
    if (settings[name] === undefined) throw fail(`${name} among the arguments`, "none");
    add(settings[name]);
    delete settings[name];
  }
  for (const [key, value] of Object.entries(settings))
    if ((Array.isArray(value) && typeof value[0] === "string") || (key === "data_format" && value !== "NHWC"))
      constants.push(`${key}=${JSON.stringify(value)}`);
  return {
    inputs,
    settings,
    ...(operands.includes(undefined) && operands.some((operand) => operand) ? { operands } : {}),
    ...(constants.length > 0 ? { constants: constants.join(", ").slice(0, 80) } : {}),
  };
}

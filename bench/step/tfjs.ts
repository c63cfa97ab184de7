/**
 * The training steps in TensorFlow.js. Its backends take pictures channels last only: samples and weights are turned
 * around beforehand; what is flattened goes back to ONNX's order, so that the same weights mean the same.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
// Registers the gradients of all kernels, which tfjs-core alone does not do in Node.
import "@tensorflow/tfjs-layers";
import { readSafetensors } from "../../src/formats/safetensors.js";
import type { Layer } from "./layers.js";
import { layersInput } from "./layers.js";
import type { MeasuredStep } from "./measured-process.js";
import { learningRateAt, readBatches } from "./ours.js";
import type { PlanFile } from "./plan.js";

/** Takes the wasm backend where it has all kernels that the plan's gradients need, else the one in plain JavaScript. */
async function chooseBackend(plan: PlanFile): Promise<string> {
  const layers = [...plan.features, ...plan.mirror, ...plan.discriminator];
  // The wasm backend has no gradient of a filter.
  if (layers.some(({ op }) => op === "convolution" || op === "transposedConvolution")) {
    await import("@tensorflow/tfjs-backend-cpu");
    await tf.setBackend("cpu");
    return "cpu";
  }
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  const entry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(dirname(entry) + sep);
  await tf.setBackend("wasm");
  return "wasm";
}

type Values = Readonly<Record<string, tf.Tensor>>;

/** [batch, channels, ...positions] to [batch, ...positions, channels], a signal as a picture of height 1. */
function channelsLast(x: tf.Tensor): tf.Tensor {
  if (x.rank < 3) return x;
  const picture = x.rank === 3 ? tf.expandDims(x, 2) : x;
  return tf.transpose(picture, [0, 2, 3, 1]);
}

/** Back again, with a height of 1 for a signal. */
function channelsFirst(x: tf.Tensor): tf.Tensor {
  return x.rank === 4 ? tf.transpose(x, [0, 3, 1, 2]) : x;
}

/** What {@link channelsLast} makes of a shape. */
function channelsLastShape(shape: readonly number[]): number[] {
  if (shape.length < 3) return [...shape];
  const [batch, channels, ...positions] = shape;
  return [batch, ...(positions.length === 1 ? [1, ...positions] : positions), channels];
}

/** [outputs, inputs / groups, ...kernel] to [...kernel, inputs / groups, outputs], or [...kernel, channels, 1]. */
function filterOf(weight: tf.Tensor, depthwise: boolean): tf.Tensor {
  const square = weight.rank === 3 ? tf.expandDims(weight, 2) : weight;
  return tf.transpose(square, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
}

const isDepthwise = ({ groups = 1 }: Layer): boolean => groups > 1;

/** x ∗ Wᵀ over channels apart; TensorFlow.js has the kernels of its gradient, but no gradient registered for it. */
function transposedDepthwise(x: tf.Tensor4D, filter: tf.Tensor4D, shape: number[], stride: number, pad: number) {
  const attributes = { strides: [stride, stride], dilations: [1, 1], pad };
  const forward = tf.customGrad((...inputs) => {
    const [dy, kernel, save] = inputs as unknown as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    save([dy, kernel]);
    const value = tf.engine().runKernel(tf.DepthwiseConv2dNativeBackpropInput, { dy, filter: kernel }, {
      ...attributes,
      inputShape: shape,
    } as unknown as tf.NamedAttrMap) as tf.Tensor4D;
    return {
      value,
      gradFunc: (slope: tf.Tensor, saved: tf.Tensor[]) => {
        const [kept, weight] = saved as [tf.Tensor4D, tf.Tensor4D];
        return [
          tf.depthwiseConv2d(slope as tf.Tensor4D, weight, stride, pad),
          tf.engine().runKernel(tf.DepthwiseConv2dNativeBackpropFilter, { x: slope, dy: kept }, {
            ...attributes,
            filterShape: weight.shape,
          } as unknown as tf.NamedAttrMap) as tf.Tensor,
        ];
      },
    };
  });
  return forward(x, filter);
}

/** Runs layers. `track` receives new running statistics. */
function apply(
  layers: readonly Layer[],
  input: tf.Tensor,
  parameters: Values,
  track?: (name: string, value: tf.Tensor, momentum: number) => void,
): tf.Tensor {
  const values = new Map<string, tf.Tensor>([[layersInput, input]]);
  for (const layer of layers) {
    const x = values.get(layer.inputs[0]) as tf.Tensor;
    values.set(layer.output, layerValue(layer, x, values, parameters, track));
  }
  return values.get(layers.at(-1)?.output ?? layersInput) as tf.Tensor;
}

function layerValue(
  layer: Layer,
  x: tf.Tensor,
  values: ReadonlyMap<string, tf.Tensor>,
  parameters: Values,
  track?: (name: string, value: tf.Tensor, momentum: number) => void,
): tf.Tensor {
  const weight = layer.weight === undefined ? undefined : parameters[layer.weight];
  const bias = layer.bias === undefined ? undefined : parameters[layer.bias];
  const biased = (y: tf.Tensor): tf.Tensor => (bias ? tf.add(y, bias) : y);
  switch (layer.op) {
    case "linear":
      return biased(tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D, false, layer.transposed !== true));
    case "convolution":
    case "transposedConvolution": {
      const [stride, pad] = [layer.strides?.at(-1) ?? 1, layer.pads?.at(-1) ?? 0];
      const signal = layer.strides?.length === 1;
      const filter = filterOf(weight as tf.Tensor, isDepthwise(layer)) as tf.Tensor4D;
      if (layer.op === "convolution") {
        if (isDepthwise(layer)) return biased(tf.depthwiseConv2d(x as tf.Tensor4D, filter, stride, pad));
        if (!signal) return biased(tf.conv2d(x as tf.Tensor4D, filter, stride, pad));
        // A signal is a picture of height 1, which must be padded along its length only.
        const ends: [number, number][] = [
          [0, 0],
          [0, 0],
          [pad, pad],
          [0, 0],
        ];
        return biased(tf.conv2d(tf.pad(x, ends) as tf.Tensor4D, filter, [1, stride], "valid"));
      }
      const shape = channelsLastShape(layer.shape) as [number, number, number, number];
      if (isDepthwise(layer)) return biased(transposedDepthwise(x as tf.Tensor4D, filter, shape, stride, pad));
      if (!signal) return biased(tf.conv2dTranspose(x as tf.Tensor4D, filter, shape, stride, pad));
      const padded: [number, number, number, number] = [shape[0], 1, shape[2] + 2 * pad, shape[3]];
      const whole = tf.conv2dTranspose(x as tf.Tensor4D, filter, padded, [1, stride], "valid");
      return biased(tf.slice(whole, [0, 0, pad, 0], shape));
    }
    case "relu":
      return tf.relu(x);
    case "leakyRelu":
      return tf.leakyRelu(x, layer.slope);
    case "batchNormalization": {
      const [scale, shift, meanName, varianceName] = layer.statistics as readonly string[];
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      const count = x.size / x.shape[x.rank - 1];
      track?.(meanName, mean, layer.momentum ?? 0.9);
      track?.(varianceName, tf.mul(variance, count / (count - 1)), layer.momentum ?? 0.9);
      const normal = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, layer.epsilon ?? 1e-5)));
      return tf.add(tf.mul(normal, parameters[scale]), parameters[shift]);
    }
    case "add":
      return tf.add(x, values.get(layer.inputs[1]) as tf.Tensor);
    case "globalAverage":
      return tf.mean(x, [1, 2], true);
    case "expand":
      return tf.broadcastTo(x, channelsLastShape([x.shape[0], ...layer.shape.slice(1)]));
    case "reshape": {
      // Two views of a batch come as one batch of twice the size.
      const shape = [x.shape[0], ...layer.shape.slice(1)];
      return shape.length >= 3 ? channelsLast(tf.reshape(x, shape)) : tf.reshape(channelsFirst(x), shape);
    }
  }
}

/** The step of the folder's plan, ready to be made. */
export async function openTensorFlowStep(folder: string): Promise<MeasuredStep> {
  const plan = JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")) as PlanFile;
  const backend = await chooseBackend(plan);
  const { tensors } = readSafetensors(readFileSync(join(folder, "start.safetensors")), "start");
  const variables: Record<string, tf.Variable> = {};
  const trainable = new Set(Object.values(plan.trainable).flat());
  for (const [name, { data, shape }] of tensors)
    variables[name] = tf.variable(tf.tensor(data as Float32Array, [...shape]), trainable.has(name));
  const batches = readBatches(folder, plan.batches).map((batch) =>
    Object.fromEntries(
      Object.entries(batch).map(([name, { data, shape }]) => [name, channelsLast(tf.tensor(data, [...shape]))]),
    ),
  );
  const optimizers = Object.fromEntries(
    Object.entries(plan.optimizers).map(([name, { learningRate, momentum, secondMoment, epsilon }]) => [
      name,
      tf.train.adam(learningRate, momentum, secondMoment, epsilon),
    ]),
  );
  const of = (name: string): tf.Variable[] => (plan.trainable[name] ?? []).map((each) => variables[each]);
  const track = (name: string, value: tf.Tensor, momentum: number): void => {
    const kept = variables[name];
    kept.assign(tf.add(tf.mul(kept, momentum), tf.mul(value, 1 - momentum)));
  };
  const generate = (x: tf.Tensor): tf.Tensor =>
    apply(plan.mirror, apply(plan.features, x, variables, track), variables, track);
  const judge = (x: tf.Tensor): tf.Tensor => apply(plan.discriminator, x, variables);
  const { contrast, reconstruction, adversarial, selfSupervision, orientations, visualWords, gradientClip } =
    plan.recipe;

  /** Applies gradients, clipped where the recipe says so; gives the loss. */
  const move = (
    name: string,
    step: number,
    { value, grads }: { value: tf.Scalar; grads: tf.NamedTensorMap },
  ): number => {
    const optimizer = optimizers[name];
    (optimizer as unknown as { learningRate: number }).learningRate = learningRateAt(plan, name, step);
    tf.tidy(() => {
      let slopes = grads;
      if (gradientClip > 0 && plan.step !== "supervised") {
        const norm = tf.sqrt(tf.addN(Object.values(grads).map((slope) => tf.sum(tf.square(slope)))));
        const factor = tf.minimum(1, tf.div(gradientClip, tf.add(norm, 1e-12)));
        slopes = Object.fromEntries(Object.entries(grads).map(([key, slope]) => [key, tf.mul(slope, factor)]));
      }
      optimizer.applyGradients(slopes as Parameters<typeof optimizer.applyGradients>[0]);
    });
    return value.dataSync()[0];
  };
  const mean = (x: tf.Tensor): tf.Scalar => tf.mean(x);

  const flattened = (code: tf.Tensor): tf.Tensor2D => {
    const count = code.shape[0];
    return tf.reshape(channelsFirst(code), [count, code.size / count]);
  };
  /** What a task's linear layer says of features. */
  const told = (task: string, flat: tf.Tensor2D): tf.Tensor =>
    tf.add(tf.matMul(flat, variables[`${task}/weight`] as tf.Tensor as tf.Tensor2D), variables[`${task}/bias`]);

  const toldError = (task: string, flat: tf.Tensor2D, batch: Values): tf.Scalar =>
    mean(tf.square(tf.sub(told(task, flat), batch[task])));

  const tasks = (batch: Values, fake: tf.Tensor): tf.Scalar => {
    const error = mean(tf.square(tf.sub(fake, batch.samples)));
    const views = tf.concat([batch["view/first"], batch["view/second"]], 0);
    const flat = flattened(apply(plan.features, views, variables));
    const count = flat.shape[0];
    const projected = told("contrast", flat);
    const norm = tf.sqrt(tf.add(tf.sum(tf.square(projected), 1, true), 1e-12));
    const unit = tf.div(projected, norm) as tf.Tensor2D;
    const itself = tf.mul(tf.eye(count), -1e4);
    const similarity = tf.add(tf.div(tf.matMul(unit, unit, false, true), contrast.temperature), itself);
    const partners = tf.tensor1d(
      Int32Array.from({ length: count }, (_, at) => (at + count / 2) % count),
      "int32",
    );
    const loss = tf.div(tf.sum(tf.mul(tf.logSoftmax(similarity), tf.oneHot(partners, count))), -count);
    return tf.add(tf.mul(error, reconstruction.weight), tf.mul(loss, contrast.weight)) as tf.Scalar;
  };

  const steps = {
    // D's gradients are taken inside of what G's are taken of: what G made is computed once for both.
    gan(batch: Values, step: number): number[] {
      let discriminator = 0;
      const found = tf.variableGrads(() => {
        const fake = generate(batch.samples);
        const inner = tf.variableGrads(
          () => tf.add(mean(tf.softplus(tf.neg(judge(batch.samples)))), mean(tf.softplus(judge(fake)))) as tf.Scalar,
          of("discriminator"),
        );
        discriminator = move("discriminator", step, inner);
        return tf.neg(mean(tf.softplus(judge(fake))));
      }, of("generator"));
      return [discriminator, move("generator", step, found)];
    },
    contrast(batch: Values, step: number): number[] {
      let inner: ReturnType<typeof tf.variableGrads> | undefined;
      const found = tf.variableGrads(() => {
        const fake = generate(batch.samples);
        const real = judge(tf.add(batch.samples, batch["noise/real"]));
        const made = judge(tf.add(fake, batch["noise/fake"]));
        inner = tf.variableGrads(() => mean(tf.softplus(tf.sub(made, real))), of("discriminator"));
        for (const tensor of [inner.value, ...Object.values(inner.grads)]) tf.keep(tensor);
        const played = tf.mul(mean(tf.softplus(tf.sub(real, made))), adversarial.weight);
        return tf.add(tasks(batch, fake), played) as tf.Scalar;
      }, of("generator"));
      if (!inner) throw new Error("no gradients of D");
      const losses = [move("discriminator", step, inner), move("generator", step, found)];
      tf.dispose([inner.value, ...Object.values(inner.grads)]);
      return losses;
    },
    rotation(batch: Values, step: number): number[] {
      const found = tf.variableGrads(() => {
        const flat = flattened(apply(plan.features, batch.rotated, variables, track));
        const turns = tf.div(tf.sum(tf.mul(tf.logSoftmax(told("task", flat)), batch.turns)), -plan.batchSize);
        const upright = tf.slice(flat, 0, batch.orientations.shape[0]);
        const edges = toldError("orientations", upright, batch);
        return tf.add(tf.mul(turns, selfSupervision.weight), tf.mul(edges, orientations.weight)) as tf.Scalar;
      }, of("generator"));
      return [move("generator", step, found)];
    },
    "visual-words"(batch: Values, step: number): number[] {
      const found = tf.variableGrads(() => {
        const flat = flattened(apply(plan.features, batch.samples, variables, track));
        const [edges, words] = ["orientations", "visual-words"].map((task) => toldError(task, flat, batch));
        return tf.add(tf.mul(edges, orientations.weight), tf.mul(words, visualWords.weight)) as tf.Scalar;
      }, of("generator"));
      return [move("generator", step, found)];
    },
    supervised(batch: Values, step: number): number[] {
      const found = tf.variableGrads(() => {
        const logits = apply(plan.features, batch.samples, variables, track);
        return tf.div(tf.sum(tf.mul(tf.logSoftmax(logits), batch.targets)), -plan.batchSize) as tf.Scalar;
      }, of("supervised"));
      return [move("supervised", step, found)];
    },
  };
  let step = 0;
  return {
    note: backend,
    async run() {
      const losses = tf.tidy(() => steps[plan.step](batches[step % batches.length], step));
      step++;
      return losses;
    },
  };
}

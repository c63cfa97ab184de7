/** The measured process of headstart's own training step, and of ONNX Runtime's matrix product. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { type FloatTensor, floatTensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { optimizerScalars } from "../../src/recipe/optimizers.js";
import type { Device } from "../../src/runtime/device.js";
import { openSession } from "../../src/runtime/node.js";
import { scalarTensor } from "../../src/training/optimizer-feeds.js";
import { Trainer } from "../../src/training/trainer.js";
import type { MeasuredStep } from "./measured-process.js";
import { type PlanFile, planOf } from "./plan.js";

/** Tensors of one batch by feed name. */
export type Batch = Readonly<Record<string, FloatTensor>>;

/** The batches of feeds.safetensors. */
export function readBatches(folder: string, count: number): Batch[] {
  const { tensors } = readSafetensors(readFileSync(join(folder, "feeds.safetensors")), "feeds");
  return Array.from({ length: count }, (_, batch) =>
    Object.fromEntries(
      [...tensors].flatMap(([name, tensor]) =>
        name.startsWith(`${batch}/`) ? [[name.slice(name.indexOf("/") + 1), tensor as FloatTensor]] : [],
      ),
    ),
  );
}

/** What an optimiser's learning rate is at a step from 0. */
export function learningRateAt(plan: PlanFile, optimizer: string, step: number): number {
  const rates = plan.learningRates[optimizer];
  return rates[Math.min(step, rates.length - 1)];
}

/** Losses that every peer reports, by step. */
export const comparedLosses = {
  gan: ["discriminator/loss", "generator/loss"],
  contrast: ["discriminator/loss", "generator/loss"],
  rotation: ["generator/loss"],
  "visual-words": ["generator/loss"],
  supervised: ["loss"],
} as const;

/** headstart's step, ready to be made. The folder must hold the plan of this network and step. */
export async function openOurStep(folder: string, threads: number, device: Device = "cpu"): Promise<MeasuredStep> {
  const written = JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")) as PlanFile;
  // The graph is built again rather than read: it is not part of what peers get.
  const { file: plan, training } = await planOf(written.network, written.step, folder, written.batchSize, device);
  const { tensors } = readSafetensors(readFileSync(join(folder, "start.safetensors")), "start");
  const start = new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
  const trainer = await Trainer.open(training, start, { threads, device });
  const batches = readBatches(folder, plan.batches);
  let step = 0;
  return {
    async run() {
      const feeds: Record<string, FloatTensor> = { ...batches[step % batches.length] };
      for (const [name, settings] of Object.entries(plan.optimizers)) {
        const [rate, first, second] = optimizerScalars(settings, step + 1, learningRateAt(plan, name, step));
        feeds[`${name}/learning-rate`] = scalarTensor(rate);
        feeds[`${name}/first-correction`] = scalarTensor(first);
        feeds[`${name}/second-correction`] = scalarTensor(second);
      }
      step++;
      const { metrics } = await trainer.step(feeds);
      return comparedLosses[plan.step].map((name) => metrics[name]);
    },
  };
}

/** Rows and columns of the matrices whose product measures the machine. */
export const productSide = 1024;

/** ONNX Runtime's MatMul of two square matrices. */
export async function openMatrixProduct(threads: number): Promise<MeasuredStep> {
  const emit = new Emitter();
  const shape = [productSide, productSide];
  const [a, b] = ["a", "b"].map((name) => emit.input(name, "float32", shape));
  emit.output("product", emit.one("MatMul", [a, b]));
  const session = await openSession(emit.build("product"), { threads });
  const random = (): FloatTensor =>
    floatTensor(
      Float32Array.from({ length: productSide ** 2 }, (_, index) => Math.sin(index)),
      shape,
    );
  const feeds = { a: random(), b: random() };
  const targets = { product: random() };
  return {
    async run() {
      await session.run(feeds, targets);
      return [];
    },
  };
}

/** The networks, data and sessions of a study, opened once and kept between jobs. */
import { type FeatureExtractor, featureExtractor } from "../recipe/feature-extractor.js";
import type { OptimizerSettings } from "../recipe/recipe.js";
import { type SessionOptions, sessionOptions } from "../runtime/session.js";
import { lossOf } from "../study/measure.js";
import { networkOf, type StudyPlan } from "../study/plan.js";
import { openGradientProbe, type StudyData, trialThreads } from "../study/run-trial.js";
import { type DeviceCheck, deviceNotes } from "../training/device-check.js";
import { checkSupervised, Supervisor } from "../training/supervise.js";
import { openModel } from "./open-model.js";
import { OpenedDatasets } from "./opened-datasets.js";
import { networkOnStandardised } from "./reading-for.js";
import { type BenchSettings, openStudyData } from "./study-data.js";
import { hasChanged } from "./study-weights.js";

/** What the jobs of a study work with. */
export class StudyMaterial {
  readonly #settings: BenchSettings;
  readonly #onNote: ((message: string) => void) | undefined;
  readonly #checked = new Set<string>();
  #data: Promise<StudyData> | undefined;
  /** Those that were opened here. */
  #datasets: OpenedDatasets | undefined;
  readonly #networks = new Map<string, Promise<FeatureExtractor>>();
  /** The sessions used last: of one network and optimiser at a time, so that a grid does not fill the memory. */
  #sessions: { readonly name: string; readonly supervisor: Supervisor; readonly gradientProbe: Supervisor } | undefined;

  /**
   * @param data where the caller has opened it already
   * @param onNote told what of a step the plan's device does not run
   */
  constructor(settings: BenchSettings, data: StudyData | undefined, onNote: ((message: string) => void) | undefined) {
    this.#settings = settings;
    this.#onNote = onNote;
    this.#data = data && Promise.resolve(data);
  }

  /** Its data, opened when it is first asked for. */
  data(signal: AbortSignal): Promise<StudyData> {
    if (this.#data === undefined) {
      this.#datasets = new OpenedDatasets(signal);
      this.#data = openStudyData(this.#settings, this.#datasets);
    }
    return this.#data;
  }

  /** F of a network of the plan. @throws UserError where its file has changed */
  features(plan: StudyPlan, name: string, signal: AbortSignal): Promise<FeatureExtractor> {
    const known = this.#networks.get(name);
    if (known) return known;
    const { input, inputShape } = this.#settings;
    const { file, hash: planned, cell } = networkOf(plan, name);
    const opening = openModel(file, {
      ...(input === undefined ? {} : { input }),
      ...(inputShape ? { inputShape } : {}),
    }).then(async ({ network, hash }) => {
      // A grid's networks are known by what they were made from.
      if (cell === undefined && hash !== planned) throw hasChanged(file);
      const isAsked = this.#settings.reading.normalise !== undefined;
      const fitted = isAsked ? network : networkOnStandardised(network, (await this.data(signal)).train.record).network;
      return featureExtractor(fitted, plan.features);
    });
    this.#networks.set(name, opening);
    return opening;
  }

  /** Sessions that train a network, ready to be used again until other ones are asked for. */
  async supervisors(
    plan: StudyPlan,
    network: string,
    features: FeatureExtractor,
    optimizer: OptimizerSettings,
  ): Promise<{ supervisor: Supervisor; gradientProbe: Supervisor }> {
    // The learning rate is fed at each step; a session serves all of them.
    const name = JSON.stringify([network, { ...optimizer, learningRate: 0 }]);
    if (this.#sessions?.name === name) return this.#sessions;
    await this.#releaseSessions();
    const { batchSize } = plan;
    const loss = lossOf(plan.task);
    const supervisor = await Supervisor.open({ features, loss, optimizer, batchSize, ...computing(plan) });
    try {
      if (this.#onNote && plan.device !== undefined)
        this.#note(await checkSupervised(features, optimizer, plan.device, loss));
      this.#sessions = { name, supervisor, gradientProbe: await openGradientProbe(features, batchSize, loss) };
    } catch (error) {
      await supervisor.release();
      throw error;
    }
    return this.#sessions;
  }

  /** Has a device's first step checked, once for each name: what one seed has shown need not be shown by every other. */
  checking(name: string): { onDeviceCheck?: (check: DeviceCheck) => void } {
    if (!this.#onNote || this.#checked.has(name)) return {};
    this.#checked.add(name);
    return { onDeviceCheck: (check) => this.#note(check) };
  }

  #note(check: DeviceCheck): void {
    for (const message of deviceNotes(check)) this.#onNote?.(message);
  }

  /** Frees the sessions, and closes the data that was opened here. */
  async close(): Promise<void> {
    try {
      await this.#releaseSessions();
    } finally {
      await this.#datasets?.closeAll();
    }
  }

  async #releaseSessions(): Promise<void> {
    await this.#sessions?.supervisor.release();
    await this.#sessions?.gradientProbe.release();
    this.#sessions = undefined;
  }
}

/** How a study's sessions run. */
export function computing({ device }: StudyPlan): SessionOptions {
  return sessionOptions({ threads: trialThreads, ...(device === undefined ? {} : { device }) });
}

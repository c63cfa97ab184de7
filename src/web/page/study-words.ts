/** What a study says, in the page's language: differences, verdicts' grounds, remarks, settings. */
import type { ComparedArm, MeanView, RemarkView, SettingView, SummaryView } from "../protocol.js";
import { has, number, percent, say, sayOr } from "./language.js";

/** What a study's scores are. */
export type Measure = "accuracy" | "balanced-accuracy" | "mean-iou" | "r2";

/** As its plan says. */
export function measureOf({ task, measure }: { readonly task?: string; readonly measure?: string }): Measure {
  if (task === "regression") return "r2";
  if (measure === "balanced-accuracy" || measure === "accuracy") return measure;
  return task === "segmentation" ? "mean-iou" : "accuracy";
}

/** The mean; NaN of none. */
export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** A score. */
export function scored(measure: Measure, value: number): string {
  return measure === "r2" ? value.toFixed(3) : percent(value);
}

/** A difference with its sign, without its unit. */
function signed(measure: Measure, value: number): string {
  const text = measure === "r2" ? value.toFixed(3) : (100 * value).toFixed(1);
  // No sign for what is shown as zero.
  return Number(text) > 0 ? `+${text}` : Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

/** A difference with its interval, such as "+2.1 points (+1.5 to +2.7)". */
export function difference(measure: Measure, test: ComparedArm["test"]): string {
  if (!test) return "–";
  const [mean, low, high] = [test.mean, test.interval.low, test.interval.high].map((value) => signed(measure, value));
  return say(measure === "r2" ? "study.differs.r2" : "study.differs.accuracy", { mean, low, high });
}

/** A p-value to two digits. */
export function probability(p: number | undefined): string {
  if (p === undefined) return "–";
  if (p < 1e-4) return "< 0.0001";
  return p.toLocaleString("en", { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });
}

/** A difference in steps with its interval. */
export function stepsDiffer(difference: MeanView | null): string {
  if (!difference) return "–";
  const whole = (value: number): string => {
    const text = number(Math.abs(Math.round(value)));
    return Math.round(value) === 0 ? text : `${value > 0 ? "+" : "\u2212"}${text}`;
  };
  const { mean, low, high } = difference;
  if (low === null || high === null) return whole(mean);
  return say("study.differs.r2", { mean: whole(mean), low: whole(low), high: whole(high) });
}

/** Why a verdict is as it is. */
export function grounds({ verdict }: ComparedArm, measure: Measure): string[] {
  // Earlier versions wrote words only, and later ones may have other grounds.
  return verdict.reasons.map((reason, index) => {
    const ground = verdict.grounds?.[index];
    if (!ground || !has(`ground.${ground.kind}`)) return reason;
    const { level, minimumEffect, p } = ground as Readonly<Record<string, number | undefined>>;
    return sayOr(`ground.${ground.kind}`, reason, {
      ...ground,
      ...(level === undefined ? {} : { level: whole(level), alpha: whole(1 - level) }),
      ...(minimumEffect === undefined ? {} : { minimumEffect: effect(measure, minimumEffect) }),
      ...(p === undefined ? {} : { p: probability(p) }),
    });
  });
}

const whole = (share: number): string => `${Number((100 * share).toPrecision(3))}\u00a0%`;

/** The smallest difference that matters. */
function effect(measure: Measure, value: number): string {
  if (measure === "r2") return String(value);
  const points = Number((100 * value).toPrecision(3));
  return say(points === 1 ? "study.point" : "study.points", { value: points });
}

/** Warnings or notes in words. @param leftOut kinds that are said elsewhere */
export function remarks(summary: SummaryView, which: "warnings" | "notes", leftOut: readonly string[] = []): string[] {
  return summary[which].flatMap((text, index) => {
    const remark = summary.remarks?.[which][index];
    if (remark === undefined) return [text];
    return leftOut.includes(remark.kind) ? [] : [inWords(remark, text, summary.settings)];
  });
}

function inWords({ kind, values }: RemarkView, text: string, settings: readonly SettingView[]): string {
  const { method, usual, hard, setting } = values;
  const named = settings.find(({ name }) => name === setting);
  return sayOr(`remark.${kind}`, text, {
    ...values,
    ...(typeof method === "string" ? { method: sayOr(`method.${method}`, method) } : {}),
    ...(typeof usual === "number" ? { usual: rounded(usual) } : {}),
    ...(typeof hard === "number" ? { hard: rounded(hard) } : {}),
    ...(named ? { setting: settingLabel(named, settings) } : {}),
  });
}

const rounded = (share: number): string => `${Math.round(100 * share)}\u00a0%`;

/** A setting by what sets it apart from the others. */
export function settingLabel(
  { name, setting }: Pick<SettingView, "name" | "setting">,
  all: readonly SettingView[],
): string {
  const differ = (key: "network" | "labels" | "learningRate"): boolean =>
    new Set(all.map((other) => other.setting[key])).size > 1;
  const { labels, learningRate } = setting;
  const parts = [
    ...(differ("network") ? [setting.network] : []),
    ...(differ("labels") || all.length === 1 ? [labelsName(labels)] : []),
    ...(differ("learningRate") && learningRate !== "tuned" ? [say("study.setting.rate", { rate: learningRate })] : []),
  ];
  // Optimisers have no words of their own here.
  const alike = all.filter((other) => JSON.stringify(view(other)) === JSON.stringify(view({ setting })));
  return alike.length > 1 ? name : parts.join(", ");
}

function view({ setting: { network, labels, learningRate } }: Pick<SettingView, "setting">): unknown[] {
  return [network, labels, learningRate];
}

/** An amount of labels, such as "all" or "10/class". */
export function labelsName(labels: string): string {
  if (labels === "all") return say("study.labels.all");
  if (labels === "1") return say("study.labels.one");
  if (labels === "1/class") return say("study.labels.onePerClass");
  if (labels.endsWith("/class")) return say("study.labels.perClass", { count: labels.slice(0, -6) });
  return say("study.labels.count", { count: labels });
}

/** The charts of a study, as SVG. */
import { type Chart, ChartDrawing } from "./chart-drawing.js";
import { measureOf } from "./measure.js";
import { costCharts, differenceCharts, gridCharts, labelsCharts } from "./outcome-charts.js";
import { prepares, type StudyPlan } from "./plan.js";
import type { SettingSummary } from "./setting-summary.js";
import { startCharts } from "./start-charts.js";
import { errorCharts, lossCharts, scoreChart, stepsToTargetCharts } from "./step-charts.js";
import type { StudySummary } from "./summary.js";

/** All charts that the study has something to show in. */
export function studyCharts(plan: StudyPlan, summary: StudySummary): Chart[] {
  const arms = plan.arms.map(({ name }) => name);
  const draw = new ChartDrawing(arms, measureOf(plan));
  const many = summary.settings.length > 1;
  const of = (setting: SettingSummary, index: number): { suffix: string; place: string } => ({
    suffix: many ? `-${index + 1}` : "",
    place: many ? `: ${setting.name}` : "",
  });
  return [
    ...summary.comparisons
      .filter(({ at }) => at === "equal steps" || prepares(plan))
      .flatMap((comparison, index) => differenceCharts(draw, comparison, index)),
    ...gridCharts(draw, plan, summary),
    ...summary.settings.flatMap((setting, index) => {
      const { suffix, place } = of(setting, index);
      return [
        scoreChart(draw, setting, suffix, place),
        ...errorCharts(draw, setting, plan.targets ?? [], suffix, place),
        ...lossCharts(draw, setting, suffix, place, false),
        ...lossCharts(draw, setting, suffix, place, true),
      ];
    }),
    ...summary.settings.flatMap((setting, index) => {
      const { suffix, place } = of(setting, index);
      return stepsToTargetCharts(draw, setting, plan.steps, suffix, place);
    }),
    ...labelsCharts(draw, plan, summary),
    ...costCharts(draw, summary, plan.steps),
    ...plan.networks.flatMap(({ name }, index) => {
      const setting = summary.settings.find((candidate) => candidate.setting.network === name);
      const [suffix, place] = plan.networks.length > 1 ? [`-${index + 1}`, `: ${name}`] : ["", ""];
      return setting ? startCharts(draw, setting, suffix, place) : [];
    }),
  ];
}

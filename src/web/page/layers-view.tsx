/** Spectra and histograms of F's layers, against the start. */
import { useMemo } from "preact/hooks";
import type { HistogramRecord, LayersRecord } from "../protocol.js";
import { Chart, type Line } from "./chart.js";
import { number, say, useLanguage } from "./language.js";
import { StepSlider, useShownStep } from "./step-slider.js";

export function LayersView({ layers }: { layers: readonly LayersRecord[] }) {
  const language = useLanguage();
  const [place, choose] = useShownStep(layers.length);
  const now = layers[place];
  const start = layers[0];
  const charts = useMemo(() => {
    if (!now || !start) return [];
    return now.layers.map((layer) => {
      const before = start.layers.find((one) => one.layer === layer.layer) ?? layer;
      const names = [say("layers.start"), say("slider.now", { step: number(now.step) })];
      return {
        layer: layer.layer,
        spectrum: [
          spectrum(names[0], before.singularValues, true),
          spectrum(names[1], layer.singularValues, false),
        ].flat(),
        histogram: [shares(names[0], before.preActivations, true), shares(names[1], layer.preActivations, false)],
      };
    });
  }, [now, start, language]);
  if (!now) return <p class="faint">{say("layers.none")}</p>;
  return (
    <section class="panel bare">
      <h2>{say("layers.title")}</h2>
      <StepSlider steps={layers.map(({ step }) => step)} place={place} choose={choose} />
      <div class="charts">
        {charts.map(({ layer, spectrum: values, histogram }) => (
          <>
            {values.length > 0 ? (
              <Chart
                key={`${layer} spectrum`}
                title={say("layers.spectrum", { layer })}
                lines={values}
                xLabel={say("layers.index")}
                logarithmic
                height={190}
              />
            ) : (
              <p class="panel faint" key={`${layer} none`}>
                {say("layers.tooLarge")}
              </p>
            )}
            <Chart
              key={`${layer} histogram`}
              title={say("layers.histogram", { layer })}
              lines={histogram}
              xLabel={say("layers.value")}
              yLabel={say("layers.share")}
              stepped
              height={190}
            />
          </>
        ))}
      </div>
    </section>
  );
}

function spectrum(name: string, values: readonly number[] | null, dashed: boolean): Line[] {
  if (!values) return [];
  return [{ name, steps: values.map((_, index) => index + 1), values: [...values], dashed }];
}

/** A histogram as a density, so that bins of different widths compare. */
function shares(name: string, { low, high, counts }: HistogramRecord, dashed: boolean): Line {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const width = (high - low) / Math.max(1, counts.length) || 1;
  return {
    name,
    dashed,
    steps: [...counts.map((_, index) => low + index * width), low + counts.length * width],
    values: [...counts.map((count) => count / Math.max(1, all) / width), 0],
  };
}

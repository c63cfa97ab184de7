/** Pictures along a run, with a slider over the steps that have one. */
import { useId } from "preact/hooks";
import { fileAddress } from "./api.js";
import { number } from "./language.js";
import { StepSlider, useShownStep } from "./step-slider.js";

export function StepPictures({
  id,
  folder,
  steps,
  title,
  alt,
  none,
}: {
  id: string;
  folder: "samples" | "filters";
  steps: readonly number[];
  title: string;
  alt: (step: string) => string;
  none: string;
}) {
  const [place, choose] = useShownStep(steps.length);
  const heading = useId();
  const step = steps[place];
  return (
    <section class="panel" aria-labelledby={heading}>
      <h2 id={heading}>{title}</h2>
      {step === undefined ? (
        <p class="faint">{none}</p>
      ) : (
        <>
          <StepSlider steps={steps} place={place} choose={choose} />
          <img
            class="picture"
            src={fileAddress(id, `${folder}/step-${String(step).padStart(9, "0")}.png`)}
            alt={alt(number(step))}
          />
        </>
      )}
    </section>
  );
}

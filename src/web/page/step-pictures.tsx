/** Pictures along a run, with a slider over the steps that have one. */
import { useId, useState } from "preact/hooks";
import { fileAddress } from "./api.js";
import { number, say } from "./language.js";

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
  const [chosen, setChosen] = useState<number>();
  const heading = useId();
  // Without a choice the newest is shown, also when a newer one comes.
  const place = chosen ?? steps.length - 1;
  const step = steps[Math.min(place, steps.length - 1)];
  return (
    <section class="panel" aria-labelledby={heading}>
      <h2 id={heading}>{title}</h2>
      {step === undefined ? (
        <p class="faint">{none}</p>
      ) : (
        <>
          <label class="slider">
            {say("slider.step")}
            <input
              type="range"
              min={0}
              max={steps.length - 1}
              value={place}
              aria-valuetext={say("slider.now", { step: number(step) })}
              onInput={(event) => {
                const next = Number(event.currentTarget.value);
                setChosen(next === steps.length - 1 ? undefined : next);
              }}
            />
            <output>{say("slider.now", { step: number(step) })}</output>
          </label>
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

/** A slider over the steps that something was recorded at. */
import { useState } from "preact/hooks";
import { number, say } from "./language.js";

/**
 * Which of the recorded steps is shown: without a choice the newest, also when a newer one comes.
 *
 * @returns its place, and what chooses another
 */
export function useShownStep(count: number): readonly [number, (place: number) => void] {
  const [chosen, setChosen] = useState<number>();
  const newest = count - 1;
  return [Math.min(chosen ?? newest, newest), (place) => setChosen(place === newest ? undefined : place)];
}

export function StepSlider(props: { steps: readonly number[]; place: number; choose: (place: number) => void }) {
  const { steps, place, choose } = props;
  const shown = say("slider.now", { step: number(steps[place]) });
  return (
    <label class="slider">
      {say("slider.step")}
      <input
        type="range"
        min={0}
        max={steps.length - 1}
        value={place}
        aria-valuetext={shown}
        onInput={(event) => choose(Number(event.currentTarget.value))}
      />
      <output>{shown}</output>
    </label>
  );
}

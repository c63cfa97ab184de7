import { expect, test, vi } from "vitest";
import { UserError } from "../../src/errors.js";
import { fitMemory } from "../../src/library/fit-memory.js";
import { pilotArms, selfTrainedPilotArms } from "../../src/study/arm.js";
import { type StudyPlan, selfTrained } from "../../src/study/plan.js";
import { armsOf, planOf } from "../support/study-plan.js";

const none = new AbortController().signal;
const machine = 2 ** 30;

/** A bench on which plans take as much memory as it is told. */
function benchOf({ plain, selfTraining }: { plain: number; selfTraining: number }, takesHead = true) {
  return {
    requireWeights: async () => {},
    requireHeads: async () => {},
    requireAugmentation: async () => {},
    takesHead: async () => takesHead,
    largestStep: async ({ arms }: StudyPlan) => ({
      peakBytes: arms.some(selfTrained) ? Math.max(plain, selfTraining) : plain,
      batchSize: 64,
      advice: "a smaller network takes less",
    }),
  };
}

async function fitted(...of: Parameters<typeof benchOf>) {
  vi.spyOn(process, "constrainedMemory").mockReturnValue(machine);
  const plan = planOf(await armsOf(...pilotArms));
  const besides = await armsOf(...selfTrainedPilotArms);
  const { largest, besides: kept, leftOut } = await fitMemory(benchOf(...of), plan, besides, none);
  return { bytes: largest.peakBytes, kept: kept.map(({ name }) => name), leftOut };
}

test("what a pilot takes along counts among the steps, where the network allows it", async () => {
  const all = [...selfTrainedPilotArms];
  expect(await fitted({ plain: 1e6, selfTraining: 5e6 })).toEqual({ bytes: 5e6, kept: all });
  expect(await fitted({ plain: 6e6, selfTraining: 5e6 })).toEqual({ bytes: 6e6, kept: all });
  expect(await fitted({ plain: 1e6, selfTraining: 5e6 }, false)).toEqual({ bytes: 1e6, kept: all });
});

test("what memory has no room for is not taken along, and said; the study itself is refused", async () => {
  const { bytes, kept, leftOut } = await fitted({ plain: 1e6, selfTraining: 2 * machine });
  expect([bytes, kept]).toEqual([1e6, []]);
  expect(leftOut).toMatch(/^self-training is left out: .* 1 GiB .* 2 GiB .*A smaller network takes less\.$/);
  await expect(fitted({ plain: 2 * machine, selfTraining: 1 })).rejects.toThrow(UserError);
});

import { describe, expect, it } from "vitest";
import { DivergedError, Trainer } from "../../src/training/trainer.js";
import { squaresFeeds as feeds, squaresGraph as squares, squaresStart as start } from "../support/squares-graph.js";

describe("Trainer", () => {
  it("starts averages as their parameter and all else as nothing", async () => {
    const trainer = await Trainer.open(squares(), start, { threads: 1 });
    expect(Object.fromEntries(await trainer.state())).toEqual({
      w: Float32Array.of(1, 2),
      "generator/first-moment/w": new Float32Array(2),
      "generator/second-moment/w": new Float32Array(2),
      "average/w": Float32Array.of(1, 2),
    });
    await trainer.release();
  });

  it("steps, and hands out copies", async () => {
    const trainer = await Trainer.open(squares(), start, { threads: 1 });
    const losses: number[] = [];
    for (let step = 0; step < 30; step++) {
      const { metrics, views } = await trainer.step(feeds([0, 0]));
      losses.push(metrics.loss);
      if (step === 0) expect([...(await views()).difference.data]).toEqual([1, 2]);
    }
    expect(losses[0]).toBe(5);
    expect(losses.at(-1)).toBeLessThan(1);
    const kept = await trainer.parameters();
    const averaged = await trainer.parameters(true);
    expect(averaged.get("w")![0]).toBeGreaterThan(kept.get("w")![0]);
    const before = kept.get("w")!.slice();
    await trainer.step(feeds([0, 0]));
    expect(kept.get("w")).toEqual(before);
    await trainer.release();
  });

  it("goes on from a state to the same bits", async () => {
    const whole = await Trainer.open(squares(), start, { threads: 1 });
    for (let step = 0; step < 3; step++) await whole.step(feeds([0, 0]));
    const middle = await whole.state();
    for (let step = 0; step < 3; step++) await whole.step(feeds([0, 0]));
    const rest = await Trainer.open(squares(), middle, { threads: 1 });
    for (let step = 0; step < 3; step++) await rest.step(feeds([0, 0]));
    expect(await rest.state()).toEqual(await whole.state());
    await rest.load(start);
    expect((await rest.state()).get("generator/first-moment/w")).toEqual(new Float32Array(2));
    await whole.release();
    await rest.release();
  });

  it("keeps the last good state where a loss is not finite", async () => {
    const trainer = await Trainer.open(squares(), start, { threads: 1 });
    await trainer.step(feeds([0, 0]));
    const good = await trainer.state();
    const broken = trainer.step(feeds([1e30, 0]));
    await expect(broken).rejects.toThrow(DivergedError);
    await expect(broken).rejects.toThrow(
      /^training: required finite losses, got loss = Infinity, norm = Infinity\. Lower/,
    );
    await expect(broken).rejects.toMatchObject({ metrics: { loss: Number.POSITIVE_INFINITY } });
    expect(await trainer.state()).toEqual(good);
    await trainer.release();
  });

  it("refuses start values that do not fit", async () => {
    await expect(Trainer.open(squares(), new Map(), { threads: 1 })).rejects.toThrow("a parameter needs start values");
    await expect(Trainer.open(squares(), new Map([["w", new Float32Array(3)]]), { threads: 1 })).rejects.toThrow(
      "3 elements for shape 2",
    );
  });
});

import { afterEach, describe, expect, it, vi } from "vitest";
import { floatTensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { openSession } from "../../src/runtime/node.js";
import { sequenceMessage } from "../../src/runtime/uncopied-outputs.js";

afterEach(() => {
  vi.doUnmock("onnxruntime-node");
  vi.resetModules();
});

/** doubled = 2 x, total = Σ x. */
function graph() {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [3]);
  emit.output("doubled", emit.scale(x, 2));
  emit.output("total", emit.reduceSum(x));
  return emit.build("test");
}

describe("sequenceMessage", () => {
  it("is what this version's binding says", async () => {
    expect(await sequenceMessage()).toMatch(/\S/);
  });

  /** The message that is found where runs go as this says: with the real run, the feeds and the fetches. */
  async function messageWhere(run: (real: () => Promise<unknown>) => Promise<unknown>): Promise<string | undefined> {
    vi.resetModules();
    vi.doMock("onnxruntime-node", async () => {
      const real = await vi.importActual<typeof import("onnxruntime-node")>("onnxruntime-node");
      return {
        ...real,
        InferenceSession: {
          create: async (...given: Parameters<typeof real.InferenceSession.create>) => {
            const session = await real.InferenceSession.create(...given);
            return {
              run: (...each: Parameters<typeof session.run>) => run(() => session.run(...each)),
              release: () => session.release(),
            };
          },
        },
      };
    });
    const { sequenceMessage: asked } = await import("../../src/runtime/uncopied-outputs.js");
    return asked();
  }

  it("is the real binding's, where nothing is changed", async () => {
    expect(await messageWhere((real) => real())).toBe(await sequenceMessage());
  });

  it.each<[string, (real: () => Promise<unknown>) => Promise<unknown>]>([
    ["takes sequences", async (real) => real().catch(() => ({}))],
    ["gives up before it runs", () => Promise.reject(new Error("no sequences"))],
    [
      "says something else each time",
      async (real) => {
        await real().catch(() => {});
        throw new Error(`run ${performance.now()}`);
      },
    ],
  ])("is none where the binding %s", async (_, run) => {
    expect(await messageWhere(run)).toBeUndefined();
  });
});

describe("a session whose outputs all have targets", () => {
  it("fills them, run after run", async () => {
    const session = await openSession(graph(), { threads: 1, intoTargets: true });
    const targets = { doubled: floatTensor(new Float32Array(3)), total: floatTensor(new Float32Array(1), []) };
    for (const first of [1, 5]) {
      const outputs = await session.run({ x: floatTensor([first, 2, 3]) }, targets);
      expect(outputs).toEqual(targets);
      expect(outputs.doubled).toBe(targets.doubled);
      expect([...targets.doubled.data]).toEqual([2 * first, 4, 6]);
      expect([...targets.total.data]).toEqual([first + 5]);
    }
    await session.release();
  });

  it("names an output without one", async () => {
    const session = await openSession(graph(), { threads: 1, intoTargets: true });
    const run = session.run({ x: floatTensor([1, 2, 3]) }, { total: floatTensor(new Float32Array(1), []) });
    await expect(run).rejects.toThrow("the output doubled has no target");
    await session.release();
  });

  it("still fails where the run does", async () => {
    const session = await openSession(graph(), { threads: 1, intoTargets: true });
    const targets = { doubled: floatTensor(new Float32Array(3)), total: floatTensor(new Float32Array(1), []) };
    await expect(session.run({ x: floatTensor([1, 2, 3, 4]) }, targets)).rejects.toThrow(/dimension/);
    await session.release();
  });
});

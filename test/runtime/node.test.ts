import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { pinnedOpset } from "../../src/graph/opset.js";
import { floatTensor, intTensor, numbersOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { openSerialized, openSession } from "../../src/runtime/node.js";

/** doubled = 2 x, largest = the index of its largest element. */
function graph() {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [3]);
  emit.output("doubled", emit.scale(x, 2));
  emit.output("largest", emit.one("ArgMax", [x]));
  return emit.build("test");
}

describe("openSession", () => {
  it("runs a graph and gives its outputs with their types", async () => {
    const session = await openSession(graph(), { threads: 1 });
    const { doubled, largest } = await session.run({ x: floatTensor([1, 3, 2]) });
    expect(doubled).toMatchObject({ type: "float32", shape: [3] });
    expect(numbersOf(doubled)).toEqual([2, 6, 4]);
    expect(largest).toEqual(intTensor([1]));
    await session.release();
  });

  it("writes into the targets it is given, run after run", async () => {
    const session = await openSession(graph(), { threads: 1 });
    const x = floatTensor([1, 2, 3]);
    const target = floatTensor(new Float32Array(3));
    const first = await session.run({ x }, { doubled: target });
    expect(first.doubled).toBe(target);
    expect([...target.data]).toEqual([2, 4, 6]);
    x.data.set([4, 5, 6]);
    const second = await session.run({ x }, { doubled: target });
    expect([...target.data]).toEqual([8, 10, 12]);
    expect(second.doubled).toBe(target);
    await session.release();
  });

  it("takes buffers that were targets as feeds, and the other way round", async () => {
    const session = await openSession(graph(), { threads: 1 });
    let current = floatTensor([1, 1, 1]);
    let other = floatTensor(new Float32Array(3));
    for (let step = 0; step < 5; step++) {
      await session.run({ x: current }, { doubled: other });
      [current, other] = [other, current];
    }
    expect([...current.data]).toEqual([32, 32, 32]);
    await session.release();
  });

  it("takes the same elements under another shape", async () => {
    const emit = new Emitter();
    emit.output("sum", emit.reduceSum(emit.input("x", "float32", [2, 2]), [0]));
    const rows = await openSession(emit.build("rows"), { threads: 1 });
    const data = Float32Array.of(1, 2, 3, 4);
    expect(numbersOf((await rows.run({ x: floatTensor(data, [2, 2]) })).sum)).toEqual([4, 6]);
    await expect(rows.run({ x: floatTensor(data, [4, 1]) })).rejects.toThrow();
    expect(numbersOf((await rows.run({ x: floatTensor(data, [2, 2]) })).sum)).toEqual([4, 6]);
    await rows.release();
  });

  it("names an input that was not fed", async () => {
    const session = await openSession(graph(), { threads: 1 });
    await expect(session.run({})).rejects.toThrow("the input x was not fed");
    await session.release();
  });

  it("gives the same bits on every run with the same number of threads", async () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [64, 64]);
    emit.output("y", emit.matmul(emit.tanh(emit.matmul(x, x)), x));
    const run = async (): Promise<unknown> => {
      const session = await openSession(emit.build("test"), { threads: 2 });
      const { y } = await session.run({
        x: floatTensor(
          Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i)),
          [64, 64],
        ),
      });
      await session.release();
      return y.data;
    };
    expect(await run()).toEqual(await run());
  });
});

describe("openSerialized", () => {
  it("refuses bytes that are no model", async () => {
    await expect(openSerialized(Uint8Array.of(1, 2, 3), { threads: 1 })).rejects.toThrow();
  });
});

const built = new URL("../../dist/runtime/node.js", import.meta.url);

it.skipIf(!existsSync(fileURLToPath(built)))("prints nothing of what it throws", () => {
  const emit = new Emitter();
  const place = emit.input("place", "int64", [1]);
  emit.output("found", emit.one("Gather", [emit.input("x", "float32", [3]), place]));
  const bytes = Buffer.from(serializeGraph(emit.build("test"), pinnedOpset)).toString("base64");
  const script = `
    const { openSerialized } = await import(${JSON.stringify(built)});
    const session = await openSerialized(Buffer.from("${bytes}", "base64"), { threads: 1 });
    const x = { type: "float32", shape: [3], data: new Float32Array(3) };
    const place = { type: "int64", shape: [1], data: BigInt64Array.of(7n) };
    await session.run({ x, place }).catch((error) => console.log(error.message));
    await openSerialized(Buffer.from("no model"), { threads: 1 }).catch((error) => console.log(error.message));
  `;
  const ran = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(ran.stdout).toMatch(/^.*Gather.*out of.* bounds.*\n.*protobuf parsing failed.*\n$/);
  expect(ran.stderr).toBe("");
});

import { expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { RecordingStream } from "../support/recording-stream.js";
import { folderWith, modelFile, toyModel } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

async function inspect(bytes: Uint8Array, ...words: string[]) {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const path = folderWith({ "net.onnx": bytes });
  const signal = new AbortController().signal;
  const status = await runProgram(["inspect", path("net.onnx"), ...words], { stdout, stderr, signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

const cnn = toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] });

test("shows F, its mirror and D", async () => {
  const { status, stdout, stderr } = await inspect(cnn);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/Conv +features\.0\/Conv_output +4x4x4 +features\.0\.weight 4x1x3x3, features\.0\.bias 4/);
  expect(stdout).toContain("features: flatten/Flatten_output (24); the head begins with Gemm classifier/Gemm");
  expect(stdout).toMatch(
    /all else that init leaves as it is\n.*\n.*\nGemm +\S+ +2 +classifier\.weight 2x24, classifier\.bias 2\n/,
  );
  expect(stdout).toMatch(/ConvTranspose +mirror of Conv/);
  expect(stdout).toContain("D, the discriminator (cnn; of recipes that have one)");
  expect(stdout).toMatch(/parameters: F 262 of the network's 312, mirror \d+, D [\d,]+; F makes [\d,]+ multiply-adds/);
});

test("--json gives one record", async () => {
  const { status, stdout } = await inspect(cnn, "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ type: "inspect", features: { shape: [24] }, unsupported: [] });
});

test("what is in the way is shown, and ends with status 1", async () => {
  const net = new TestNetwork();
  const odd = net.node("Hardmax", [net.node("Gemm", ["x", net.weight("w1", [4, 4])])]);
  const bytes = modelFile(net.graph([4], [net.node("Gemm", [odd, net.weight("w2", [4, 2])])]));
  const { status, stdout, stderr } = await inspect(bytes);
  expect(status).toBe(1);
  expect(stdout).toMatch(/node_hardmax1 +Hardmax +headstart does not know this operator/);
  expect(stderr).toMatch(
    /^headstart: .*net\.onnx: required operators that the recipe default can train, got 1 in the way\. .*\n$/,
  );
});

test("a discriminator that does not fit is refused as such, and not as what is in the way of F", async () => {
  const mlp = toyModel({ template: "mlp", inputShape: [6], widths: [4] });
  expect(await inspect(mlp, "--discriminator", "cnn")).toEqual({
    status: 1,
    stdout: "",
    stderr:
      "headstart: discriminator cnn: required samples of shape [channels, height, width], got [6]. Choose mlp, or auto.\n",
  });
});

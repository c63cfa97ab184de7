/** The program as a user starts it: needs the build that `npm test` makes first. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { endFileVariable } from "../../src/web/end-request.js";
import { npyFile } from "../data/array-files.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { toyModel } from "../support/toy-data.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

describe.skipIf(!existsSync(main))("the built program", () => {
  const folder = sharedTemporaryFolder();
  const headstart = (...words: string[]) =>
    spawnSync(process.execPath, [main, ...words], { cwd: folder, encoding: "utf8" });

  test("shows its overview", () => {
    const { status, stdout, stderr } = headstart("--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("Usage: headstart COMMAND");
  });

  test("exits with 2 for wrong usage and 1 for what it cannot do", () => {
    expect(headstart("nwe")).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("nearest is new"),
    });
    const failed = headstart("new", "mlp", "--input-shape", "4", "--output", "no/such/folder.onnx");
    expect(failed).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(/^headstart: .*\n$/) });
  });

  test.runIf(existsSync("/dev/full"))("a full disk under stdout is one line", () => {
    const { status, stderr } = spawnSync("sh", ["-c", `"${process.execPath}" "${main}" --help > /dev/full`], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^headstart: .*a full disk.*\n$/) });
  });

  test.skipIf(process.platform === "win32")("says that the current folder has been removed", () => {
    const gone = join(folder, "gone");
    const words = `new mlp --input-shape 4 --output below/model.onnx`;
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", `mkdir "${gone}" && cd "${gone}" && rmdir "${gone}" && "${process.execPath}" "${main}" ${words}`],
      { encoding: "utf8" },
    );
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^headstart: current folder: .*\n$/),
    });
  });

  /** The lab, which works until it is told to end; its status when it has. */
  const lab = async (variables: Record<string, string> = {}) => {
    const child = spawn(process.execPath, [main, "lab", "--open", "no", folder], {
      env: { ...process.env, ...variables },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise((resolve) => child.on("close", (status, signal) => resolve(status ?? signal)));
    await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
    return { child, ended };
  };

  test("ends cleanly when a file asks for it", async () => {
    const file = join(folder, "end");
    const { ended } = await lab({ [endFileVariable]: file });
    writeFileSync(file, "");
    expect(await ended).toBe(0);
  });

  /** A run of far more steps than any machine takes, once it has made the first. */
  const training = async (name: string) => {
    const model = join(folder, `${name}.onnx`);
    const data = join(folder, `${name}.npy`);
    const samples = Float32Array.from({ length: 256 }, (_, index) => Math.sin(index * index));
    writeFileSync(model, toyModel({ template: "mlp", inputShape: [4] }));
    writeFileSync(data, npyFile("<f4", [64, 4], samples));
    const words = ["init", model, "--data", data, "--steps", "1000000", "--batch-size", "8", "--json"];
    const child = spawn(process.execPath, [main, ...words], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
    const ended = new Promise((resolve) => child.on("close", (status, signal) => resolve(status ?? signal)));
    let said = "";
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk) => {
        said += chunk;
        if (said.includes('"step"')) resolve();
      });
    });
    return { child, ended, checkpoints: join(folder, `${name}-headstart`, "checkpoints") };
  };
  const oneCheckpoint = [expect.stringMatching(/^step-\d+\.safetensors$/)];

  test.skipIf(process.platform === "win32")("comes to its end first when its terminal is closed", async () => {
    const { child, ended, checkpoints } = await training("hung-up");
    child.kill("SIGHUP");
    child.kill("SIGHUP");
    expect(await ended).toBe("SIGHUP");
    expect(readdirSync(checkpoints)).toEqual(oneCheckpoint);
  });

  test("keeps what is trained when nobody reads its output any more", async () => {
    const { child, ended, checkpoints } = await training("unread");
    child.stdout.destroy();
    expect(await ended).toBe(141);
    expect(readdirSync(checkpoints)).toEqual(oneCheckpoint);
  });

  test("ends quietly when nobody reads its output", async () => {
    const child = spawn(process.execPath, [main, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let complaint = "";
    child.stderr.on("data", (chunk) => {
      complaint += chunk;
    });
    const status = await new Promise((resolve) => child.on("close", resolve));
    expect(complaint).toBe("");
    expect([0, 141]).toContain(status);
  });
});

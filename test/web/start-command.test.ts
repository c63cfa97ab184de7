import { mkdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CommandForm } from "../../src/web/protocol.js";
import { startCommand } from "../../src/web/start-command.js";
import { temporaryFolder } from "./lab-folder.js";

const option = (key: string, placeholder?: string) => ({
  key,
  flag: `--${key}`,
  description: key,
  initial: null,
  required: false,
  ...(placeholder ? { placeholder } : {}),
});
const forms: CommandForm[] = [
  {
    name: "init",
    options: [
      option("data", "PATH"),
      option("output", "FOLDER"),
      option("recipe", "NAME"),
      option("steps", "N"),
      option("resize"),
      option("resume"),
      option("stateDict", "FILE"),
      option("transform", "FILE"),
      option("cache", "FOLDER"),
    ],
  },
  {
    name: "compare",
    options: [
      option("data", "PATH"),
      option("output", "FOLDER"),
      option("labels", "LIST"),
      option("arms", "LIST"),
      option("labelColumn", "NAME"),
    ],
  },
];

async function folders() {
  const folder = await realpath(await temporaryFolder());
  for (const name of ["root", "more", "outside"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "root", "net.onnx"), "");
  await writeFile(join(folder, "more", "data.npy"), "");
  await writeFile(join(folder, "outside", "data.npy"), "");
  await writeFile(join(folder, "outside", "recipe.json"), "");
  return { folder, roots: [join(folder, "root"), join(folder, "more")] };
}

test("makes the words of a command line, with a free folder for the output", async () => {
  const { folder, roots } = await folders();
  const data = join(folder, "more", "data.npy");
  const request = { command: "init", model: "net.onnx", options: { data, steps: "5", resize: "yes", recipe: "paper" } };
  const line = await startCommand(request, forms, roots);
  expect(line).toEqual({
    id: "net-headstart",
    kind: "run",
    words: [
      "init",
      `--data=${data}`,
      "--steps=5",
      "--resize",
      "--recipe=paper",
      "--output=net-headstart",
      "--",
      "net.onnx",
    ],
  });
  await mkdir(join(roots[0], "net-headstart"));
  expect((await startCommand(request, forms, roots)).id).toBe("net-headstart-2");
  const study = {
    command: "compare",
    model: "net.onnx",
    options: { data, labels: "10/class,all", arms: "he,paper+raw" },
  };
  expect((await startCommand(study, forms, roots)).words).toContain("--labels=10/class,all");
});

test("refuses paths elsewhere, options that are not the form's, and other commands", async () => {
  const { folder, roots } = await folders();
  const start = (options: Record<string, string>, model = "net.onnx", command = "init") =>
    startCommand({ command, model, options }, forms, roots);
  await expect(start({ data: join(folder, "outside", "data.npy") })).rejects.toThrow(/path below/);
  await expect(start({ data: "../outside/data.npy" })).rejects.toThrow(/path below/);
  await expect(start({ output: "../outside/run" })).rejects.toThrow(/path below/);
  await expect(start({ recipe: "../outside/recipe.json" })).rejects.toThrow(/path below/);
  await expect(start({}, "../outside/data.npy")).rejects.toThrow(/path below/);
  await expect(
    start({ arms: `he,weights:${join(folder, "outside", "data.npy")}` }, "net.onnx", "compare"),
  ).rejects.toThrow(/path below/);
  await expect(start({ stateDict: join(folder, "outside", "data.npy") })).rejects.toThrow(/path below/);
  await expect(start({ transform: "../outside/recipe.json" })).rejects.toThrow(/path below/);
  await expect(start({ cache: "../outside/cache" })).rejects.toThrow(/path below/);
  await expect(start({ labelColumn: "../outside/data.npy" }, "net.onnx", "compare")).rejects.toThrow(/path below/);
  await expect(start({ resume: "yes" })).rejects.toThrow(/required an option/);
  await expect(start({ debug: "yes" })).rejects.toThrow(/required an option/);
  await expect(start({}, "net.onnx", "demo")).rejects.toThrow(/one of the commands/);
});

test("takes files and folders of the lab for the options that name one, and columns for what they are", async () => {
  const { folder, roots } = await folders();
  const stateDict = join(folder, "more", "data.npy");
  const init = { command: "init", model: "net.onnx", options: { stateDict, cache: "cache/new" } };
  expect((await startCommand(init, forms, roots)).words).toEqual([
    "init",
    `--stateDict=${stateDict}`,
    "--cache=cache/new",
    "--output=net-headstart",
    "--",
    "net.onnx",
  ]);
  const compare = { command: "compare", model: "net.onnx", options: { labelColumn: "price,-1" } };
  expect((await startCommand(compare, forms, roots)).words).toContain("--labelColumn=price,-1");
});

test("a value cannot become an option of its own", async () => {
  const { roots } = await folders();
  const { words } = await startCommand(
    { command: "init", model: "net.onnx", options: { recipe: "--overwrite" } },
    forms,
    roots,
  );
  expect(words).toContain("--recipe=--overwrite");
});

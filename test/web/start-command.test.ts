import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command as compare } from "../../src/cli/compare.js";
import { command as init } from "../../src/cli/init.js";
import { startForms } from "../../src/cli/lab.js";
import { offeredForms, startCommand, startRequest } from "../../src/web/start-command.js";
import { temporaryFolder, writeRun } from "./lab-folder.js";

const forms = offeredForms(startForms());
const commands = { init, compare };

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

test("a run takes no other's place unless it is told to, and says so at its option", async () => {
  const { folder, roots } = await folders();
  const data = join(folder, "more", "data.npy");
  const start = (more: Readonly<Record<string, string>>) =>
    startCommand({ command: "init", model: "net.onnx", options: { data, output: "runs/a", ...more } }, forms, roots);
  await writeRun(join(roots[0], "runs", "a"));
  await expect(start({})).rejects.toThrow(
    /^--output: .*runs.a: required a new or empty folder .* got .* an earlier run\. Tick --overwrite to replace it, or choose another --output\.$/,
  );
  expect((await start({ overwrite: "yes" })).words).toContain("--overwrite");
  await mkdir(join(roots[0], "papers"));
  await writeFile(join(roots[0], "papers", "a.txt"), "");
  await expect(start({ output: "papers", overwrite: "yes" })).rejects.toThrow(
    /^--output: .* got a folder with other files/,
  );
});

test("what the server refuses, a page can say in its own language, with the option that it is about", async () => {
  const { folder, roots } = await folders();
  const options = { data: join(folder, "outside", "data.npy") };
  const refused = startCommand({ command: "init", model: "net.onnx", options }, forms, roots);
  await expect(refused).rejects.toMatchObject({
    message: expect.stringMatching(/^--data: .*data\.npy: required a path below /),
    words: {
      kind: "path-elsewhere",
      values: { where: `--data: ${options.data}`, roots: roots.join(", ") },
    },
  });
  // A command's own words are all that there is.
  await writeRun(join(roots[0], "run"));
  const data = join(folder, "more", "data.npy");
  await expect(
    startCommand({ command: "init", model: "net.onnx", options: { data, output: "run" } }, forms, roots),
  ).rejects.not.toHaveProperty("words");
});

test("says of the model that it is the model's path that is wrong", async () => {
  const { folder, roots } = await folders();
  const options = { data: join(folder, "more", "data.npy") };
  await expect(startCommand({ command: "init", model: "none.onnx", options }, forms, roots)).rejects.toThrow(
    /^model: none\.onnx: required a path below/,
  );
});

test("the words of a command give back what the form said, with a folder that is free", async () => {
  const { folder, roots } = await folders();
  const data = join(folder, "more", "data.npy");
  const options = { data, steps: "5", resize: "yes", labels: "a=b", output: "runs/a" };
  const request = { command: "init", model: "net.onnx", options };
  const { words } = await startCommand(request, forms, roots);
  expect(await startRequest(words, forms, roots[0])).toEqual(request);
  await mkdir(join(roots[0], "runs", "a"), { recursive: true });
  const resumed = [...words.slice(0, 1), "--resume", ...words.slice(1)];
  expect((await startRequest(resumed, forms, roots[0])).options).toEqual({ ...options, output: "runs/a-2" });
});

test("refuses paths elsewhere, options that are not the form's, and other commands", async () => {
  const { folder, roots } = await folders();
  const start = (options: Record<string, string>, model = "net.onnx", command = "init") =>
    startCommand({ command, model, options }, forms, roots);
  await expect(start({ data: join(folder, "outside", "data.npy") })).rejects.toThrow(/path below/);
  await expect(start({ data: "../outside/data.npy" })).rejects.toThrow(/^--data: .*path below/);
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
    `--state-dict=${stateDict}`,
    "--cache=cache/new",
    "--output=net-headstart",
    "--",
    "net.onnx",
  ]);
  const compare = { command: "compare", model: "net.onnx", options: { labelColumn: "price,-1" } };
  expect((await startCommand(compare, forms, roots)).words).toContain("--label-column=price,-1");
});

const pathOptions = forms.flatMap(({ name, options }) =>
  options.flatMap(({ key, path }) => (path === undefined ? [] : [{ command: name, key, path }])),
);

test.each(pathOptions)("$command holds $key below the folders", async ({ command, key, path }) => {
  const { folder, roots } = await folders();
  await symlink(join(folder, "outside", "data.npy"), join(roots[0], "link"));
  const start = (value: string) =>
    startCommand({ command, model: "net.onnx", options: { [key]: value } }, forms, roots);
  const outside = [join(folder, "outside", "data.npy"), "../outside/data.npy", "..", "link"];
  if (path === "names-or-paths") outside.push("he,../outside/data.npy", "he, link");
  if (path.startsWith("name")) {
    outside.push(
      "weights:../outside/data.npy",
      "weights:link+calibrated",
      "../outside/data.npy+calibrated+class-means",
    );
    expect((await start("a-name")).words[1]).toMatch(/=a-name$/);
  }
  for (const value of outside) await expect(start(value), value).rejects.toThrow(/path below/);
  const name = path === "new" ? "new.folder" : "net.onnx";
  const inside = await start(name);
  expect(inside.words[1]).toMatch(/^--[a-z-]+=/);
  expect(inside.words[1].split("=")[1]).toBe(name);
});

test("knows of every option with text whether it may name a file", () => {
  const plain = forms.map(({ name, options }) => [
    name,
    options
      .filter(({ key, placeholder, choices, path }) => {
        const option = commands[name].options[key];
        if (placeholder === undefined || choices !== undefined || path !== undefined) return false;
        // Numbers do not take this text.
        try {
          option.read("/etc/passwd", "");
          return true;
        } catch {
          return false;
        }
      })
      .map(({ key }) => key),
  ]);
  // An option that is new here: is it made by existingPath, newPath, nameOrPath or paths, if it may name a file?
  expect(Object.fromEntries(plain)).toEqual({
    init: ["features", "input", "freeze", "start", "normalise", "columns"],
    compare: [
      "labels",
      "labelsPerClass",
      "optimizer",
      "learningRates",
      "grid",
      "features",
      "input",
      "freeze",
      "normalise",
      "columns",
    ],
  });
});

test("takes weights of the folder with all that may follow an arm", async () => {
  const { roots } = await folders();
  await mkdir(join(roots[0], "sub"));
  await writeFile(join(roots[0], "sub", "w.safetensors"), "");
  await writeFile(join(roots[0], "sub", "w+own"), "");
  const arms =
    "he+calibrated,weights:sub/w.safetensors,weights:sub/w.safetensors+calibrated+class-means,weights:sub/w+own+raw";
  const { words } = await startCommand({ command: "compare", model: "net.onnx", options: { arms } }, forms, roots);
  expect(words).toContain(`--arms=${arms}`);
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

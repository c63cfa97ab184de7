/** A lab, as the command serves it, and a browser that looks at it. */
import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The build that is tested. */
const program = join(root, process.env.HEADSTART_DIST ?? "dist", "cli", "main.js");

/** Runs headstart to its end. @returns what it printed */
export async function headstart(folder: string, ...words: string[]): Promise<string> {
  const child = spawn(process.execPath, [program, ...words], { cwd: folder });
  let text = "";
  child.stdout.on("data", (part) => {
    text += part;
  });
  child.stderr.on("data", (part) => {
    text += part;
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  if (status !== 0) throw new Error(`headstart ${words.join(" ")} ended with ${status}:\n${text}`);
  return text;
}

/** A folder with a model and a sample of pictures. */
export async function labFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "headstart-browser-"));
  for (const part of ["images-idx3", "labels-idx1"])
    await cp(join(root, "demo-data", `t10k-${part}-ubyte.gz`), join(folder, `t10k-${part}-ubyte.gz`));
  await headstart(folder, "new", "cnn", "--input-shape", "1,28,28", "--output", "model.onnx");
  return folder;
}

export interface ServedLab {
  /** With the token. */
  readonly address: string;
  /** The page's address once the token was given. */
  readonly page: string;
  /** Ends the server at once, as a crash would. */
  kill(): Promise<void>;
}

/** `headstart lab`, on a port that it keeps where one is given. */
export async function serveLab(folder: string, port = 0): Promise<ServedLab> {
  const words = [program, "lab", folder, "--open=no", `--port=${port}`, "--json"];
  const child: ChildProcess = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (part) => {
      text += part;
      if (text.includes("\n")) resolve(JSON.parse(text.split("\n")[0]).address);
    });
    child.on("close", () => reject(new Error(`the lab ended: ${text}`)));
  });
  return {
    address,
    page: `${new URL(address).origin}/`,
    kill: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.on("close", () => resolve());
        child.kill("SIGKILL");
      }),
  };
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** What must not happen on any page: scripts that fail, breaches of the security policy, requests to other hosts. */
export function watchPage(page: Page, origin: string): string[] {
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|ERR_CONNECTION/.test(message.text()))
      troubles.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !/^(blob|data):/.test(url)) troubles.push(`request: ${url}`);
  });
  return troubles;
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

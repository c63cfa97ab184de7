/** A lab with runs and a study in it, and pages that look at it, for the tests of one file. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { writeStudy } from "../web/lab-folder.js";
import { headstart, labFolder, openBrowser, removeFolder, type ServedLab, serveLab, watchPage } from "./lab-browser.js";

/** Milliseconds that a page may take for anything before a test gives up: many times what a slow machine needs. */
const longestWait = 120_000;

/** Pictures in the lab's folder, with their labels beside them. */
export const data = "t10k-images-idx3-ubyte.gz";

export interface Lab {
  readonly browser: Browser;
  readonly folder: string;
  /** With the token. */
  readonly address: string;
  /** The page's address once the token was given. */
  readonly page: string;
  /** A page, once it shows the list; with what must not happen on it. */
  open(hash?: string, options?: BrowserContextOptions): Promise<{ page: Page; troubles: string[] }>;
  /** Ends the server at once, as a crash would. */
  kill(): Promise<void>;
  /** Serves the lab again, at its place. */
  serveAgain(): Promise<void>;
}

/**
 * The lab of a file's tests: the runs `runs/default` (with G and D) and `runs/autoencoder` (with G alone), a torn one, and
 * `study`, of which three of four trials are done.
 */
export function useLab(): Lab {
  let browser: Browser;
  let folder = "";
  let served: ServedLab;

  beforeAll(async () => {
    [browser, folder] = await Promise.all([openBrowser(), labFolder()]);
    const words = `init model.onnx --data ${data} --limit 200 --steps 30 --batch-size 16`.split(" ");
    await headstart(folder, ...words, "--recipe", "contrast", "--output", "runs/default");
    await headstart(folder, ...words, "--recipe", "autoencoder", "--output", "runs/autoencoder");
    await mkdir(join(folder, "runs", "torn"));
    await writeFile(join(folder, "runs", "torn", "run.json"), "{");
    await writeStudy(join(folder, "study"), 3);
    served = await serveLab(folder);
  });

  afterAll(async () => {
    await browser?.close();
    await served?.kill();
    if (folder) await removeFolder(folder);
  });

  return {
    get browser() {
      return browser;
    },
    get folder() {
      return folder;
    },
    get address() {
      return served.address;
    },
    get page() {
      return served.page;
    },
    async open(hash = "#/", options = {}) {
      const page = await browser.newPage({ locale: "en-US", acceptDownloads: true, ...options });
      onTestFinished(() => page.close());
      page.setDefaultTimeout(longestWait);
      const troubles = watchPage(page, served.page);
      await page.goto(served.address + hash);
      await page.getByRole("link", { name: /runs\/default/ }).waitFor({ state: "attached" });
      return { page, troubles };
    },
    kill: () => served.kill(),
    async serveAgain() {
      served = await serveLab(folder, Number(new URL(served.address).port));
    },
  };
}

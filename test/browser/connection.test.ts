import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { headstart } from "./lab-browser.js";
import { data, useLab } from "./use-lab.js";

const lab = useLab();

test("tabs that nobody looks at hold no connection, and catch up when they are seen", async () => {
  await headstart(
    lab.folder,
    ..."init model.onnx --steps 3 --batch-size 8 --limit 20 --output runs/tabs --data".split(" "),
    data,
  );
  const context = await lab.browser.newContext({ locale: "en-US" });
  onTestFinished(() => context.close());
  const look = (page: Page, seen: boolean) =>
    page.evaluate(
      `Object.defineProperty(document, "hidden", { value: ${!seen}, configurable: true });` +
        'document.dispatchEvent(new Event("visibilitychange"));',
    );
  // A browser opens six connections to a server: seven tabs have one each too many, if not two.
  const pages: Page[] = [];
  for (let count = 0; count < 7; count++) {
    const page = await context.newPage();
    await page.goto(`${lab.address}#/run/runs%2Ftabs`);
    await page.getByText("3 of 3 steps").waitFor();
    await page.getByRole("link", { name: /^runs\/tabs/ }).waitFor();
    await look(page, false);
    pages.push(page);
  }
  await appendFile(join(lab.folder, "runs", "tabs", "metrics.jsonl"), '{"step":4,"brightness":1}\n');
  await writeFile(join(lab.folder, "runs", "tabs", "result.json"), '{"warnings":[{"kind":"","message":"Look here."}]}');
  await look(pages[0], true);
  await pages[0].getByRole("heading", { name: "brightness" }).waitFor();
  await pages[0].getByText("Look here.").waitFor();
});

test("what is asked for while the server is away comes when it is back", async () => {
  const { page, troubles } = await lab.open("#/compare/runs%2Fdefault");
  await page.getByRole("rowheader", { name: "runs/default" }).waitFor();
  await lab.kill();
  const banner = page.getByText("The server does not answer. What runs goes on; the page tries again.");
  await banner.waitFor();
  await page.getByRole("checkbox", { name: "Compare runs/autoencoder" }).check();
  await page.getByText("Reading 1 of 2 ...").waitFor();
  await lab.serveAgain();
  await page.getByRole("rowheader", { name: "runs/autoencoder" }).waitFor();

  await lab.kill();
  await banner.waitFor();
  await page.getByRole("link", { name: /^study/ }).click();
  await page.getByText("Loading ...").waitFor();
  await lab.serveAgain();
  await page.getByRole("heading", { name: "Test accuracy along training" }).waitFor();

  await lab.kill();
  await banner.waitFor();
  await page.getByRole("link", { name: "New run" }).click();
  await page.getByLabel(/^Model/).fill("model.onnx");
  await page.getByLabel(/^Data/).fill(data);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByText("That did not work: the server does not answer").waitFor();
  await lab.serveAgain();
  await page.getByText(`headstart init --data=${data}`).waitFor();
  await page.getByText("10,713 parameters").waitFor();
  await banner.waitFor({ state: "detached" });
  expect(troubles).toEqual([]);
});

test("an answer that is broken off is asked for again", async () => {
  const { page, troubles } = await lab.open();
  const broken = new Set<string>();
  await page.route(/\/api\/(run|series|study|study\/report|session)(\?|$)/, async (route) => {
    const { pathname } = new URL(route.request().url());
    if (broken.has(pathname)) return route.continue();
    broken.add(pathname);
    await route.fulfill({ contentType: "application/json", body: '{"entry":{"id":' });
  });
  await page.goto(`${lab.page}#/run/runs%2Fdefault`);
  await page.getByRole("heading", { name: "Losses of G and D" }).waitFor();
  await page.goto(`${lab.page}#/study/study`);
  await page.getByText("Verdicts come as soon as trials of several arms have finished.").waitFor();
  expect([...broken].sort()).toEqual(["/api/run", "/api/series", "/api/study", "/api/study/report"]);
  await page.reload();
  await page.getByRole("link", { name: "New study" }).waitFor();
  expect([...broken]).toContain("/api/session");
  expect(troubles).toEqual([]);
});

test("a refused list is asked for again, and a token that is missing is said to be", async () => {
  const { page } = await lab.open();
  let refused = 0;
  await page.route("**/api/entries/events", (route) => {
    refused++;
    return refused === 1 ? route.fulfill({ status: 503, body: "" }) : route.continue();
  });
  await page.reload();
  await page.getByRole("link", { name: /^runs\/default/ }).waitFor();
  expect(refused).toBe(2);

  await page.context().clearCookies();
  await lab.kill();
  await lab.serveAgain();
  await page.getByText("the token is missing: open the address that headstart lab printed").waitFor();
  // As the printed address does in another tab.
  await page.request.get(lab.address);
  await page.getByText("the token is missing").waitFor({ state: "detached" });
});

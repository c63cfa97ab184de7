import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { en } from "../../src/web/page/texts/en.js";
import { ko } from "../../src/web/page/texts/ko.js";
import { findings, nameless } from "./findings.js";
import { useLab } from "./use-lab.js";

const lab = useLab();

type Texts = Readonly<Record<keyof typeof en, string>>;

/** The views, each with what stands there once all of it has come: nothing of the view before is taken for it. */
const views: readonly { readonly hash: string; readonly shown: (page: Page, texts: Texts) => readonly Locator[] }[] = [
  {
    hash: "#/",
    shown: (page, texts) => [heading(page, texts.welcome), page.getByRole("link", { name: /^runs\/autoencoder/ })],
  },
  {
    hash: "#/run/runs%2Fdefault",
    shown: (page, texts) => [heading(page, "runs/default"), page.getByRole("heading", { name: texts["chart.losses"] })],
  },
  {
    hash: "#/compare/runs%2Fdefault,runs%2Fautoencoder",
    shown: (page, texts) => [
      heading(page, texts["compare.title"]),
      page.getByRole("rowheader", { name: "runs/default" }),
      page.getByRole("rowheader", { name: "runs/autoencoder" }),
    ],
  },
  {
    hash: "#/study/study",
    shown: (page, texts) => [
      heading(page, "study"),
      page.getByRole("heading", { name: texts["study.results"] }),
      page.getByText(texts["study.verdicts.none"]),
    ],
  },
  {
    hash: "#/start/init",
    shown: (page, texts) => [heading(page, texts["start.title"]), page.getByText(texts["start.moreOptions"])],
  },
  {
    hash: "#/start/compare",
    shown: (page, texts) => [heading(page, texts["start.studyTitle"]), page.getByText(texts["start.moreOptions"])],
  },
];

function heading(page: Page, name: string): Locator {
  return page.getByRole("heading", { level: 1, name, exact: true });
}

/** Goes to each of the views in turn, and looks at it once it is whole. */
async function lookAtAll(page: Page, texts: Texts, look: (hash: string) => Promise<void>): Promise<void> {
  for (const { hash, shown } of views) {
    await page.goto(lab.page + hash);
    for (const part of shown(page, texts)) await part.waitFor();
    await look(hash);
  }
}

test.each(["light", "dark"] as const)("axe finds nothing that matters on any view, %s", async (colorScheme) => {
  const { page, troubles } = await lab.open("#/", { colorScheme, reducedMotion: "reduce" });
  const look = async (where: string): Promise<void> => {
    expect(await findings(page), where).toEqual([]);
    expect(await nameless(page), where).toBe(0);
  };
  await lookAtAll(page, en, async (hash) => {
    if (!hash.startsWith("#/run")) return look(hash);
    for (const tab of ["Curves", "x and G(x)", "Layers", "Take away", "Settings"]) {
      await page.getByRole("tab", { name: tab }).click();
      await page.getByRole("tabpanel", { name: tab }).waitFor();
      await look(`${hash} ${tab}`);
    }
    await page.getByRole("tab", { name: "Curves" }).click();
  });
  expect(troubles).toEqual([]);
});

test("in Korean and in a narrow window every view fits", async () => {
  const { page } = await lab.open("#/", { locale: "ko-KR", viewport: { width: 360, height: 720 } });
  expect(await page.evaluate("document.documentElement.lang")).toBe("ko");
  await lookAtAll(page, ko, async (hash) => {
    // All that is folded away must fit, too.
    await page.evaluate("document.querySelectorAll('main details').forEach((details) => { details.open = true; })");
    const [width, seen] = (await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")) as number[];
    expect(width, hash).toBeLessThanOrEqual(seen);
    const inner = (await page.evaluate("[content.scrollWidth, content.clientWidth]")) as number[];
    expect(inner[0], hash).toBeLessThanOrEqual(inner[1]);
    expect(await findings(page), hash).toEqual([]);
  });
  await page.goto(`${lab.page}#/run/runs%2Fdefault`);
  await page.getByRole("heading", { name: "G와 D의 손실" }).waitFor();
  await page.getByRole("tab", { name: "설정" }).click();
  await page.getByRole("heading", { name: "실행 기록" }).waitFor();
  const [record, room] = (await page.evaluate(
    "[document.querySelector('.copyable section')].flatMap((lines) => [lines.scrollWidth, lines.clientWidth])",
  )) as number[];
  expect(record).toBeLessThanOrEqual(room);
  await page.getByRole("tab", { name: "곡선" }).click();
  await page.getByRole("combobox", { name: "언어" }).selectOption("en");
  await page.getByRole("heading", { name: "Losses of G and D" }).waitFor();
});

test("tabs of the page are told apart by their titles", async () => {
  const { page } = await lab.open();
  expect(await page.title()).toBe("headstart lab");
  await page.getByRole("link", { name: /^runs\/default/ }).click();
  await expect.poll(() => page.title()).toBe("runs/default – headstart lab");
  await page.getByRole("link", { name: "New study" }).click();
  await expect.poll(() => page.title()).toBe("Start a study – headstart lab");
  await page.getByRole("combobox", { name: "Language" }).selectOption("ko");
  await expect.poll(() => page.title()).toBe("비교 실험 시작 – headstart 실험실");
});

test("everything is reached with the keyboard", async () => {
  const { page } = await lab.open("#/run/runs%2Fdefault");
  await page.getByRole("heading", { name: "Losses of G and D" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  expect(await page.evaluate("document.activeElement.id")).toBe("content");
  await page.getByRole("tab", { name: "Curves" }).focus();
  await page.keyboard.press("ArrowRight");
  const chosenTab = (place: number) => page.getByRole("tab").nth(place).getAttribute("aria-selected");
  expect(await page.getByRole("tab", { name: "x and G(x)" }).getAttribute("aria-selected")).toBe("true");
  await page.keyboard.press("End");
  expect(await chosenTab(-1)).toBe("true");
  await page.keyboard.press("ArrowRight");
  expect(await chosenTab(0)).toBe("true");
  await page.keyboard.press("ArrowLeft");
  expect(await chosenTab(-1)).toBe("true");
  await page.keyboard.press("Home");
  expect(await chosenTab(0)).toBe("true");
  await page.keyboard.press("ArrowRight");
  const slider = page.getByRole("slider").first();
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByRole("img", { name: "Pictures x beside G(x) after step 1", exact: true }).waitFor();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowLeft");
  const chart = page.getByRole("application", { name: /^Losses of G and D/ });
  await chart.focus();
  const ticks = () => chart.locator("[aria-label^='x-axis tick label']").textContent();
  const all = await ticks();
  await page.keyboard.press("+");
  await expect.poll(ticks).not.toBe(all);
  await page.keyboard.press("0");
  await expect.poll(ticks).toBe(all);
});

test("the focus comes back from choosing a path", async () => {
  const { page } = await lab.open("#/start/init");
  const focused = () => page.evaluate("document.activeElement.getAttribute('aria-label')");
  const choose = page.getByRole("button", { name: /^Choose: Model/ });
  await choose.press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "model.onnx" }).press("Enter");
  await expect.poll(() => page.getByLabel(/^Model/).inputValue()).toBe("model.onnx");
  expect(await focused()).toMatch(/^Choose: Model/);
  await choose.press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "model.onnx" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(await focused()).toMatch(/^Choose: Model/);
});

/**
 * How fast the lab opens a folder of many runs, and how smoothly a chart of it pans: `node scripts/bench-lab.mjs [RUNS]
 * [POINTS]`, after a build, with Debian's Chromium or the one that CHROMIUM names.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { root } from "./prepare.mjs";

const [runs, points] = [Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 2000)];
const folder = mkdtempSync(join(tmpdir(), "headstart-bench-"));
const dist = join(root, process.env.HEADSTART_DIST ?? "dist");
const { lab } = await import(pathToFileURL(join(dist, "library", "lab.js")).href);

const record = (seed) => ({
  headstart: "bench",
  model: { file: "model.onnx" },
  data: { file: "data.npy" },
  recipe: { name: ["default", "paper", "autoencoder"][seed % 3] },
  task: "rotation",
  seed,
  steps: points,
  batchSize: 128,
});
for (let run = 0; run < runs; run++) {
  const path = join(folder, `run-${String(run).padStart(4, "0")}`);
  mkdirSync(path);
  writeFileSync(join(path, "run.json"), JSON.stringify(record(run)));
  const lines = Array.from({ length: points }, (_, index) => {
    const value = (1 + run / runs) * Math.exp(-index / 500) + 0.1 * Math.sin(index * (run + 1));
    return JSON.stringify({
      step: index + 1,
      epoch: index / 100,
      "generator/loss": value,
      "discriminator/loss": 1 - value / 2,
      "discriminator/accuracy-real": 0.5 + value / 5,
      "discriminator/accuracy-generated": 0.5 - value / 5,
      reconstruction: value * value,
      "likeness/own": value * value,
      "likeness/other": 1.2,
      "generator/gradient-norm": 1 + value,
    });
  });
  writeFileSync(join(path, "metrics.jsonl"), `${lines.join("\n")}\n`);
  writeFileSync(
    join(path, "timing.jsonl"),
    lines.map((_, index) => `{"step":${index + 1},"seconds":${index / 50}}\n`).join(""),
  );
  writeFileSync(join(path, "result.json"), "{}");
}
console.log(`${runs} runs of ${points} points`);

const served = await lab({ folder, program: [], pageFolder: join(dist, "web", "page") });
const args = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync";
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: args.split(" "),
});
const page = await browser.newPage({ viewport: { width: 1360, height: 900 }, locale: "en-US" });
try {
  let began = performance.now();
  const lap = (what) => {
    console.log(`${what}: ${Math.round(performance.now() - began)} ms`);
    began = performance.now();
  };
  await page.goto(served.address);
  await page.getByText(`${runs} of ${runs}`).waitFor();
  await page.getByRole("link", { name: /run-/ }).first().waitFor();
  lap("open, cold");
  await page.reload();
  await page.getByText(`${runs} of ${runs}`).waitFor();
  lap("open again");
  await page.getByRole("link", { name: /run-/ }).first().click();
  await page.getByRole("application").first().waitFor();
  lap("one run's charts");
  await report("pan one run, all charts moving");
  began = performance.now();
  await page.getByRole("button", { name: "Mark all shown" }).click();
  await page.getByRole("link", { name: `Compare ${runs} marked` }).click();
  await page.locator(".plot svg").waitFor();
  lap("first lines of the comparison of all");
  await page.getByText(/^Reading/).waitFor({ state: "detached", timeout: 120_000 });
  lap("all lines of the comparison of all");
  await report("pan the comparison of all");
} finally {
  await browser.close();
  await served.close();
  rmSync(folder, { recursive: true, force: true });
}

/** Zooms in, drags the first chart about, and says how long frames took. */
async function report(what) {
  const chart = page.getByRole("application").first();
  await chart.focus();
  for (let times = 0; times < 3; times++) await page.keyboard.press("+");
  const box = await chart.boundingBox();
  await page.evaluate(`(() => {
    const frames = (window.frames_ = []);
    let last = performance.now();
    const next = (now) => { frames.push(now - last); last = now; requestAnimationFrame(next); };
    requestAnimationFrame(next);
  })()`);
  await page.mouse.move(box.x + 300, box.y + 100);
  await page.mouse.down();
  for (let index = 0; index < 60; index++) {
    await page.mouse.move(box.x + 300 + 120 * Math.sin(index / 6), box.y + 100);
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(resolve))");
  }
  await page.mouse.up();
  const frames = (await page.evaluate("window.frames_")).slice(2).sort((first, second) => first - second);
  const at = (share) => Math.round(frames[Math.floor(share * (frames.length - 1))]);
  console.log(`${what}: frames of ${at(0.5)} ms (median), ${at(0.95)} ms (95 %)`);
}

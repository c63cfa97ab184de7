import { mkdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { lab } from "../../src/library/lab.js";
import { temporaryFolder } from "../web/lab-folder.js";

async function started(options: { host?: string; port?: number } = {}) {
  const folder = await temporaryFolder();
  const pageFolder = join(folder, "page");
  await mkdir(pageFolder);
  await writeFile(join(pageFolder, "index.html"), "page");
  const running = await lab({ folder: join(folder, "new", "runs"), pageFolder, program: [], ...options });
  onTestFinished(() => running.close());
  return { running, folder, pageFolder, port: Number(new URL(running.address).port) };
}

/** By hand, as fetch sets the host itself. */
function status(
  port: number,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; cookie: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, headers }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, cookie: answer.headers["set-cookie"]?.[0] ?? "" });
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("listens on this machine only, and to its own names only", async () => {
  const { running, port } = await started();
  expect(running.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(await (await fetch(running.address)).text()).toBe("page");
  expect((await status(port, "/", { host: `localhost:${port}` })).status).toBe(200);
  expect((await status(port, "/", { host: `rebound.example:${port}` })).status).toBe(403);
  expect(
    (await status(port, "/api/session", { host: `127.0.0.1:${port}`, origin: "http://evil.example" })).status,
  ).toBe(403);
});

test("listening to others needs the token, which a cookie then keeps", async () => {
  const { running, port } = await started({ host: "0.0.0.0" });
  expect(running.token?.length).toBeGreaterThanOrEqual(32);
  const host = `127.0.0.1:${port}`;
  expect((await status(port, "/", { host })).status).toBe(401);
  expect((await status(port, "/api/session", { host })).status).toBe(401);
  const first = await status(port, `/?token=${running.token}`, { host });
  expect(first.status).toBe(302);
  expect((await status(port, "/api/session", { host, cookie: first.cookie.split(";")[0] })).status).toBe(200);
  expect(
    (await status(port, "/", { host: `rebound.example:${port}`, cookie: first.cookie.split(";")[0] })).status,
  ).toBe(403);
});

test("says what is in the way of a start", async () => {
  const { folder, pageFolder, port } = await started();
  await expect(lab({ folder, pageFolder, program: [], port })).rejects.toThrow(
    /one that is taken. Choose another --port/,
  );
  await expect(lab({ folder, pageFolder: join(folder, "none"), program: [] })).rejects.toThrow(/built page/);
  await expect(lab({ folder, pageFolder, program: [], files: [join(folder, "none")] })).rejects.toThrow(
    /nothing there/,
  );
});

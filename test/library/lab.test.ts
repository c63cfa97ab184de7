import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
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
  const running = await lab({ folder: join(folder, "runs"), pageFolder, program: [], ...options });
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
  expect(running.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/);
  const cookie = `headstart-lab-${port}=${running.token}`;
  expect((await status(port, "/", { host: `localhost:${port}`, cookie })).status).toBe(200);
  expect((await status(port, "/", { host: `rebound.example:${port}`, cookie })).status).toBe(403);
  const evil = { host: `127.0.0.1:${port}`, cookie, origin: "http://evil.example" };
  expect((await status(port, "/api/session", evil)).status).toBe(403);
});

test.each(["127.0.0.1", "0.0.0.0"])("listening at %s needs the token, which a cookie then keeps", async (listening) => {
  const { running, port } = await started({ host: listening });
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

test("the address for a browser's arguments opens the page once", async () => {
  const { running, port } = await started();
  const host = `127.0.0.1:${port}`;
  const { pathname, search } = new URL(running.onceAddress);
  expect(search).not.toContain(running.token);
  const first = await status(port, pathname + search, { host });
  expect(first.status).toBe(302);
  expect((await status(port, "/api/session", { host, cookie: first.cookie.split(";")[0] })).status).toBe(200);
  expect((await status(port, pathname + search, { host })).status).toBe(401);
});

test("a folder keeps its token where only its owner can read it", async () => {
  const { running, folder, pageFolder } = await started();
  const runs = join(folder, "runs");
  const file = join(runs, ".headstart-lab", "token");
  expect(await readFile(file, "utf8")).toBe(running.token);
  const again = async () => {
    const next = await lab({ folder: runs, pageFolder, program: [] });
    await next.close();
    return next.token;
  };
  expect(await again()).toBe(running.token);
  if (process.platform === "win32") return;
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  // One that others could have read is not taken.
  await chmod(file, 0o644);
  const fresh = await again();
  expect(fresh).not.toBe(running.token);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("makes a folder that is missing and says so, and takes one for mistyped whose parent is missing, too", async () => {
  const { running, folder, pageFolder } = await started();
  expect(running.madeFolder).toBe(true);
  const again = await lab({ folder: join(folder, "runs"), pageFolder, program: [] });
  await again.close();
  expect(again.madeFolder).toBe(false);
  const mistyped = join(folder, "rnus", "first");
  await expect(lab({ folder: mistyped, pageFolder, program: [] })).rejects.toThrow(
    `${mistyped}: required a folder, or a new one in a folder that is there, got nothing there, and no ${join(folder, "rnus")} either. Correct the path, or make that folder first.`,
  );
  await expect(stat(join(folder, "rnus"))).rejects.toThrow("ENOENT");
});

test("says what is in the way of a start", async () => {
  const { folder, pageFolder, port } = await started();
  await expect(lab({ folder, pageFolder, program: [], port })).rejects.toThrow(
    /one that is taken. Choose another --port/,
  );
  // Of this kind of address nobody says where it would be found.
  await expect(lab({ folder, pageFolder, program: [], host: "fe80::1" })).rejects.toThrow(
    /^fe80::1:0: required an address to listen at, got one that this machine does not have or give/,
  );
  // As of a variable of the shell that is not set: it would be answered from everywhere.
  await expect(lab({ folder, pageFolder, program: [], host: "" })).rejects.toThrow(/^host: required a value, got none/);
  await expect(lab({ folder, pageFolder: join(folder, "none"), program: [] })).rejects.toThrow(/built page/);
  await expect(lab({ folder, pageFolder, program: [], files: [join(folder, "none")] })).rejects.toThrow(
    /nothing there/,
  );
});

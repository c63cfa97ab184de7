/** The lab's page, as the build has made it. */
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Hono } from "hono";
import { pathBelow } from "./safe-path.js";

const pageTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Answers all addresses that are not answered yet with the files of the page: a handful. */
export function servePage(app: Hono, pageFolder: string): void {
  app.get("*", async (context) => {
    const name = context.req.path === "/" ? "index.html" : context.req.path.slice(1);
    const type = pageTypes[extname(name)];
    const path = await pathBelow([pageFolder], join(pageFolder, name)).catch(() => undefined);
    if (type === undefined || path === undefined) return context.text("no such page\n", 404);
    context.header("content-type", type);
    if (name.startsWith("assets/")) context.header("cache-control", "public, max-age=31536000, immutable");
    return context.body(new Uint8Array(await readFile(path)));
  });
}

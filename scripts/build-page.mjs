/** Builds the lab's page, src/web/page, into a folder: dist/web/page where none is given. */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";
import { root } from "./prepare.mjs";
import { foundLicences, thirdPartyLicences } from "./third-party-licenses.mjs";

/** @param outDir where the page goes; its content is replaced */
export async function buildPage(outDir = join(root, "dist", "web", "page")) {
  await build({
    configFile: false,
    root: join(root, "src", "web", "page"),
    base: "./",
    logLevel: "warn",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    plugins: [thirdPartyLicences()],
    // One origin, and no inline scripts: the page's security policy allows neither.
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2022",
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 900,
      license: { fileName: foundLicences },
    },
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href)
  await buildPage(process.argv[2] && resolve(process.argv[2]));

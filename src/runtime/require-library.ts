/** Loads ONNX Runtime's library before anything imports it: where that fails, its own error says little to a user. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { userError } from "../errors.js";
import { firstLine } from "./device-error.js";

const load = createRequire(import.meta.url);

/** The folder of onnxruntime-node's libraries: in it a folder a version of Node's interface, a platform and a processor. */
export function librariesFolder(): string {
  return join(dirname(load.resolve("onnxruntime-node/package.json")), "bin");
}

/** A machine, in the words of Node's `process`. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
}

/** What must be there beside the library itself, by platform. */
const needs: Partial<Record<NodeJS.Platform, string>> = {
  win32:
    "Install Microsoft's Visual C++ Redistributable, which it needs (https://aka.ms/vs/17/release/vc_redist.ARCH.exe)",
  darwin: "It needs macOS 14 or later",
  linux: "It needs glibc 2.28 or later: Debian 10, Ubuntu 20.04 and their like, and not Alpine's musl",
};

/**
 * The error for a library that Node did not load.
 *
 * @param built platforms and processors that there is a library for, such as "linux x64"
 */
export function libraryError(error: unknown, { platform, arch }: Machine, built: readonly string[]): Error {
  const complain = (got: string, advice: string): Error =>
    userError({ where: "ONNX Runtime", required: `its library for ${platform} ${arch}`, got, advice });
  if (built.length === 0) return complain("no package onnxruntime-node", "Install headstart's packages again");
  if (built.includes(`${platform} ${arch}`))
    return complain(
      `one that cannot be loaded (${firstLine(error instanceof Error ? error.message : String(error))})`,
      (needs[platform] ?? "").replace("ARCH", arch),
    );
  const translated =
    "On a Mac with Apple silicon, install Node for arm64; for Macs with Intel's processors there is none";
  return complain(
    `only those for ${built.join(", ")}`,
    platform === "darwin" ? translated : "Use one of these machines",
  );
}

/** Platforms and processors that the installed package has a library for. */
function builtFor(): string[] {
  let folder: string;
  try {
    folder = librariesFolder();
  } catch {
    return [];
  }
  const folders = (path: string): string[] => (existsSync(path) ? readdirSync(path).sort() : []);
  return folders(folder).flatMap((version) =>
    folders(join(folder, version)).flatMap((platform) =>
      folders(join(folder, version, platform)).map((arch) => `${platform} ${arch}`),
    ),
  );
}

try {
  load("onnxruntime-node");
} catch (error) {
  throw libraryError(error, process, builtFor());
}

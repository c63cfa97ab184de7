/**
 * A Vulkan driver that computes on the CPU, so that WebGPU can be tested where there is no GPU: SwiftShader, which
 * Debian's package chromium brings together with Vulkan's loader. It is slow and exact.
 *
 * HEADSTART_TEST_GPU=1 takes the machine's own driver.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Folders that hold both the driver and the loader. */
const folders = ["/usr/lib/chromium"];

/** Variables of a process that finds the driver, which must be set before it starts: the loader reads them then. */
export function softwareDriver(): Record<string, string> {
  if (process.env.HEADSTART_TEST_GPU === "1" || process.platform !== "linux") return {};
  const folder = folders.find((path) =>
    ["vk_swiftshader_icd.json", "libvulkan.so.1"].every((name) => existsSync(join(path, name))),
  );
  if (folder === undefined) return {};
  const others = process.env.LD_LIBRARY_PATH;
  return {
    VK_DRIVER_FILES: join(folder, "vk_swiftshader_icd.json"),
    LD_LIBRARY_PATH: others === undefined || others === "" ? folder : `${folder}:${others}`,
  };
}

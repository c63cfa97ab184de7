import { listSupportedBackends } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { devices } from "../../src/runtime/device.js";
import { requireDevice } from "../../src/runtime/require-device.js";

const messageOf = (name: string): Promise<string> =>
  requireDevice(name).then(
    () => "no error",
    (error: unknown) => {
      expect(error).toBeInstanceOf(UserError);
      return (error as Error).message;
    },
  );

describe("requireDevice", () => {
  it("takes the CPU where nothing is asked for", async () => {
    expect(await requireDevice(undefined)).toBe("cpu");
    expect(await requireDevice("cpu")).toBe("cpu");
  });

  it("names what there is where a device is not known or not built in", async () => {
    const built = new Set(listSupportedBackends().map(({ name }) => name));
    for (const name of ["gpu", ...devices.filter((device) => !built.has(device))])
      expect(await messageOf(name)).toMatch(
        new RegExp(
          `^device: required one that can be used here \\(ONNX Runtime for \\S+ \\S+ is built for cpu.*\\), got .?${name}.*docs/devices\\.md`,
        ),
      );
  });

  it.runIf(process.platform === "linux" && process.arch === "x64")(
    "says that CUDA's libraries are missing, which this project does not install",
    async () => {
      expect(await messageOf("cuda")).toMatch(
        /got cuda without libonnxruntime_providers_cuda\.so\. CUDA needs .*CUDA 12 or 13, cuDNN 9/,
      );
    },
  );
});

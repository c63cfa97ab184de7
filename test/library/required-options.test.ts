/** Functions of the library in programs whose types nobody checks. */
import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { compare } from "../../src/library/compare.js";
import { describeData } from "../../src/library/describe-data.js";
import { initialize } from "../../src/library/initialize.js";
import { inspect } from "../../src/library/inspect.js";
import { lab } from "../../src/library/lab.js";
import { newModel } from "../../src/library/new-model.js";
import { verify } from "../../src/library/verify.js";

test.each([
  [newModel, { template: "mlp", output: "model.onnx" }, "inputShape"],
  [newModel, { template: "mlp", inputShape: [4] }, "output"],
  [initialize, { model: "model.onnx", data: "x.npy", output: "" }, "output"],
  [compare, { model: "model.onnx", data: "x.npy", test: "y.npy", output: "" }, "output"],
  [inspect, {}, "model"],
  [verify, { model: "model.onnx" }, "weights"],
  [verify, { weights: "model.onnx" }, "model"],
  [describeData, {}, "data"],
  [lab, { folder: "." }, "program"],
  [lab, { program: ["node"] }, "folder"],
])("%o of %o says that %s is missing", async (call, options, missing) => {
  const given = (call as (options: unknown) => Promise<unknown>)(options);
  await expect(given).rejects.toThrow(`${missing}: required a value, got none. Give it among the options.`);
  await expect(given).rejects.toThrow(UserError);
});

import { expect, test } from "vitest";
import { isFoldedTable, isPytorchConstant, pytorchOrigin, pytorchSignature } from "../../src/formats/pytorch-origin.js";

const scopes = "pkg.torch.onnx.name_scopes";
const classes = "pkg.torch.onnx.class_hierarchy";
const call = "pkg.torch.onnx.fx_node";

test("reads module path, class and arguments", () => {
  const origin = pytorchOrigin(
    new Map([
      [scopes, "['', 'layer1', 'layer1.0', 'layer_norm_1']"],
      [classes, "['models.Net', 'torch.nn.modules.container.Sequential', \"models.It's\", 'aten.layer_norm.default']"],
      [
        call,
        "%layer_norm_1 : [num_users=2] = call_function[target=torch.ops.aten.layer_norm.default](args = (%x, [8, 2], %p_layer1_0_weight, None, 1e-05, False), kwargs = {})",
      ],
    ]),
  );
  expect(origin).toEqual({
    modules: ["", "layer1", "layer1.0"],
    moduleClass: "models.It's",
    operation: "aten.layer_norm.default",
    arguments: ["%x", "[8, 2]", "%p_layer1_0_weight", "None", "1e-05", "False"],
    hasKeywords: false,
    isFolded: false,
  });
});

test("says whether a call has arguments by name", () => {
  const hasKeywords = (kwargs: string): boolean | undefined =>
    pytorchOrigin(
      new Map([
        [scopes, "['', 'addcmul']"],
        [classes, "['Net', 'aten.addcmul.default']"],
        [
          call,
          `%addcmul = call_function[target=torch.ops.aten.addcmul.default](args = (%a, %b, %c), kwargs = ${kwargs})`,
        ],
      ]),
    )?.hasKeywords;
  expect(hasKeywords("{}")).toBe(false);
  expect(hasKeywords("{value: 0.5}")).toBe(true);
});

test("says where a batch normalisation was folded in", () => {
  const metadata = new Map([
    [scopes, "['', 'bn1', 'batch_norm']"],
    [classes, "['Net', 'torch.nn.modules.batchnorm.BatchNorm2d', 'aten.batch_norm.default']"],
    ["pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv, FuseBatchNormIntoConv"],
  ]);
  expect(pytorchOrigin(metadata)).toMatchObject({ isFolded: true, arguments: [] });
});

test("knows nothing of nodes without such metadata, or with other", () => {
  expect(pytorchOrigin(new Map())).toBeUndefined();
  expect(pytorchOrigin(new Map([[scopes, "['', 'a']"]]))).toBeUndefined();
  expect(
    pytorchOrigin(
      new Map([
        [scopes, "nonsense"],
        [classes, "((("],
        [call, ")))"],
      ]),
    ),
  ).toBeUndefined();
  // A call that is cut off has no arguments to rely on.
  const cut = new Map([
    [scopes, "['', 'fc', 'linear']"],
    [classes, "['Net', 'Linear', 'aten.linear.default']"],
    [call, "%linear = call_function[target=torch.ops.aten.linear.default](args = (%x, %p_fc_weight"],
  ]);
  expect(pytorchOrigin(cut)?.arguments).toEqual([]);
});

test("tells buffers and plain tensors from parameters", () => {
  const isConstant = (kind: string) =>
    isPytorchConstant(new Map([["pkg.torch.export.graph_signature.InputSpec.kind", kind]]));
  expect(["BUFFER", "CONSTANT_TENSOR", "PARAMETER"].map(isConstant)).toEqual([true, true, false]);
  expect(isPytorchConstant(new Map())).toBe(false);
});

test("tells tables that were computed from nothing trained from weights that were", () => {
  const signature = [
    "# inputs",
    "p_w: PARAMETER target='w'",
    "p_a_weight: PARAMETER target='a.weight'",
    "b_buf: BUFFER target='buf' persistent=True",
    "x: USER_INPUT",
  ].join("\n");
  const metadata = new Map([["pkg.torch.export.ExportedProgram.graph_signature", signature]]);
  const { trained: parameters, names } = pytorchSignature(metadata)!;
  expect([...parameters]).toEqual(["w", "a.weight"]);
  expect([...names]).toEqual([
    ["%p_w", "w"],
    ["%p_a_weight", "a.weight"],
    ["%b_buf", "buf"],
  ]);
  const isTable = (sources?: string): boolean =>
    isFoldedTable(
      new Map(sources === undefined ? [] : [["pkg.onnxscript.optimizer.folded_from", sources]]),
      parameters,
    );
  expect(isTable("['arange', 'buf', 'mul', 'val_0']")).toBe(true);
  expect(isTable("['exp', 'val_0', 'w']")).toBe(false);
  expect(isTable("['a.weight']")).toBe(false);
  expect(isTable("[]")).toBe(false);
  expect(isTable()).toBe(false);
  expect(pytorchSignature(new Map())).toBeUndefined();
});

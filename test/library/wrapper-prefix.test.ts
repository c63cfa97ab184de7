import { expect, it } from "vitest";
import { wrapperPrefix } from "../../src/library/wrapper-prefix.js";

const found = (names: readonly string[], state: readonly string[]): string | undefined =>
  wrapperPrefix(names, new Map(state.map((name) => [name, 0])));

it("finds what a wrapper puts before all names", () => {
  expect(found(["a.weight", "val_3"], ["module.a.weight", "module.b.bias"])).toBe("module.");
  expect(found(["a.weight"], ["_orig_mod.module.a.weight"])).toBe("_orig_mod.module.");
});

it("finds none where names are alike, of another network, or without a prefix in common", () => {
  expect(found(["net.a.weight", "a.weight"], ["net.a.weight"])).toBeUndefined();
  expect(found(["a.weight"], ["module.b.weight"])).toBeUndefined();
  expect(found(["a.weight"], ["module.a.weight", "head.bias"])).toBeUndefined();
  expect(found(["a.weight"], [])).toBeUndefined();
});

import { expect, test } from "vitest";
import {
  byDefault,
  choice,
  choices,
  flag,
  flagOf,
  given,
  nameOrPath,
  newPath,
  number,
  paths,
  required,
  text,
  whole,
  wholes,
} from "../../src/cli/options.js";
import { UsageError } from "../../src/errors.js";

test("a flag's name follows from its key", () => {
  expect(flagOf("inputShape")).toBe("--input-shape");
  expect(flagOf("seed")).toBe("--seed");
});

test.each([
  [whole("N", ""), "128", 128],
  [whole("N", "", { min: 1 }), "1", 1],
  [number("X", ""), "1e-3", 0.001],
  [number("X", ""), ".5", 0.5],
  [number("X", "", { min: -1 }), "-1", -1],
  [wholes("L", ""), "256,128", [256, 128]],
  [wholes("L", ""), "1x28×28", [1, 28, 28]],
  [wholes("L", ""), "13", [13]],
  [text("T", ""), "any thing", "any thing"],
  [choice("C", ["mlp", "cnn"], ""), "cnn", "cnn"],
  [choices("C", ["shift", "flip"], ""), "flip, shift", ["flip", "shift"]],
  [flag(""), "", true],
])("reads case %#", (option, given, value) => {
  expect(option.read(given, "--it")).toEqual(value);
});

test.each([
  [whole("N", ""), "1.5", '--it: required a whole number, got "1.5".'],
  [whole("N", ""), "", "required a whole number"],
  [whole("N", ""), "0x10", "required a whole number"],
  [whole("N", ""), "99999999999999999999", "required a whole number"],
  [whole("N", "", { min: 1 }), "0", 'required a whole number of at least 1, got "0"'],
  [whole("N", "", { min: 1, max: 3 }), "4", "required a whole number from 1 to 3"],
  [number("X", ""), "", "required a number"],
  [number("X", ""), "NaN", "required a number"],
  [number("X", ""), "1e999", "required a number"],
  [number("X", "", { max: 1 }), "2", "required a number of at most 1"],
  [wholes("L", "", { min: 1 }), "1,,3", 'required a whole number of at least 1, got "1,,3"'],
  [wholes("L", ""), "", "required a whole number"],
  [text("T", ""), "", '--it: required a value, got "". Give one, or leave the option out.'],
  [newPath("T", ""), " ", 'required a value, got " "'],
  [nameOrPath("T", ""), "", "required a value"],
  [paths("T", ""), "", "required a value"],
  [choice("C", ["mlp", "cnn"], ""), "cn", "The nearest is cnn."],
  [choices("C", ["shift", "flip"], ""), "shift,flop", 'required one of shift, flip, got "flop". The nearest is flip.'],
  [choices("C", ["shift"], ""), "shift,", "required texts with commas in between"],
])("refuses case %#", (option, given, message) => {
  expect(() => option.read(given, "--it")).toThrow(UsageError);
  expect(() => option.read(given, "--it")).toThrow(message);
});

test("defaults and requirements keep the rest of an option", () => {
  expect(byDefault(whole("N", "count"), 10)).toMatchObject({ placeholder: "N", description: "count", initial: 10 });
  expect(required(whole("N", "count"))).toMatchObject({ required: true, description: "count" });
});

test("leaves out what was not given", () => {
  const values: { seed: number; widths: number[] | undefined } = { seed: 0, widths: undefined };
  expect(given(values)).toStrictEqual({ seed: 0 });
});

import { describe, expect, test } from "vitest";
import { pairMasks, partMasks } from "../../src/data/pair-masks.js";

describe("masks are paired with pictures", () => {
  test.each([
    ["a.jpg", "a.png"],
    ["a.jpg", "a_mask.gif"],
    ["deep/a.jpg", "deep/a-mask.png"],
    ["a.jpg", "a_label.tif"],
    ["a.png", "a_seg.webp"],
    ["ISIC_1.jpg", "ISIC_1_Segmentation.png"],
    ["a.jpg", "a.jpg.png"],
    ["image_1.png", "mask_1.png"],
    ["deep/img1.png", "deep/mask1.png"],
    ["1.png", "label-1.png"],
    ["7_sat.jpg", "7_mask.png"],
    ["0001TP_1.png", "0001TP_1_L.png"],
    ["a.b.jpg", "a.b.png"],
    ["ulm/ulm_0_1_leftImg8bit.png", "ulm/ulm_0_1_gtFine_labelIds.png"],
    ["ulm/ulm_0_1_leftImg8bit.png", "ulm/ulm_0_1_gtCoarse_labelTrainIds.png"],
    ["x_mask.png", "x_mask.png"],
    ["각.png".normalize("NFC"), "각.png".normalize("NFD")],
  ])("%s has %s", (picture, mask) => {
    expect(pairMasks([picture], [mask], "masks")).toEqual({ masks: [mask], left: [] });
  });

  test("by path, of which what all have in common counts only where it helps", () => {
    expect(pairMasks(["a/1.png", "b/1.png"], ["b/1.png", "a/1.png"], "masks").masks).toEqual(["a/1.png", "b/1.png"]);
    // The masks that are there lie in one folder.
    expect(pairMasks(["a/1.png", "b/1.png"], ["b/1.png"], "masks").masks).toEqual([undefined, "b/1.png"]);
    expect(pairMasks(["images/1.png", "images/2.png"], ["1.png", "2.png"], "masks").masks).toEqual(["1.png", "2.png"]);
    expect(pairMasks(["1.jpg", "2.jpg"], ["trimaps/2.png", "trimaps/1.png"], "masks").masks).toEqual([
      "trimaps/1.png",
      "trimaps/2.png",
    ]);
  });

  test("the whole name goes before a suffix", () => {
    expect(pairMasks(["a.png", "a_mask.png"], ["a_mask.png", "b.png"], "masks")).toEqual({
      masks: [undefined, "a_mask.png"],
      left: ["b.png"],
    });
  });

  test("the whole name goes before one without a word for pictures", () => {
    const pictures = ["1.png", "image_1.png"];
    expect(pairMasks(pictures, ["1.png"], "masks").masks).toEqual(["1.png", undefined]);
    expect(pairMasks(pictures, ["image_1_mask.png", "mask_1.png"], "masks").masks).toEqual([
      "mask_1.png",
      "image_1_mask.png",
    ]);
  });

  test("JPEG files are passed over where there is another mask", () => {
    expect(pairMasks(["a.jpg", "b.jpg"], ["a.jpg", "a.png", "b.jpg", "c.jpg"], "masks")).toEqual({
      masks: ["a.png", "b.jpg"],
      left: [],
    });
  });

  test("in one folder, drawings of the same masks in colour and by instances are neither", () => {
    const names = ["color", "instanceIds", "labelIds"].map((kind) => `a_gtFine_${kind}.png`);
    expect(partMasks(["a_leftImg8bit.png", ...names])).toEqual({
      pictures: ["a_leftImg8bit.png"],
      masks: ["a_gtFine_labelIds.png"],
    });
    // Where nothing draws classes, a name like theirs says nothing.
    expect(partMasks(["a_gtFine_color.png"]).pictures).toEqual(["a_gtFine_color.png"]);
  });

  test("two masks of one picture, and two pictures of one mask, are errors", () => {
    expect(() => pairMasks(["a.jpg"], ["a.png", "a_mask.png"], "masks")).toThrow(
      "a.jpg: required one mask of its name, got a.png and a_mask.png. Rename one",
    );
    expect(() => pairMasks(["a.jpg", "a.png"], ["a_mask.png"], "masks")).toThrow(
      "masks/a_mask.png: required one picture of its name, got a.jpg and a.png. Rename one",
    );
  });
});

test("a name that only begins like a word for masks is a name like others", () => {
  expect(pairMasks(["ed.jpg", "seged.jpg"], ["seged.png"], "masks").masks).toEqual([undefined, "seged.png"]);
  expect(pairMasks(["ed.jpg", "b.jpg"], ["maskeded.png", "b.png"], "masks").left).toEqual(["maskeded.png"]);
});

test("of a folder of both, masks are called as another file", () => {
  expect(partMasks(["a.jpg", "a_mask.png", "b_mask.png", "deep/c.png", "deep/c-seg.png"])).toEqual({
    pictures: ["a.jpg", "b_mask.png", "deep/c.png"],
    masks: ["a_mask.png", "deep/c-seg.png"],
  });
  expect(partMasks(["7_mask.png", "7_sat.jpg", "image_1.png", "mask_1.png"])).toEqual({
    pictures: ["7_sat.jpg", "image_1.png"],
    masks: ["7_mask.png", "mask_1.png"],
  });
});

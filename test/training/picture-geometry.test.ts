import { describe, expect, it } from "vitest";
import { datasetGeometry, pictureGeometry } from "../../src/training/picture-geometry.js";
import { barDataset, toyDataset } from "../support/toy-data.js";

describe("pictureGeometry", () => {
  it.each([
    [[3, 32, 40], { channels: 3, height: 32, width: 40, layout: "NCHW" }],
    [[32, 40, 3], { channels: 3, height: 32, width: 40, layout: "NHWC" }],
    [[1, 28, 28], { channels: 1, height: 28, width: 28, layout: "NCHW" }],
    [[28, 28, 1], { channels: 1, height: 28, width: 28, layout: "NHWC" }],
    [[16, 8, 8], { channels: 16, height: 8, width: 8, layout: "NCHW" }],
    [[3, 3, 3], { channels: 3, height: 3, width: 3, layout: "NCHW" }],
  ] as const)("%j", (shape, geometry) => {
    expect(pictureGeometry(shape)).toEqual(geometry);
  });

  it.each([[[784]], [[2, 16]], [[1, 2, 3, 4]], [[]]])("%j is no picture", (shape) => {
    expect(pictureGeometry(shape)).toBeUndefined();
  });
});

describe("datasetGeometry", () => {
  it("knows pictures that a network takes flattened by the data's record", () => {
    const flat = toyDataset([64]);
    expect(datasetGeometry(flat)).toBeUndefined();
    const picture = { channels: 1, height: 8, width: 8 };
    expect(datasetGeometry({ ...flat, record: { picture } })).toEqual({ ...picture, layout: "NCHW" });
    expect(datasetGeometry({ ...flat, record: { picture: { ...picture, width: 9 } } })).toBeUndefined();
    expect(datasetGeometry(barDataset(2))).toEqual({ ...picture, layout: "NCHW" });
  });

  it("takes the record's word for where the channels are", () => {
    const picture = { channels: 2, height: 8, width: 8, layout: "NHWC" } as const;
    expect(datasetGeometry({ ...toyDataset([8, 8, 2]), record: { picture } })).toEqual(picture);
    expect(datasetGeometry({ ...toyDataset([8, 8, 2]), record: {} })).toMatchObject({ layout: "NCHW" });
  });
});

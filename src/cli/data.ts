/** `headstart data`: what headstart understands of data. */
import { existsSync } from "node:fs";
import { counted, plural } from "../counted.js";
import { describeSize, type PictureSize } from "../data/picture-shape.js";
import { type DataDescription, describeData } from "../library/describe-data.js";
import { requireFree, writeOutput } from "../library/write-output.js";
import { defineCommand } from "./command.js";
import type { Console } from "./console.js";
import { dataOptions, readDataOptions, readLabels } from "./data-options.js";
import { dataProgress } from "./data-progress.js";
import { choice, flag, given, nameOrPath, newPath } from "./options.js";

function freeName(): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? "data-grid.png" : `data-grid-${number}.png`;
    if (!existsSync(name)) return name;
  }
}

const { resize: _resize, convert: _convert, ...reading } = dataOptions;

export const command = defineCommand({
  name: "data",
  description:
    "Shows what headstart understands of data: how many samples of which shape and range, classes, duplicates, what " +
    "cannot be used and why, and which normalisation suits it. Writes a grid of pictures as PNG where it holds pictures.",
  arguments: [
    {
      name: "path",
      description: "a folder, file, pattern in quotes, or https://, s3:// or hf://datasets/ address; or several",
      repeated: true,
    },
  ],
  options: {
    ...reading,
    labels: {
      ...nameOrPath(
        "NAME",
        "a label file, a table's column or archive's array (name, number from 1, or -1), or pictures' folder of masks",
      ),
      elsewhere: "labelColumn",
    },
    layout: choice("ORDER", ["NCHW", "NHWC"], "where the shape has a picture's channels (default: NCHW)"),
    output: newPath("FILE", "where the pictures are drawn (default: data-grid.png, or the next free number)"),
    overwrite: flag("replace that file"),
  },
  examples: [
    "headstart data ./images",
    'headstart data "shards/train-{000..009}.tar" --output shards.png',
    "headstart data table.csv --labels income",
    "headstart data hf://datasets/ylecun/mnist",
  ],
  async run({ arguments: paths, options, console, signal }) {
    const { labels, layout, output, overwrite, ...others } = given(options);
    if (output !== undefined) await requireFree(output, overwrite);
    const found = await describeData({
      data: paths.filter((path) => path !== undefined),
      ...readDataOptions({ resize: false, convert: false, ...others }),
      ...(labels === undefined ? {} : { labels: readLabels(labels) }),
      ...(layout === undefined ? {} : { layout }),
      signal,
      onProgress: dataProgress(console),
    });
    console.end();
    const { grid: png, record: _, ...description } = found;
    // Of a table the two are one word.
    console.line(`${found.where}: ${[...new Set([found.source, found.kind])].join(", ")}`);
    console.line(
      `${thousands(found.count)} ${plural(found.count, "sample")} of ${found.shape.join("x")}` +
        `${found.onDisk ? ", more than the memory allowed: read from disk as needed" : ""}`,
    );
    if (found.pictures !== undefined) sayPictures(console, found.pictures);
    sayValues(console, found);
    sayLabels(console, found);
    sayTroubles(console, found);
    // An earlier run's transform says how values are scaled: nothing else can be asked for beside it.
    const { normalise, because } = found.suggestion;
    if (options.transform === undefined) console.line(`suggested: --normalise ${normalise} (${because})`);
    const file = output ?? freeName();
    if (png !== undefined) {
      await writeOutput(file, png, overwrite);
      console.line(`pictures: ${file}`);
    } else if (output !== undefined) console.line(`note: there are no pictures to draw, so ${output} is not written`);
    console.event({ type: "data", ...description, ...(png === undefined ? {} : { gridFile: file }) });
  },
});

const thousands = (count: number): string => count.toLocaleString("en");
const number = (value: number | undefined): string => (value === undefined ? "" : String(+value.toPrecision(4)));

/** Says which sizes and files pictures have, and what they need to become samples of one network. */
function sayPictures(console: Console, { sizes, formats }: NonNullable<DataDescription["pictures"]>): void {
  const kinds = sizes.slice(0, 8).map((size) => `${describeSize(size).replace("×", "x")} (${thousands(size.count)})`);
  const more = sizes.length > 8 ? `, and ${counted(sizes.length - 8, "other size")}` : "";
  console.line(`sizes: ${kinds.join(", ")}${more}`);
  console.line(`files: ${formats.map(({ name, count }) => `${name} (${thousands(count)})`).join(", ")}`);
  const differ = (of: (size: PictureSize) => unknown) => new Set(sizes.map(of)).size > 1;
  const needed = [
    ...(differ(({ height, width }) => `${height} ${width}`) ? ["--resize"] : []),
    ...(differ(({ channels }) => channels) ? ["--convert"] : []),
  ];
  if (needed.length > 0) console.line(`they do not all have one size and colour: pass ${needed.join(" and ")} to init`);
}

/** Says what values the samples have, channel by channel or column by column. */
function sayValues(console: Console, found: DataDescription): void {
  console.line();
  console.table(
    ["", "type", "mean", "deviation", "smallest", "largest"],
    found.channels
      .slice(0, 40)
      .map(({ name, type, categories, ...numbers }) => [
        name,
        categories === undefined ? type : `${type}, ${counted(categories, "category", "categories")}`,
        number(numbers.mean),
        number(numbers.std),
        number(numbers.min),
        number(numbers.max),
      ]),
    ["left", "left", "right", "right", "right", "right"],
  );
  if (found.channels.length > 40) console.line(`and ${found.channels.length - 40} more`);
  console.line();
}

/** Says which classes there are, or which numbers to predict. */
function sayLabels(console: Console, found: DataDescription): void {
  const listed = (classes: NonNullable<DataDescription["classes"]>, amount: (count: number) => string): string => {
    const shown = classes.slice(0, 20).map(({ name, count }) => `${name} (${amount(count)})`);
    const more = classes.length > 20 ? `, and ${classes.length - 20} more` : "";
    return `${counted(classes.length, "class", "classes")}: ${shown.join(", ")}${more}`;
  };
  if (found.classes !== undefined) console.line(listed(found.classes, thousands));
  if (found.maps !== undefined) {
    const { shape, classes } = found.maps;
    const all = classes.reduce((sum, { count }) => sum + count, 0);
    const share = (count: number): string => `${((100 * count) / all).toFixed(1)} %`;
    console.line(`maps of ${shape.join("x")} positions, ${listed(classes, share)}`);
  }
  for (const { name, mean, std } of found.targets ?? [])
    console.line(
      `${found.classes === undefined ? "number to predict" : "or a number to predict"}: ${name}, mean ${number(mean)}, deviation ${number(std)}`,
    );
}

/** Says what the user may want to put right: duplicates, what was noted, and what cannot be used. */
function sayTroubles(console: Console, found: DataDescription): void {
  const { duplicates } = found;
  console.line(
    duplicates.count === 0
      ? "no duplicates"
      : `${thousands(duplicates.count)} ${plural(duplicates.count, "duplicate")}, such as samples ${duplicates.pairs[0]?.join(" and ")} (from 0)`,
  );
  for (const note of found.notes) console.line(`note: ${note}`);
  if (found.unusableCount > 0) {
    console.warn(
      `${thousands(found.unusableCount)} cannot be used; init stops at the first unless --on-bad skip is given`,
    );
    for (const name of found.unusable.slice(0, 20)) console.line(`  ${name}`);
  }
}

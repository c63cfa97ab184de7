import type { OpenOptions } from "./dataset.js";
import { decodeSample, type PicturePlace, pictureBytes, pixelLimit } from "./decode-picture.js";
import { evenlySpaced } from "./evenly-spaced.js";
import { gatherPictures } from "./open-dataset.js";
import type { PictureSize } from "./picture-shape.js";
import { checkInterrupted } from "./read-bytes.js";
import { sharp } from "./sharp.js";

/** What pictures are, as their headers say it. */
export interface PictureSurvey {
  readonly files: number;
  /** The most frequent first. */
  readonly sizes: readonly (PictureSize & { readonly count: number })[];
  /** File formats and bits of a channel, such as "png 16-bit". */
  readonly formats: readonly { readonly name: string; readonly count: number }[];
}

/**
 * Looks at the headers of a source's pictures: sizes as they will be decoded (turned as their orientation says), and
 * formats. Those with transparency are decoded, because the decoder keeps it only where it is used.
 *
 * @returns undefined if the source holds no pictures
 */
export async function surveyPictures(
  path: string | readonly string[],
  options: OpenOptions,
): Promise<PictureSurvey | undefined> {
  const source = await gatherPictures(path, options);
  if (source === undefined) return undefined;
  const chosen = evenlySpaced(source.items.length, options.limit ?? source.items.length);
  const items = Array.from(chosen, (index) => source.items[index]);
  const sizes = new Map<string, number>();
  const formats = new Map<string, number>();
  const width = 32;
  for (let first = 0; first < items.length; first += width) {
    checkInterrupted(options.signal);
    await Promise.all(
      items.slice(first, first + width).map(async ({ place }) => {
        // What cannot be read is counted when it is decoded.
        const header = await headerOf(place).catch(() => undefined);
        if (header === undefined) return;
        count(sizes, `${header.size.channels} ${header.size.height} ${header.size.width}`);
        count(formats, header.format);
      }),
    );
  }
  const byCount = (found: Map<string, number>) => [...found].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return {
    files: source.items.length,
    sizes: byCount(sizes).map(([key, found]) => {
      const [channels, height, wide] = key.split(" ").map(Number);
      return { channels, height, width: wide, count: found };
    }),
    formats: byCount(formats).map(([name, found]) => ({ name, count: found })),
  };
}

async function headerOf(place: PicturePlace): Promise<{ size: PictureSize; format: string } | undefined> {
  const header = await sharp(pictureBytes(place)).metadata();
  const { width, pageHeight: height = header.height } = header;
  if (width * height > pixelLimit) return undefined;
  const bits = { uchar: 8, ushort: 16, float: 32 }[header.depth as string] ?? 8;
  const format = `${header.format} ${bits}-bit${header.hasAlpha ? " with transparency" : ""}`;
  if (header.hasAlpha) return { size: await decodeSample(place, { resize: false, convert: false }), format };
  const turned = (header.orientation ?? 1) >= 5;
  const channels = header.channels < 3 ? 1 : 3;
  return { size: turned ? { channels, height: width, width: height } : { channels, height, width }, format };
}

function count(found: Map<string, number>, key: string): void {
  found.set(key, (found.get(key) ?? 0) + 1);
}

import sharp from "sharp";
import type { OpenOptions } from "./dataset.js";
import { pictureBytes } from "./decode-picture.js";
import { gatherPictures } from "./open-dataset.js";
import { checkInterrupted } from "./read-bytes.js";

/** What pictures' headers say, without decoding them. */
export interface PictureSurvey {
  readonly files: number;
  /** The most frequent first. */
  readonly sizes: readonly { channels: number; height: number; width: number; count: number }[];
  /** File formats and bits of a channel, such as "png 16-bit". */
  readonly formats: readonly { readonly name: string; readonly count: number }[];
}

/**
 * Looks at the headers of a source's pictures: sizes as they will be decoded (turned as their orientation says, fully
 * grey and RGB apart), and formats. Transparency is counted only where the decoder keeps it, so it is left out here.
 *
 * @returns undefined if the source holds no pictures
 */
export async function surveyPictures(
  path: string | readonly string[],
  options: OpenOptions,
): Promise<PictureSurvey | undefined> {
  const source = await gatherPictures(path, options);
  if (source === undefined) return undefined;
  const items = source.items.slice(0, options.limit ?? source.items.length);
  const sizes = new Map<string, number>();
  const formats = new Map<string, number>();
  const width = 32;
  for (let first = 0; first < items.length; first += width) {
    checkInterrupted(options.signal);
    await Promise.all(
      items.slice(first, first + width).map(async ({ place }) => {
        const header = await Promise.resolve(place)
          .then((found) => sharp(pictureBytes(found)).metadata())
          // What cannot be read is counted when it is decoded.
          .catch(() => undefined);
        if (header === undefined) return;
        const channels = header.channels < 3 ? 1 : 3;
        const turned = (header.orientation ?? 1) >= 5;
        const [height, wide] = turned
          ? [header.width, header.height]
          : [header.pageHeight ?? header.height, header.width];
        count(sizes, `${channels} ${height} ${wide}`);
        const bits = { uchar: 8, ushort: 16, float: 32 }[header.depth as string] ?? 8;
        count(formats, `${header.format} ${bits}-bit${header.hasAlpha ? " with transparency" : ""}`);
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

function count(found: Map<string, number>, key: string): void {
  found.set(key, (found.get(key) ?? 0) + 1);
}

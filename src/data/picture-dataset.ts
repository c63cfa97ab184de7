import { userError } from "../errors.js";
import { pictureOrder, requireNoLines } from "./channel-order.js";
import { knownClassNames } from "./classes.js";
import type { Dataset, OpenOptions } from "./dataset.js";
import { evenlySpaced } from "./evenly-spaced.js";
import { type LabelMaps, mapNotes, pickMaps } from "./label-maps.js";
import { openLargePictures } from "./large-pictures.js";
import type { PictureItem, PictureItems } from "./picture-items.js";
import { PicturePool } from "./picture-pool.js";
import {
  checkPictureFits,
  choosePictureTarget,
  describeSize,
  type PictureSize,
  type PictureTarget,
} from "./picture-shape.js";
import { checkInterrupted } from "./read-bytes.js";
import { type LeftPicture, readMasks, withMasksOnly } from "./read-masks.js";
import { defaultMemory } from "./sample-array.js";
import { labelsOfTexts } from "./sample-labels.js";
import { hasSixteenBits } from "./shallow-pictures.js";
import { type SampleDescription, storedDataset } from "./stored-dataset.js";

/**
 * Opens pictures of any source. What fits in the memory allowed is decoded into it; of larger sets, the decoded
 * pictures are cached on disk, and decoded again as they are needed where the cache is full.
 *
 * @throws UserError naming the picture if it is corrupt, or does not fit and may not be resized or converted
 */
export async function openPictures(source: PictureItems, options: OpenOptions): Promise<Dataset> {
  requireNoLines(options, source.where, "picture files");
  const { items: all, left: withoutMask } = withMasksOnly(source, options);
  const chosen = evenlySpaced(all.length, options.limit ?? all.length);
  const picked = Array.from(chosen, (index) => all[index]);
  const pool = new PicturePool();
  const masked = await maskedPictures(source.where, picked, pool, options).catch(async (error: unknown) => {
    await pool.close();
    throw error;
  });
  const { items, decoder, maps } = masked;
  const left = [...withoutMask, ...masked.left];
  const size = decoder.target.channels * decoder.target.height * decoder.target.width;
  const describe = (kept: readonly number[]) => describePictures({ source, items, maps, left }, kept, decoder, options);
  const large = items.length * size > (options.memory ?? defaultMemory());
  // What is decoded anew in every epoch must never be decoded between two steps.
  if (large || decoder.work >= leastThreadedWork) pool.start(options.workers);
  if (large) {
    return openLargePictures({ source, items, decoder, pool, describe, options }).catch(async (error: unknown) => {
      await pool.close();
      throw error;
    });
  }
  try {
    const data = new Uint8Array(items.length * size);
    const kept: number[] = [];
    await decoder.decodeAll((index, sample) => {
      data.set(sample, kept.length * size);
      kept.push(index);
    });
    if (kept.length === 0) throw nothingReadable(source.where);
    return storedDataset({ ...describe(kept), data: data.subarray(0, kept.length * size) }, options);
  } finally {
    await pool.close();
  }
}

/** Pictures with what is known of their masks. */
interface MaskedPictures {
  readonly items: readonly PictureItem[];
  /** One for each of the items, where they have masks. */
  readonly maps?: LabelMaps | undefined;
  /** Pictures that are left out for their masks. */
  readonly left: readonly LeftPicture[];
}

/** Decides what the pictures become, and reads their masks where they have some. */
async function maskedPictures(
  where: string,
  items: readonly PictureItem[],
  pool: PicturePool,
  options: OpenOptions,
): Promise<MaskedPictures & { readonly decoder: CheckedDecoder }> {
  const decoder = new CheckedDecoder(items, pool, options);
  await decoder.chooseTarget(where);
  if (items[0].mask === undefined) return { items, decoder, left: [] };
  const { kept, maps, left } = await readMasks(items, decoder.target, options);
  if (kept.length === 0) throw nothingReadable(where);
  const readable = kept.map((index) => items[index]);
  decoder.restrictTo(readable);
  return { items: readable, decoder, maps, left };
}

/** Pixels of work from which threads give more than their start costs, which is some 0.2 s of a processor's time. */
const leastThreadedWork = 2e7;
/** The work that a picture takes whatever its size, in pixels. */
const workOfPicture = 8000;

/** Decodes pictures to one size, with errors that name them. */
export class CheckedDecoder {
  /** What could not be read, in order. */
  readonly unreadable: { file: string; reason: string }[] = [];
  #items: readonly PictureItem[];
  readonly #pool: PicturePool;
  readonly #options: OpenOptions;
  #target: PictureTarget | undefined;
  #first: (PictureSize & { file: string }) | undefined;
  #deep = false;

  constructor(items: readonly PictureItem[], pool: PicturePool, options: OpenOptions) {
    this.#items = items;
    this.#pool = pool;
    this.#options = options;
  }

  get target(): PictureTarget {
    if (this.#target === undefined) throw new Error("the target is not chosen yet");
    return this.#target;
  }

  /** Whether the first picture has 16 bits a channel, of which 8 are taken. */
  get deep(): boolean {
    return this.#deep;
  }

  /** Leaves out all but these pictures. */
  restrictTo(items: readonly PictureItem[]): void {
    this.#items = items;
  }

  /** About how much work it is to decode all pictures, in pixels, if they are as large as the first. */
  get work(): number {
    const { height, width } = this.#first!;
    return this.#items.length * (workOfPicture + height * width);
  }

  /** Decides by the first readable picture what all become. */
  async chooseTarget(where: string): Promise<void> {
    for (const item of this.#items) {
      checkInterrupted(this.#options.signal);
      const size = await this.#pool
        .decode(item.place, { resize: false, convert: false })
        .catch((error: unknown) => this.#refuse(item, error));
      if (size === undefined) continue;
      this.#target = choosePictureTarget(size, this.#options, item.where);
      this.#first = { ...size, file: item.name };
      this.#deep = await hasSixteenBits(item.place);
      this.unreadable.length = 0;
      return;
    }
    throw nothingReadable(where);
  }

  /**
   * Decodes one picture.
   *
   * @returns undefined if it cannot be read and may be skipped
   * @throws UserError if it cannot be read, or does not fit
   */
  async decode(index: number): Promise<Uint8Array | undefined> {
    checkInterrupted(this.#options.signal);
    const { resize = false, convert = false } = this.#options;
    const item = this.#items[index];
    const picture = await this.#pool
      .decode(item.place, { target: this.target, resize, convert })
      .catch((error: unknown) => this.#refuse(item, error));
    if (picture === undefined) return undefined;
    if (picture.sample === undefined) {
      checkAgainstFirst(picture, this.target, this.#options, item.where, this.#first!);
      throw new Error(`${item.where} fits but was not converted`);
    }
    return picture.sample;
  }

  /** Decodes all pictures, a bounded number at once, and hands them on in order; unreadable ones are left out. */
  async decodeAll(take: (index: number, sample: Uint8Array) => void | Promise<void>): Promise<void> {
    const count = this.#items.length;
    const wave = 8 * this.#pool.width;
    // Twice as many are under way as are waited for, so that no thread idles between two waves.
    const begin = (first: number) =>
      Array.from({ length: Math.max(0, Math.min(wave, count - first)) }, (_, place) => {
        const decoded = this.decode(first + place);
        decoded.catch(() => {});
        return decoded;
      });
    let next = begin(0);
    for (let first = 0; first < count; first += wave) {
      const current = next;
      next = begin(first + wave);
      for (let place = 0; place < current.length; place++) {
        const sample = await current[place];
        if (sample !== undefined) await take(first + place, sample);
      }
      this.#options.onProgress?.(Math.min(first + wave, count), count);
    }
  }

  #refuse(item: PictureItem, error: unknown): undefined {
    if (this.#options.onBad !== "skip") throw badPicture(item.where, error);
    this.unreadable.push({ file: item.name, reason: reasonOf(error) });
  }
}

function describePictures(
  { source, items, maps, left }: MaskedPictures & { readonly source: PictureItems },
  kept: readonly number[],
  decoder: CheckedDecoder,
  options: OpenOptions,
): SampleDescription {
  const { target } = decoder;
  const without = kept.filter((index) => items[index].class === undefined);
  const labelled = without.length < kept.length;
  const unlabelledNote = `${without.length} of ${kept.length} pictures have no label, such as ${items[without[0]]?.name}`;
  // Classes of unreadable pictures count too: numbers must not depend on what is damaged.
  const found = new Set(source.items.flatMap((item) => (item.class === undefined ? [] : [item.class])));
  const texts = kept.map((index) => items[index].class);
  const unreadable = [...left, ...decoder.unreadable].sort((a, b) => (a.file < b.file ? -1 : 1));
  const { skipped, notes, ...record } = source.record;
  const allNotes = [
    ...((notes as string[] | undefined) ?? []),
    ...(labelled && without.length > 0 ? [unlabelledNote] : []),
    ...(maps === undefined ? [] : mapNotes(maps)),
  ];
  return {
    where: source.where,
    kind: "images",
    count: kept.length,
    shape: target.shape,
    order: pictureOrder(target, {}, source.where),
    ...(labelled
      ? labelsOfTexts(texts, found, source.classNames, source.where, options, (index) => items[kept[index]].where)
      : {}),
    ...(maps === undefined ? {} : { maps: pickMaps(maps, kept), classNames: knownClassNames(options) }),
    picture: target,
    pictureRange: [0, 255],
    record: {
      ...record,
      skipped: { ...(skipped as object | undefined), unreadable: unreadable.length },
      ...(unreadable.length === 0 ? {} : { unreadable: unreadable.slice(0, 100) }),
      resized: options.resize === true,
      converted: options.convert === true,
      ...(decoder.deep ? { bits: 16 } : {}),
      ...(allNotes.length > 0 ? { notes: allNotes } : {}),
    },
  };
}

/** As {@link checkPictureFits}, but where the model takes any size the message names the two sizes that were found. */
function checkAgainstFirst(
  picture: PictureSize,
  target: PictureTarget,
  options: OpenOptions,
  where: string,
  first: PictureSize & { file: string },
): void {
  const matchesFirst =
    picture.channels === first.channels && picture.height === first.height && picture.width === first.width;
  const needsResize = options.resize !== true && (picture.height !== target.height || picture.width !== target.width);
  const needsConvert = options.convert !== true && picture.channels !== target.channels;
  if (!matchesFirst && (needsResize || needsConvert)) {
    const flags = [...(needsResize ? ["--resize"] : []), ...(needsConvert ? ["--convert"] : [])];
    throw userError({
      where,
      required: `pictures of one kind (${describeSize(first)}, as ${first.file})`,
      got: describeSize(picture),
      advice: `Pass ${flags.join(" and ")} to have all made the same`,
    });
  }
  checkPictureFits(picture, target, options, where);
}

function nothingReadable(where: string): Error {
  return badPicture(where, new Error("none of its pictures can be read"));
}

function badPicture(path: string, error: unknown): Error {
  return userError({
    where: path,
    required: "a picture that can be read",
    got: reasonOf(error),
    advice: "Remove or replace it, or have unreadable pictures skipped with --on-bad skip",
  });
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replaceAll(/\s+/g, " ").trim();
}

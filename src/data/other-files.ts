/** What to do about files that are no pictures which can be read, by the ends of their names. */
const kinds: readonly { readonly what: string; readonly ends: RegExp; readonly advice: string }[] = [
  {
    what: "pictures of formats that are not read",
    ends: /^\.(hei[cf]s?|bmp|dib|jp2|j2k|jpx|jxl|svg|psd|dng|cr[23]|nef|arw|orf|raf|pgm|ppm|pbm|pnm|tga|exr|hdr|ico|dcm|eps|pcx)$/,
    advice: "Convert them to PNG or JPEG, as ImageMagick's mogrify -format png does for a whole folder",
  },
  {
    what: "arrays",
    ends: /^\.(np[yz]|safetensors)$/,
    advice:
      'Arrays are read as files whose axis 0 counts the samples, by their names or a pattern such as "FOLDER/*.npy"; ' +
      "files of one sample each are joined by numpy.save('all.npy', numpy.stack([numpy.load(path) for path in paths]))",
  },
  {
    what: "sound files",
    ends: /^\.(wav|mp3|flac|ogg|oga|opus|m4a|aac|aiff?|wma|au)$/,
    advice: "Sound is read as arrays: save waveforms or spectrograms as NPY, as docs/data.md shows",
  },
  {
    what: "films",
    ends: /^\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|wmv)$/,
    advice: "Save their frames as pictures, as ffmpeg -i FILM -vf fps=1 FOLDER/%06d.png does",
  },
];

/** What file managers leave behind says nothing about the data. */
const leftBehind = /^(thumbs\.db|desktop\.ini|icon\r)$/i;

/** Files of a folder that are passed over, counted by the ends of their names. */
export class OtherFiles {
  readonly #ends = new Map<string, number>();
  #count = 0;

  add(name: string): void {
    this.#count++;
    if (leftBehind.test(name)) return;
    const end = /[^.](\.[^.\s]{1,10})$/.exec(name)?.[1].toLowerCase() ?? "";
    this.#ends.set(end, (this.#ends.get(end) ?? 0) + 1);
  }

  get count(): number {
    return this.#count;
  }

  /** "3 other files: 2 .wav, 1 .txt". */
  get description(): string {
    const files = `${this.#count.toLocaleString("en")} other ${this.#count === 1 ? "file" : "files"}`;
    return this.#ends.size === 0 ? files : `${files}: ${counted([...this.#ends])}`;
  }

  /** What to do about what most of them are; undefined where nothing is known. */
  get advice(): string | undefined {
    return this.#found().sort((first, second) => second.count - first.count)[0]?.advice;
  }

  /** Says in a sentence for each kind that looks like data, how many there are, so that they do not go unseen. */
  get notes(): string[] {
    return this.#found().map(({ what, ends, advice }) => `${what} were passed over: ${counted(ends)}. ${advice}`);
  }

  #found() {
    return kinds.flatMap(({ what, ends: pattern, advice }) => {
      const ends = [...this.#ends].filter(([end]) => pattern.test(end));
      const count = ends.reduce((sum, [, found]) => sum + found, 0);
      return count === 0 ? [] : [{ what, ends, count, advice }];
    });
  }
}

/** The most frequent ends with their numbers. */
function counted(ends: readonly (readonly [string, number])[]): string {
  const sorted = [...ends].sort((first, second) => second[1] - first[1] || (first[0] < second[0] ? -1 : 1));
  const shown = sorted
    .slice(0, 5)
    .map(([end, count]) => `${count.toLocaleString("en")} ${end === "" ? "without an end to their names" : end}`);
  return [...shown, ...(sorted.length > 5 ? ["others"] : [])].join(", ");
}

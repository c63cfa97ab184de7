/**
 * Text made safe for a terminal: names in model files and data may hold anything, also sequences that move the cursor or
 * change the window's title. Line feeds stay, tabs become a space; other control characters, and those that reorder
 * text, are shown as U+FFFD.
 */
export function printable(text: string): string {
  return (
    text
      .replaceAll("\t", " ")
      .replaceAll("\r\n", "\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd")
  );
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** How many columns a line of text takes on a terminal. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += columnsOfSign(segment);
  return columns;
}

function columnsOfSign(sign: string): number {
  return wide.test(sign) ? 2 : 1;
}

/** The beginning of a line of text that takes at most so many columns. */
export function clipped(text: string, columns: number): string {
  let taken = 0;
  let length = 0;
  for (const { segment } of graphemes.segment(text)) {
    taken += columnsOfSign(segment);
    if (taken > columns) break;
    length += segment.length;
  }
  return text.slice(0, length);
}

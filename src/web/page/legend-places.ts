/** The legend of a chart that is saved, which has no page to flow in. */

/** From both edges of a picture, in pixels. */
export const margin = 12;

/**
 * Where the names of a legend stand, in as many rows as they take.
 *
 * @param width of the picture, in pixels
 */
export function legendPlaces(names: readonly string[], width: number): { readonly x: number; readonly row: number }[] {
  let x = margin;
  let row = 0;
  return names.map((name) => {
    // By an estimate of a name's width, with its colour before it; letters of Korean are twice as wide.
    const letters = [...name].reduce((sum, letter) => sum + (letter > "\u1100" ? 2 : 1), 0);
    const taken = 16 + 7 * letters;
    if (x > margin && x + taken > width - margin) {
      x = margin;
      row++;
    }
    const place = { x, row };
    x += taken + 14;
    return place;
  });
}

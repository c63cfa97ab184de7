/**
 * Names that tell columns apart: of equal ones each but the first gets a number, `a`, `a.1`, `a.2`, as pandas has it,
 * and of empty ones each but the first is called by its place, `column 3`.
 */
export function distinctNames(names: readonly string[]): string[] {
  const used = new Set(names);
  const seen = new Set<string>();
  return names.map((name, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return name;
    }
    const stem = name === "" ? `column ${index + 1}` : name;
    let distinct = stem;
    for (let number = 1; used.has(distinct); number++) distinct = `${stem}.${number}`;
    used.add(distinct);
    return distinct;
  });
}

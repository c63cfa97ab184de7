/** Saves charts and tables as files. */

export function saveBlob(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A table as CSV after RFC 4180. Cells that a spreadsheet would take for formulas are kept from being so. */
export function csvOf(rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (value: string | number | null): string => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Saves a table under this title, see {@link csvOf}. */
export function saveCsv(name: string, rows: readonly (readonly (string | number | null)[])[]): void {
  saveBlob(`${fileName(name)}.csv`, new Blob([csvOf(rows)], { type: "text/csv" }));
}

/** A chart's SVG by itself: with its own colours, as the page's style is not there. */
function standAlone(
  svg: SVGSVGElement,
  legend: readonly { name: string; color: string }[],
  title: string,
): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const style = getComputedStyle(svg);
  const background = getComputedStyle(document.body).getPropertyValue("--panel") || "#fff";
  const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  const top = 26;
  const foot = legend.length > 1 ? 22 : 0;
  const create = <Name extends "rect" | "text" | "svg" | "g">(
    name: Name,
    attributes: Record<string, string | number>,
  ) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    return element;
  };
  const outer = create("svg", {
    xmlns: "http://www.w3.org/2000/svg",
    width,
    height: height + top + foot,
    viewBox: `0 0 ${width} ${height + top + foot}`,
    color: style.color,
    fill: "currentColor",
    "font-family": "system-ui, sans-serif",
    "font-size": 11,
  });
  outer.append(create("rect", { width: "100%", height: "100%", fill: background.trim() }));
  const heading = create("text", { x: 12, y: 18, "font-size": 13, "font-weight": 600 });
  heading.textContent = title;
  copy.setAttribute("y", String(top));
  outer.append(heading, copy);
  let x = 12;
  if (foot > 0)
    for (const { name, color } of legend) {
      outer.append(create("rect", { x, y: height + top + 4, width: 12, height: 4, fill: color }));
      const text = create("text", { x: x + 16, y: height + top + 10 });
      text.textContent = name;
      outer.append(text);
      x += 30 + name.length * 7;
    }
  return outer;
}

/** Saves a chart as it looks now, with its title above and its legend below. */
export function saveSvg(svg: SVGSVGElement, legend: readonly { name: string; color: string }[], title: string): void {
  const text = new XMLSerializer().serializeToString(standAlone(svg, legend, title));
  saveBlob(`${fileName(title)}.svg`, new Blob([text], { type: "image/svg+xml" }));
}

/** The chart at twice its size on the page. */
export async function savePng(
  svg: SVGSVGElement,
  legend: readonly { name: string; color: string }[],
  title: string,
): Promise<void> {
  const alone = standAlone(svg, legend, title);
  const address = URL.createObjectURL(
    new Blob([new XMLSerializer().serializeToString(alone)], { type: "image/svg+xml" }),
  );
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (blob) saveBlob(`${fileName(title)}.png`, blob);
  } finally {
    URL.revokeObjectURL(address);
  }
}

function fileName(title: string): string {
  return title.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^-+|-+$/g, "") || "chart";
}

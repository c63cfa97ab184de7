/** Saves charts and tables as files. */
import { csvOf } from "./csv.js";
import { legendPlaces, margin } from "./legend-places.js";

export function saveBlob(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Saves a table under this title, see {@link csvOf}. */
export function saveCsv(name: string, rows: readonly (readonly (string | number | null)[])[]): void {
  saveBlob(`${fileName(name)}.csv`, new Blob([csvOf(rows)], { type: "text/csv" }));
}

/** The height of a legend's rows. */
const rowHeight = 16;

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
  const named = legend.length > 1 ? legend : [];
  const places = legendPlaces(
    named.map(({ name }) => name),
    width,
  );
  const foot = places.length === 0 ? 0 : 6 + rowHeight * (1 + Math.max(...places.map(({ row }) => row)));
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
  const heading = create("text", { x: margin, y: 18, "font-size": 13, "font-weight": 600 });
  heading.textContent = title;
  copy.setAttribute("y", String(top));
  outer.append(heading, copy);
  named.forEach(({ name, color }, index) => {
    const { x, row } = places[index];
    const y = height + top + rowHeight * row;
    outer.append(create("rect", { x, y: y + 4, width: 12, height: 4, fill: color }));
    const text = create("text", { x: x + 16, y: y + 10 });
    text.textContent = name;
    outer.append(text);
  });
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

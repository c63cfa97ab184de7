/** The colours of lines, which the theme decides: the system's, or the one that was chosen on the page. */
import { useEffect, useState } from "preact/hooks";

/** Distinct for eyes that see few colours, on light and on dark (after Okabe and Ito). */
const palette = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--line-6", "--line-7", "--line-8"];

/** The colour of the line at this place, by the page's theme; after eight they come again. */
export function lineColor(index: number): string {
  return getComputedStyle(document.body)
    .getPropertyValue(palette[index % palette.length])
    .trim();
}

/** Changes whenever the page's colours do. */
export function useTheme(): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const changed = (): void => setCount((before) => before + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    const watcher = new MutationObserver(changed);
    watcher.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    system.addEventListener("change", changed);
    return () => {
      watcher.disconnect();
      system.removeEventListener("change", changed);
    };
  }, []);
  return count;
}

/** What keeps those from using a page who do not see it. */
import axe from "axe-core";
import type { Page } from "playwright-core";

/** What axe finds that is more than minor. */
export async function findings(page: Page): Promise<string[]> {
  // As text of the page's own world: its policy lets no other script in.
  const result = await page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ["violations"] })`);
  const { violations } = result as { violations: { id: string; impact: string; nodes: { html: string }[] }[] };
  return violations
    .filter(({ impact }) => impact !== "minor")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
}

/** What can be operated and has no name for those who do not see it, where axe sees one. */
export async function nameless(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const operable = ["button", "link", "checkbox", "combobox", "textbox", "searchbox", "slider", "tab", "spinbutton"];
  return nodes.filter(({ ignored, role, name }) => !ignored && operable.includes(String(role?.value)) && !name?.value)
    .length;
}

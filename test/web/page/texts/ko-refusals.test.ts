import { expect, it } from "vitest";
import { koRefusals } from "../../../../src/web/page/texts/ko-refusals.js";

it("says of all refusals what they are about, and puts in nothing else but the lab's folders", () => {
  for (const [kind, text] of Object.entries(koRefusals)) {
    expect(text, kind).toMatch(/^\{where\}: /);
    const others = [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).filter((name) => name !== "where");
    expect(others, kind).toEqual(kind === "path-elsewhere" ? ["roots"] : []);
  }
});

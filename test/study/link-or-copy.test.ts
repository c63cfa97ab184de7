import { readFile, stat } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { linkOrCopy } from "../../src/study/link-or-copy.js";
import { folderWith } from "../support/toy-data.js";

const disk = vi.hoisted(() => ({ hasLinks: true }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const refuse = async () => {
    throw Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" });
  };
  return {
    ...real,
    link: (...paths: Parameters<typeof real.link>) => (disk.hasLinks ? real.link(...paths) : refuse()),
  };
});

test.each([true, false])("gives a file a second name, and never another one's, links %s", async (hasLinks) => {
  disk.hasLinks = hasLinks;
  const path = folderWith({ finished: new Uint8Array([1, 2]), taken: new Uint8Array([3]) });
  await linkOrCopy(path("finished"), path("named"));
  expect([...(await readFile(path("named")))]).toEqual([1, 2]);
  expect((await stat(path("named"))).nlink).toBe(hasLinks ? 2 : 1);
  await expect(linkOrCopy(path("finished"), path("taken"))).rejects.toMatchObject({ code: "EEXIST" });
  expect([...(await readFile(path("taken")))]).toEqual([3]);
  await expect(linkOrCopy(path("nowhere"), path("new"))).rejects.toMatchObject({ code: "ENOENT" });
});

import fs, { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { retryHeld } from "../../src/data/retry-held.js";
import { writeWhole } from "../../src/data/write-whole.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const refusal = (code: string): Error => Object.assign(new Error(`${code}: operation not permitted`), { code });

/** Work that is refused so often, the milliseconds that were waited, and what came of it. */
async function tried(code: string, times: number, platform: NodeJS.Platform) {
  const waited: number[] = [];
  let attempts = 0;
  const work = async () => {
    if (attempts++ < times) throw refusal(code);
    return "done";
  };
  const result = await retryHeld(work, platform, async (milliseconds) => waited.push(milliseconds)).catch(String);
  return { result, attempts, waited };
}

test.each(["EPERM", "EACCES", "EBUSY"])("on Windows, what %s refuses is tried again", async (code) => {
  expect(await tried(code, 2, "win32")).toEqual({ result: "done", attempts: 3, waited: [10, 40] });
});

test("it is given up after two seconds, and nothing else is tried again", async () => {
  const held = await tried("EBUSY", 9, "win32");
  expect(held).toMatchObject({ result: expect.stringContaining("EBUSY"), attempts: 6 });
  expect(held.waited.reduce((sum, each) => sum + each)).toBeLessThan(2000);
  expect(await tried("ENOENT", 1, "win32")).toMatchObject({ attempts: 1, waited: [] });
  expect(await tried("EPERM", 1, "linux")).toMatchObject({ attempts: 1, waited: [] });
});

test("a file is written whole though it could not be replaced at once", async () => {
  const path = join(temporaryFolder({ a: "old" }), "a");
  const rename = fs.rename.bind(fs);
  const refused = vi.spyOn(fs, "rename").mockImplementationOnce(((_from, _to, done) => {
    done(refusal("EPERM"));
  }) as typeof fs.rename);
  refused.mockImplementation(rename as never);
  const platform = vi.spyOn(process, "platform", "get").mockReturnValue("win32");
  try {
    await writeWhole(path, "new");
  } finally {
    refused.mockRestore();
    platform.mockRestore();
  }
  expect(readFileSync(path, "utf8")).toBe("new");
});

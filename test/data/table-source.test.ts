import { join } from "node:path";
import { expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";

test("a table in several files is what it is in one, whatever text each of them begins with", async () => {
  const lines = ["3,x,yes,2", "1,y,no,3", "4,z,no,2", "1,y,yes,10", "5,x,maybe,3", ",z,no,2", "2,w,yes,10"];
  const head = "size,kind,answer,code";
  const text = (part: readonly string[]) => `${head}\n${part.join("\n")}\n`;
  const folder = temporaryFolder({
    "whole.csv": text(lines),
    "part-0.csv": text(lines.slice(0, 1)),
    "part-1.csv": text(lines.slice(1, 4)),
    "part-2.csv": text(lines.slice(4)),
  });
  for (const options of [
    { labels: "answer" },
    { labels: "answer", memory: 1 },
    { labels: "answer", normalise: "quantile" },
    { labels: "code", task: "classification", categories: "embedding" },
    { columns: { code: "category" } },
  ] as const) {
    const cache = temporaryFolder();
    const whole = await openDataset(join(folder, "whole.csv"), { ...options, cache });
    const parts = await openDataset(join(folder, "part-*.csv"), { ...options, cache });
    expect([...(await readAll(parts))]).toEqual([...(await readAll(whole))]);
    expect(parts.labels).toEqual(whole.labels);
    expect(parts.classNames).toEqual(whole.classNames);
    expect(parts.record.table).toEqual(whole.record.table);
  }
});

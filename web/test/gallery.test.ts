import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const web = join(import.meta.dirname, "..");

test("every component that pages share stands in the gallery", () => {
  const exhibits = readdirSync(join(web, "gallery")).filter((f) => f.endsWith(".svelte"));
  const shown = exhibits.map((f) => readFileSync(join(web, "gallery", f), "utf8")).join("\n");
  const shared = readdirSync(join(web, "src/lib")).filter((f) => f.endsWith(".svelte"));
  expect(shared.length).toBeGreaterThan(5);
  expect(shared.filter((f) => !shown.includes(`/lib/${f}"`))).toEqual([]);
  const listed = readFileSync(join(web, "gallery/exhibits.ts"), "utf8");
  expect(exhibits.filter((f) => f !== "Index.svelte" && !listed.includes(`"./${f}"`))).toEqual([]);
});

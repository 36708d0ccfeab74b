import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import en from "../locales/en.json";
import fr from "../locales/fr.json";

const web = join(import.meta.dirname, "..");
const holes = (s: string): string[] => [...s.matchAll(/\{[a-z_]+\}/g)].map((m) => m[0]).sort();

describe("the two catalogues", () => {
  test("have the same keys, in the same order", () => {
    expect(Object.keys(fr)).toEqual(Object.keys(en));
  });

  test("are filled in alike, and say something", () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(en[key].trim(), key).not.toBe("");
      expect(fr[key].trim(), key).not.toBe("");
      expect(holes(fr[key]), key).toEqual(holes(en[key]));
    }
  });

  test("French keeps its punctuation on the line", () => {
    for (const [key, text] of Object.entries(fr)) {
      expect(text, key).not.toMatch(/ [?!;:»]|« /);
      expect(text, key).not.toMatch(/[^\s\u00a0\u202f?!][?!;»]/); // a space that is not a plain one stands before
      expect(text, key).not.toMatch(/'/); // typographic apostrophe
    }
  });

  test("no text is markup", () => {
    for (const text of [...Object.values(en), ...Object.values(fr)])
      expect(text).not.toMatch(/<[a-z/]|&[a-z]+;/i);
  });

  test("no key is left over", () => {
    // Keys that are put together from a name.
    const made =
      /^(event|reason|grant|route|admin\.(role|state|rules\.(preset|line|hint)|desks\.(state|field|hint|value|guide|policy|system))|provider|audit\.(line|actor|origin|outcome|personal)|role|lang|console\.state|queue|priority|presence|session\.(state|ended)|ticket\.(note_state|told)|closing\.resolution|outbox\.(kind|dead|waiting)|launch\.(closed|bad|no_desk|no_ticket|away|refused)|link\.strength|error\.(403|404|other|not_built)|landing\.start\.(windows|macos|linux)|proof\.(problem|verdict|said)|take|receipt\.(event|reason)|supervise\.(kind|watch)|wait\.(left|gone|problem)|appointment\.(item|letter|aside|problem|cancelled|declined)|meet\.(state|item))\./;
    const sources = all(web, /\.(svelte|ts|go|html)$/)
      .map((f) => readFileSync(f, "utf8"))
      .join("\n");
    const unused = Object.keys(en).filter((key) => {
      const base = key.replace(/\.(one|other)$/, "");
      return (
        !made.test(key) &&
        !sources.includes(`"${key}"`) &&
        !sources.includes(`"${base}"`) &&
        !sources.includes(`en.${key}`)
      );
    });
    expect(unused).toEqual([]);
  });

  test("know every event of the log and every reason of the wire", () => {
    const root = join(web, "..");
    const types = [
      ...readFileSync(join(root, "signaling/audit/types.go"), "utf8").matchAll(/^\t"([a-z_]+\.[a-z_]+)":/gm),
    ].map((m) => `event.${m[1] ?? ""}`);
    const reasons = [
      ...readFileSync(join(root, "internal/wire/signaling.proto"), "utf8").matchAll(
        /^\s*REASON_([A-Z_]+) = /gm,
      ),
    ].map((m) => `reason.${m[1] ?? ""}`);
    expect(types.length).toBeGreaterThan(25);
    expect(reasons.length).toBeGreaterThan(25);
    expect([...types, ...reasons].filter((key) => !Object.hasOwn(en, key))).toEqual([]);
  });
});

function all(dir: string, name: RegExp): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) => {
    if (e.name === "node_modules" || e.name === "dist" || e.name === "test" || e.name === "gallery")
      return [];
    const path = join(dir, e.name);
    return e.isDirectory() ? all(path, name) : name.test(e.name) ? [path] : [];
  });
}

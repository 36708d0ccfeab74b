// What the pages must never do, read from their sources and, when there is one, from the build.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const web = join(import.meta.dirname, "..");

function files(dir: string, name: RegExp): [string, string][] {
  const at = join(web, dir);
  if (!existsSync(at)) return [];
  return readdirSync(at, { recursive: true, encoding: "utf8" })
    .filter((f) => name.test(f))
    .map((f) => [join(dir, f), readFileSync(join(at, f), "utf8")]);
}

const sources = [...files("src", /\.(svelte|ts|css)$/), ...files("static", /\.css$/)];
const built = files("dist", /\.(js|css|html)$/);

test("there is something to read", () => {
  expect(sources.length).toBeGreaterThan(30);
});

describe.each([...sources, ...built])("%s", (name, text) => {
  test("moves nothing by itself: an idle animation delays every key of a session", () => {
    expect(text).not.toMatch(
      /requestAnimationFrame|@keyframes|animation\s*:|transition\s*:|<(?:blink|marquee)/,
    );
  });

  test("loads nothing from elsewhere", () => {
    expect(text.replace(/https?:\/\/(?:www\.w3\.org|here\.invalid|svelte\.dev)\S*/g, "")).not.toMatch(
      /["'(]https?:\/\/|url\(\s*["']?(?:data|https?):/,
    );
  });

  if (/\.(svelte|html)$/.test(name)) {
    test("has neither inline styles nor inline scripts nor raw HTML", () => {
      expect(text).not.toMatch(/\sstyle=|\{@html|<script(?![^>]*(?:src|lang)=)|\son[a-z]+="/);
    });

    // Two items of one key end the page: whoever chooses the words must not be able to make them.
    test("makes no key of a list by joining words", () => {
      expect(text).not.toMatch(/\{#each [^}]*\([^)}]*(?:\+|`)[^)}]*\)\}/);
    });
  }
});

test("the nine properties that <remote-session> inherits are defined", () => {
  const tokens = readFileSync(join(web, "static/tokens.css"), "utf8");
  const defined = new Set([...tokens.matchAll(/--mf-[a-z]+(?=:)/g)].map((m) => m[0]));
  expect([...defined].sort()).toEqual(
    ["accent", "bg", "border", "danger", "font", "muted", "radius", "surface", "text"].map(
      (n) => `--mf-${n}`,
    ),
  );
});

/** WCAG 2 contrast of the colours that carry text, in each theme. */
describe("contrast", () => {
  const tokens = readFileSync(join(web, "static/tokens.css"), "utf8");
  const blocks = [...tokens.matchAll(/(@media ([^{]+)\{\s*)?:root \{([^}]*)\}/g)].map((m) => ({
    media: m[2]?.trim() ?? "",
    colours: Object.fromEntries(
      [...(m[3] ?? "").matchAll(/(--[a-z0-9-]+):\s*(#[0-9a-f]{6})/g)].map((c) => [c[1] ?? "", c[2] ?? ""]),
    ),
  }));
  const of = (...media: string[]): Record<string, string> =>
    Object.assign({}, ...media.map((m) => blocks.find((b) => b.media === m)?.colours ?? {})) as Record<
      string,
      string
    >;
  const dark = "(prefers-color-scheme: dark)";
  const more = "(prefers-contrast: more)";
  const themes: [string, Record<string, string>][] = [
    ["light", of("")],
    ["dark", of("", dark)],
    ["light, more contrast", of("", more)],
    ["dark, more contrast", of("", dark, more, `${more} and ${dark}`)],
    ["print", of("", "print")],
  ];
  const pairs: [string, string][] = [
    ["--mf-text", "--mf-bg"],
    ["--mf-text", "--mf-surface"],
    ["--mf-text", "--hover"],
    ["--mf-text", "--accent-soft"],
    ["--mf-text", "--danger-soft"],
    ["--mf-text", "--warm-soft"],
    ["--mf-muted", "--mf-bg"],
    ["--mf-muted", "--mf-surface"],
    ["--mf-muted", "--hover"],
    ["--mf-muted", "--accent-soft"],
    ["--mf-accent", "--mf-bg"],
    ["--mf-accent", "--mf-surface"],
    ["--mf-accent", "--accent-soft"],
    ["--mf-danger", "--mf-bg"],
    ["--mf-danger", "--mf-surface"],
    ["--mf-danger", "--danger-soft"],
    ["--warm", "--warm-soft"],
    ["--warm", "--mf-surface"],
    ["--ok", "--ok-soft"],
    ["--ok", "--mf-surface"],
    ["--mf-surface", "--accent-hover"],
  ];

  test.each(themes)("is at least 4.5 for text: %s", (_, colours) => {
    for (const [fore, back] of pairs) {
      expect(contrast(colours[fore], colours[back]), `${fore} on ${back}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  test.each(themes)("is at least 3 for the edge of a control: %s", (_, colours) => {
    expect(contrast(colours["--control-border"], colours["--mf-surface"])).toBeGreaterThanOrEqual(3);
    expect(contrast(colours["--control-border"], colours["--mf-bg"])).toBeGreaterThanOrEqual(3);
  });
});

function contrast(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) throw new Error("a colour is not defined");
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p) as [number, number];
  return (x + 0.05) / (y + 0.05);
}

function luminance(hex: string): number {
  const part = (i: number): number => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
}

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import en from "./locales/en.json" with { type: "json" };
import fr from "./locales/fr.json" with { type: "json" };

const here = import.meta.dirname;

/** Puts the one text that a page needs without JavaScript into it, in both languages. */
function noscript(): Plugin {
  const paragraph = (lang: string, text: string): string =>
    `<p lang="${lang}">${text} <a href="/">mainforte</a></p>`;
  return {
    name: "mainforte-noscript",
    transformIndexHtml: (html) =>
      html.replace("%noscript%", paragraph("en", en.noscript) + paragraph("fr", fr.noscript)),
  };
}

/**
 * Leaves out of the scripts what only the Go templates say: a group of texts, "landing." say, that no script names.
 * Keys that are put together from a name begin with their group too.
 */
function spoken(): Plugin {
  const named = new Set<string>();
  for (const file of readdirSync(resolve(here, "src"), { recursive: true, encoding: "utf8" }).filter((f) =>
    /\.(svelte|ts)$/.test(f),
  ))
    for (const m of readFileSync(resolve(here, "src", file), "utf8").matchAll(/["'`]([a-z_]+)\./g))
      named.add(m[1] ?? "");
  return {
    name: "mainforte-spoken",
    apply: "build",
    enforce: "pre",
    load(id) {
      if (!/\/locales\/(en|fr)\.json$/.test(id)) return null;
      const texts = JSON.parse(readFileSync(id, "utf8")) as Record<string, string>;
      const said = Object.entries(texts).filter(
        ([key]) => !key.includes(".") || named.has(key.split(".")[0] ?? ""),
      );
      return JSON.stringify(Object.fromEntries(said));
    },
  };
}

/** Names change with the content, so a build would leave its predecessors behind; the placeholder of dist stays. */
function sweep(): Plugin {
  return {
    name: "mainforte-sweep",
    apply: "build",
    buildStart: () => rm(resolve(here, "dist/assets"), { recursive: true, force: true }),
  };
}

// The pages for people who sign in. The landing page needs no JavaScript and is a Go template.
export default defineConfig({
  plugins: [svelte(), noscript(), spoken(), sweep()],
  build: {
    outDir: "dist",
    emptyOutDir: false,
    target: "es2022",
    assetsInlineLimit: 0, // CSP: no data: URLs
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        console: resolve(here, "console.html"),
        audit: resolve(here, "audit.html"),
        signin: resolve(here, "signin.html"),
        receipt: resolve(here, "receipt.html"),
        admin: resolve(here, "admin.html"),
        account: resolve(here, "account.html"),
        supervise: resolve(here, "supervise.html"),
        words: resolve(here, "words.html"),
      },
      external: ["/viewer/viewer.js"],
    },
  },
});

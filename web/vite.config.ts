import { svelte } from "@sveltejs/vite-plugin-svelte";
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
  plugins: [svelte(), noscript(), sweep()],
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

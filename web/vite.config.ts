import { svelte } from "@sveltejs/vite-plugin-svelte";
import { resolve } from "node:path";
import { defineConfig } from "vite";

// The pages for people who sign in. The landing page needs no JavaScript and is a Go template.
export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "dist",
    emptyOutDir: false,
    target: "es2022",
    assetsInlineLimit: 0, // CSP: no data: URLs
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        console: resolve(import.meta.dirname, "console.html"),
        audit: resolve(import.meta.dirname, "audit.html"),
        signin: resolve(import.meta.dirname, "signin.html"),
      },
      external: ["/viewer/viewer.js"],
    },
  },
});

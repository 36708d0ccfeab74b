import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const here = import.meta.dirname;

// Every component in every state, for people who change them and for internal/e2e/gallery, which compares pictures.
// It is built beside the product and lies outside of what web.go embeds: no server has it, and no page counts it.
// To look at it while changing something: npx vite --config vite.gallery.ts
export default defineConfig({
  root: "gallery",
  plugins: [svelte()],
  server: { fs: { allow: [here] } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // CSP: no data: URLs
    modulePreload: { polyfill: false },
  },
});

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { zstdWasm } from "./zstd-wasm";

export default defineConfig({
  plugins: [svelte(), zstdWasm()],
  cacheDir: resolve(import.meta.dirname, "node_modules/.vite"),
  test: {
    root: "..",
    include: ["viewer/test/**/*.test.ts", "web/test/**/*.test.ts"],
    environment: "node",
  },
});

import { defineConfig } from "vite";
import { zstdWasm } from "./zstd-wasm";

// The Worker, as one classic script: its URL is the only one that the Trusted Types policy mf-worker returns.
export default defineConfig({
  plugins: [zstdWasm()],
  build: {
    outDir: "../viewer/dist",
    emptyOutDir: false,
    lib: {
      entry: "../viewer/src/worker.ts",
      formats: ["iife"],
      name: "mainforteWorker",
      fileName: () => "worker.js",
    },
    target: "es2022",
    minify: true,
  },
});

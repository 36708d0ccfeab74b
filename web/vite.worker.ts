import { defineConfig } from "vite";

// The Worker, as one classic script: its URL is the only one that the Trusted Types policy mf-worker returns.
export default defineConfig({
  build: {
    outDir: "../viewer/dist",
    emptyOutDir: false,
    lib: { entry: "../viewer/src/worker.ts", formats: ["iife"], name: "mainforteWorker", fileName: () => "worker.js" },
    target: "es2022",
    minify: true,
  },
});

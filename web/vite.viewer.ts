import { defineConfig } from "vite";

// The custom element, as one ES module that any page can load.
export default defineConfig({
  build: {
    outDir: "../viewer/dist",
    emptyOutDir: false,
    lib: { entry: "../viewer/src/index.ts", formats: ["es"], fileName: () => "viewer.js" },
    target: "es2022",
    minify: true,
  },
});

import { defineConfig } from "vite";

// The custom element, as an ES module that any page can load; it fetches the room of a
// session itself, whose name changes with its content.
export default defineConfig({
  build: {
    outDir: "../viewer/dist",
    emptyOutDir: false,
    lib: { entry: "../viewer/src/index.ts", formats: ["es"], fileName: () => "viewer.js" },
    rollupOptions: {
      output: { chunkFileNames: ({ name }) => (name === "room" ? "room-[hash].js" : "common-[hash].js") },
    },
    modulePreload: false,
    target: "es2022",
    minify: true,
  },
});

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  test: {
    root: "..",
    include: ["viewer/test/**/*.test.ts", "web/test/**/*.test.ts"],
    environment: "node",
  },
});

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Plugin } from "vite";

const id = "virtual:zstd-wasm";

/**
 * Gives the decoder of zstddec, which keeps its WebAssembly to itself: the package
 * decodes whole frames only, and we need one stream over many updates.
 */
export function zstdWasm(): Plugin {
  return {
    name: "mainforte-zstd-wasm",
    resolveId: (name) => (name === id ? `\0${id}` : undefined),
    load: async (name) => {
      if (name !== `\0${id}`) return undefined;
      const source = await readFile(
        resolve(import.meta.dirname, "node_modules/zstddec/dist/zstddec-stream.mjs"),
        "utf8",
      );
      const [wasm] = /AGFzb[0-9A-Za-z+/=]{10000,}/.exec(source) ?? []; // \0asm
      if (wasm === undefined) throw new Error("zstddec holds no WebAssembly where it did");
      return `export default ${JSON.stringify(wasm)};`;
    },
  };
}

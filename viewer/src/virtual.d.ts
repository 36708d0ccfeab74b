// What the build makes up: web/zstd-wasm.ts.
declare module "virtual:zstd-wasm" {
  /** libzstd's decoder as WebAssembly, base64. */
  const wasm: string;
  export default wasm;
}

// libzstd's own decoder, as WebAssembly: four times as fast as fzstd, and as fast on
// the first picture as on the thousandth. Each stream has an instance and a memory of
// its own, which go with it: nothing of a picture stays behind.

import wasm from "virtual:zstd-wasm";
import { BadStream, maxBlock, type Unpacker } from "./zstd";

interface Exports {
  memory: WebAssembly.Memory;
  malloc(size: number): number;
  ZSTD_createDCtx(): number;
  ZSTD_decompressStream(context: number, out: number, from: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** Compiles the decoder, once. Throws where a browser or a policy does not let it. */
export async function compileZstd(): Promise<void> {
  compiled ??= await WebAssembly.compile(Uint8Array.from(atob(wasm), (c) => c.charCodeAt(0)));
}

/** A decoder for one stream; undefined while none is compiled, or where its memory is not to be had. */
export function unzstd(take: (chunk: Uint8Array) => void): Unpacker | undefined {
  try {
    return compiled && new Unzstd(compiled, take);
  } catch (error) {
    console.warn("no memory for WebAssembly: this picture is unpacked without it", error);
    return undefined;
  }
}

const maxInput = maxBlock + 3; // with the block's header
const size = 4; // of a pointer, and of a size_t
// ZSTD_ErrorCode, zstd_errors.h: a result is an error if it is above −120 as unsigned.
const maxError = 120;

class Unzstd implements Unpacker {
  #lib: Exports;
  #take: (chunk: Uint8Array) => void;
  #context: number;
  #from: number; // ZSTD_inBuffer: src, size, pos
  #to: number; // ZSTD_outBuffer: dst, size, pos
  #in: number;
  #out: number;
  #bytes = new Uint8Array(0); // of the memory; replaced when that grows
  #view = new DataView(new ArrayBuffer(0));

  constructor(module: WebAssembly.Module, take: (chunk: Uint8Array) => void) {
    const env = { emscripten_notify_memory_growth: () => undefined };
    this.#lib = new WebAssembly.Instance(module, { env }).exports as unknown as Exports;
    this.#take = take;
    this.#context = this.#lib.ZSTD_createDCtx();
    this.#from = this.#lib.malloc(3 * size);
    this.#to = this.#lib.malloc(3 * size);
    this.#in = this.#lib.malloc(maxInput);
    this.#out = this.#lib.malloc(maxBlock);
    if (!this.#context || !this.#from || !this.#to || !this.#in || !this.#out) throw new RangeError("malloc");
  }

  push(bytes: Uint8Array): void {
    this.#look();
    this.#bytes.set(bytes, this.#in);
    this.#words(this.#from, this.#in, bytes.length);
    // That it always gets on libzstd sees to itself.
    for (let read = 0, written = maxBlock; read < bytes.length || written === maxBlock;) {
      this.#words(this.#to, this.#out, maxBlock);
      const result = this.#lib.ZSTD_decompressStream(this.#context, this.#to, this.#from);
      if (result < 0 && result > -maxError) throw new BadStream("the stream does not decode");
      this.#look();
      read = this.#view.getUint32(this.#from + 2 * size, true);
      written = this.#view.getUint32(this.#to + 2 * size, true);
      if (written > 0) this.#take(this.#bytes.subarray(this.#out, this.#out + written));
    }
  }

  // The memory as it is now: growing takes away what looked at it before.
  #look(): void {
    const { buffer } = this.#lib.memory;
    if (this.#bytes.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  // A buffer as libzstd takes it, from its beginning.
  #words(at: number, data: number, length: number): void {
    this.#view.setUint32(at, data, true);
    this.#view.setUint32(at + size, length, true);
    this.#view.setUint32(at + 2 * size, 0, true);
  }
}

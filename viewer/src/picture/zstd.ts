// One zstd stream (RFC 8878) over many updates, unpacked by libzstd (unzstd.ts) or,
// where there is no WebAssembly, by fzstd.
//
// Both believe what the stream says about itself: a window of up to 2 GB, a
// run of 2 MB from four bytes, a new frame at any time. So the frame header and
// every block header are checked here before they see them, and a block is
// handed over only when it is complete.

import { Decompress } from "fzstd";

/** Thrown for a stream that breaks the format or our bounds. */
export class BadStream extends Error {
  override name = "BadStream";
}

const magic = 0xfd2fb528;
const blockHeader = 3;
export const maxBlock = 128 * 1024; // Block_Maximum_Size never exceeds 128 KiB
const frameHeader = 6; // magic 4, descriptor 1, window 1; sizes and dictionaries are refused

/** Takes the frame header, then complete blocks, and gives what is in them. */
export interface Unpacker {
  push(bytes: Uint8Array): void;
}

/** Makes an Unpacker that gives to take; undefined where it cannot. */
export type MakeUnpacker = (take: (chunk: Uint8Array) => void) => Unpacker | undefined;

// fzstd does not begin before it holds 18 bytes, and a first update can be shorter:
// four empty raw blocks after the header make it begin. And it keeps one empty array
// for every push that ends on a block (0.1.1), unless the first byte of the next
// block was pushed apart.
const emptyBlocks = new Uint8Array(12);

function fzstd(take: (chunk: Uint8Array) => void): Unpacker {
  const decompress = new Decompress(take);
  let begun = false;
  return {
    push: (bytes) => {
      if (begun) {
        decompress.push(bytes.subarray(0, 1));
        decompress.push(bytes.subarray(1));
        return;
      }
      decompress.push(concat(bytes, emptyBlocks));
      begun = true;
    },
  };
}

export class ZstdStream {
  #unpacker: Unpacker;
  #windowSize: number;
  #out = new Uint8Array(64 * 1024);
  #length = 0;
  #limit = 0;
  #begun = false;
  #rest = new Uint8Array(0);

  /**
   * @param windowLog log2 of the largest window the stream may ask for, bytes
   * @param unpacker makes what unpacks, if it can
   */
  constructor(windowLog: number, unpacker?: MakeUnpacker) {
    this.#windowSize = 2 ** windowLog;
    const take = (chunk: Uint8Array) => this.#take(chunk);
    this.#unpacker = unpacker?.(take) ?? fzstd(take);
  }

  /** Decodes what is complete. Throws BadStream when more than `limit` bytes wait in the output. */
  push(bytes: Uint8Array, limit: number): void {
    this.#limit = limit;
    let data = concat(this.#rest, bytes);
    try {
      if (!this.#begun) {
        if (data.length < frameHeader) {
          this.#rest = data.slice();
          return;
        }
        this.#checkFrame(data);
        this.#unpacker.push(data.subarray(0, frameHeader));
        data = data.subarray(frameHeader);
        this.#begun = true;
      }
      for (let size = this.#blockSize(data); size > 0; size = this.#blockSize(data)) {
        this.#unpacker.push(data.subarray(0, size));
        data = data.subarray(size);
      }
    } catch (error) {
      if (error instanceof BadStream) throw error;
      throw new BadStream("the stream does not decode", { cause: error });
    }
    this.#rest = data.slice();
  }

  /** What was decoded since the last call; valid until the next push. Throws BadStream inside a block. */
  take(): Uint8Array {
    if (this.#rest.length > 0) throw new BadStream("an update ends inside a block");
    const out = this.#out.subarray(0, this.#length);
    this.#length = 0;
    return out;
  }

  #take(chunk: Uint8Array): void {
    const end = this.#length + chunk.length;
    if (end > this.#limit) throw new BadStream("an update is too long");
    if (end > this.#out.length) {
      const grown = new Uint8Array(Math.min(Math.max(end, 2 * this.#out.length), this.#limit));
      grown.set(this.#out.subarray(0, this.#length));
      this.#out = grown;
    }
    this.#out.set(chunk, this.#length);
    this.#length = end;
  }

  #checkFrame(data: Uint8Array): void {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (view.getUint32(0, true) !== magic) throw new BadStream("not a zstd frame");
    const descriptor = view.getUint8(4);
    const singleSegment = (descriptor & 0x20) !== 0;
    // A stream without an end has no size; checksum, dictionary and reserved bits are not used.
    if (singleSegment || (descriptor & 0xcf) !== 0) throw new BadStream("unexpected zstd frame");
    const window = view.getUint8(5);
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > this.#windowSize) throw new BadStream("zstd window too large");
  }

  // Length of the complete block at the beginning of data, or 0.
  #blockSize(data: Uint8Array): number {
    if (data.length < blockHeader) return 0;
    const header = (data[0] ?? 0) | ((data[1] ?? 0) << 8) | ((data[2] ?? 0) << 16);
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if ((header & 1) !== 0) throw new BadStream("the zstd stream ends");
    if (type === 3 || size > Math.min(maxBlock, this.#windowSize)) throw new BadStream("bad zstd block");
    const length = blockHeader + (type === 1 ? 1 : size);
    return data.length >= length ? length : 0;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

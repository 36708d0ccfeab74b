// Canvases, channels and pictures for the tests of the painter.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { Pace } from "../src/picture/pace";
import { Painter, type Report, type TileChannel } from "../src/picture/painter";
import { Strips, type Strip } from "../src/picture/strips";
import { unzstd } from "../src/picture/unzstd";
import type { MakeUnpacker } from "../src/picture/zstd";

const golden = new URL("../../host/picture/testdata/golden/", import.meta.url);

export interface Scene {
  name: string;
  file: string;
  steps: { update: number; generation: number; width: number; height: number; sha256: string }[];
}

export const scenes = JSON.parse(readFileSync(new URL("index.json", golden), "utf8")) as Scene[];

class FakeImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}
Object.assign(globalThis, { ImageData: globalThis.ImageData ?? FakeImageData });

/** A canvas that holds what was painted, and nothing of what was not. */
class FakeCanvas implements Strip {
  #width = 0;
  #height = 0;
  painted = 0;
  pixels = new Uint8ClampedArray(0);

  get width() {
    return this.#width;
  }
  set width(width: number) {
    this.#width = width;
    this.#clear();
  }
  get height() {
    return this.#height;
  }
  set height(height: number) {
    this.#height = height;
    this.#clear();
  }
  #clear() {
    this.pixels = new Uint8ClampedArray(this.#width * this.#height * 4);
    this.fillRect();
  }
  fillRect() {
    for (let i = 0; i < this.pixels.length; i++) this.pixels[i] = i % 4 === 3 ? 255 : 0;
  }
  getContext() {
    return {
      fillRect: () => this.fillRect(),
      putImageData: (image: ImageData, dx: number, dy: number, x = 0, y = 0, w = 0, h = 0) => {
        expect(dx).toBe(0);
        expect([y + dy >= 0, y + h + dy <= this.#height, image.width]).toEqual([true, true, this.#width]);
        this.painted += w * h;
        for (let row = y; row < y + h; row++) {
          const at = (row * image.width + x) * 4;
          this.pixels.set(image.data.subarray(at, at + w * 4), at + dy * this.#width * 4);
        }
      },
    };
  }
}

/** All strips of a picture, as they stand one below the other. */
export class FakeSurface {
  readonly strips: FakeCanvas[];
  constructor(count = 6) {
    this.strips = Array.from({ length: count }, () => new FakeCanvas());
  }
  get width() {
    return this.strips[0]?.width;
  }
  get height() {
    return this.strips.reduce((sum, { height }) => sum + height, 0);
  }
  get painted() {
    return this.strips.reduce((sum, { painted }) => sum + painted, 0);
  }
  set painted(pixels: number) {
    for (const strip of this.strips) strip.painted = pixels;
  }
  get pixels() {
    return Buffer.concat(this.strips.map(({ pixels }) => new Uint8Array(pixels.buffer)));
  }
  hash(): string {
    return createHash("sha256").update(this.pixels).digest("hex");
  }
}

export class FakeChannel implements TileChannel {
  readyState = "open";
  binaryType = "blob";
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  sent: number[][] = [];
  closed = false;
  send(data: Uint8Array) {
    this.sent.push([...data]);
  }
  close() {
    this.closed = true;
  }
  receive(data: unknown) {
    this.onmessage?.({ data } as MessageEvent);
  }
}

/** A painter that asked for pictures, or did not yet. */
export function open(
  begun = true,
  pace = new Pace(),
  now?: () => number,
  unpacker: MakeUnpacker | undefined = unzstd,
) {
  const channel = new FakeChannel();
  const canvas = new FakeSurface();
  const fast = new FakeChannel();
  const reports: Report[] = [];
  const painter = new Painter(
    channel,
    fast,
    new Strips(canvas.strips),
    (report) => reports.push(report),
    pace,
    unpacker,
    now,
  );
  if (begun) painter.begin();
  channel.sent = [];
  return { channel, fast, canvas, reports, painter };
}

export function* messages(file: string): Generator<ArrayBuffer> {
  const bytes = readFileSync(new URL(file, golden));
  for (let at = 0; at < bytes.length;) {
    const size = bytes.readUInt32LE(at);
    yield new Uint8Array(bytes.subarray(at + 4, at + 4 + size)).buffer;
    at += 4 + size;
  }
}

export const restart = [3, 0, 0, 0];
export const isLast = (message: ArrayBuffer) =>
  new Uint8Array(message)[0] === 2 && (new Uint8Array(message)[1] ?? 0) & 1;

/** What unpacks, with and without WebAssembly. */
export const unpackers: { by: string; unpacker: MakeUnpacker }[] = [
  { by: "libzstd", unpacker: unzstd },
  { by: "fzstd", unpacker: () => undefined },
];

/** The message that begins a picture. */
export function start(width: number, height: number): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint8(0, 1);
  view.setUint32(4, 1, true);
  view.setUint16(8, width, true);
  view.setUint16(10, height, true);
  view.setUint8(12, 1);
  view.setUint8(13, 20);
  return view.buffer;
}

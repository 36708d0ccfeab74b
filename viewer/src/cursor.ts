// The remote pointer's shape, drawn by the browser as its own cursor, so that it
// moves without delay (PROTOCOL.md §1.8, channel `cursor`).

import { CursorUpdateSchema, type CursorPlace, type CursorShape } from "./gen/session_pb";
import { Reason } from "./gen/signaling_pb";
import { decode, known, WireError } from "./wire/codec";
import { maxCursor, maxCursorSide } from "./wire/limits";

/** Shapes kept for reuse; beyond that the one unused longest is forgotten. */
const maxShapes = 256;

/** Makes an image of straight RGBA pixels and resolves to a URL for it. */
export type MakeUrl = (
  width: number,
  height: number,
  rgba: Uint8ClampedArray<ArrayBuffer>,
) => Promise<string>;

interface Shape {
  hotX: number;
  hotY: number;
  url: string | undefined; // undefined while it is being made
}

export class Cursor {
  #apply: (css: string) => void;
  #makeUrl: MakeUrl;
  #freeUrl: (url: string) => void;
  #ratio: () => number;
  #shapes = new Map<number, Shape>(); // the one used last is last
  #current: Shape | "hidden" | undefined;
  #closed = false;
  /** Somebody else moved the pointer; the place is anywhere. */
  placed: (place: CursorPlace) => void = () => undefined;

  constructor(
    apply: (css: string) => void,
    ratio: () => number,
    makeUrl: MakeUrl = pngUrl,
    freeUrl: (url: string) => void = (url) => URL.revokeObjectURL(url),
  ) {
    this.#apply = apply;
    this.#ratio = ratio;
    this.#makeUrl = makeUrl;
    this.#freeUrl = freeUrl;
  }

  /** Takes one message of the channel. Throws a WireError for one that may not stand. */
  received(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) throw new WireError(Reason.PROTOCOL, "a text message");
    const update = decode(CursorUpdateSchema, data, maxCursor);
    if (!known(update)) return;
    switch (update.body.case) {
      case "shape":
        this.#define(update.body.value);
        break;
      case "use":
        this.#use(this.#shapes.get(update.body.value.id), update.body.value.id);
        break;
      case "hidden":
        this.#use("hidden");
        break;
      case "place":
        this.placed(update.body.value);
    }
  }

  /** Sets the cursor again: the screen's pixel ratio changed. */
  refresh(): void {
    this.#apply(this.#css());
  }

  close(): void {
    this.#closed = true;
    for (const shape of this.#shapes.values()) this.#free(shape);
    this.#shapes.clear();
  }

  #define({ id, width, height, hotX, hotY, rgba }: CursorShape): void {
    const fits = width >= 1 && width <= maxCursorSide && height >= 1 && height <= maxCursorSide;
    if (!fits || hotX >= width || hotY >= height || rgba.length !== 4 * width * height) {
      throw new WireError(Reason.PROTOCOL, "a cursor shape that does not fit");
    }
    const shape: Shape = { hotX, hotY, url: undefined };
    const before = this.#shapes.get(id);
    if (before) this.#free(before);
    this.#use(shape, id);
    this.#makeUrl(width, height, Uint8ClampedArray.from(rgba)).then(
      (url) => {
        if (this.#closed || this.#shapes.get(id) !== shape) {
          this.#freeUrl(url);
          return;
        }
        shape.url = url;
        if (this.#current === shape) this.refresh();
      },
      () => undefined, // the default cursor stays
    );
  }

  #use(shape: Shape | "hidden" | undefined, id?: number): void {
    if (shape !== undefined && shape !== "hidden" && id !== undefined) {
      this.#shapes.delete(id);
      this.#shapes.set(id, shape);
      for (const [old, unused] of this.#shapes) {
        if (this.#shapes.size <= maxShapes) break;
        this.#shapes.delete(old);
        this.#free(unused);
      }
    }
    this.#current = shape;
    // A shape that is still being made shows a moment later; until then the last one stays.
    if (shape === undefined || shape === "hidden" || shape.url !== undefined) this.refresh();
  }

  #css(): string {
    const shape = this.#current;
    if (shape === "hidden") return "none";
    if (shape?.url === undefined) return "default";
    const ratio = this.#ratio();
    const hot = `${Math.floor(shape.hotX / ratio)} ${Math.floor(shape.hotY / ratio)}`;
    const image = ratio === 1 ? `url("${shape.url}")` : `image-set(url("${shape.url}") ${ratio}x)`;
    return `${image} ${hot}, default`;
  }

  #free(shape: Shape): void {
    if (shape.url !== undefined) this.#freeUrl(shape.url);
  }
}

// blob:, because img-src of the page allows no data: URLs.
async function pngUrl(width: number, height: number, rgba: Uint8ClampedArray<ArrayBuffer>): Promise<string> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no 2D context");
  context.putImageData(new ImageData(rgba, width, height), 0, 0);
  return URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" }));
}

// The surface of the picture: one canvas, or several one below the other. A
// browser without a GPU copies a whole canvas whenever one pixel of it changed,
// 8 MB at 1080p: that takes a millisecond of every key's way to the screen. In
// strips it copies the one that changed. But what changes in several of them may
// be shown a moment apart: with a GPU, where nothing is gained, there is one.

const softwareStrips = 6;

let strips: number | undefined;

/** Canvases that suit this browser. */
export function stripCount(): number {
  return (strips ??= drawsFast() ? 1 : softwareStrips);
}

// WebGL §5.2: no context where drawing would be done by the CPU.
function drawsFast(): boolean {
  const context = new OffscreenCanvas(1, 1).getContext("webgl", { failIfMajorPerformanceCaveat: true });
  context?.getExtension("WEBGL_lose_context")?.loseContext(); // browsers have few of them
  return context !== null;
}

/**
 * Where each of count strips of a picture so high begins, and its rows: whole tiles,
 * so that most updates touch one. A low picture leaves the last ones none.
 */
export function stripsOf(height: number, count: number): { top: number; rows: number }[] {
  const each = Math.ceil(height / count / 16) * 16;
  return Array.from({ length: count }, (_, i) => {
    const top = Math.min(i * each, height);
    return { top, rows: Math.min(each, height - top) };
  });
}

type Context = Pick<CanvasRenderingContext2D, "putImageData" | "fillRect">;

/** What is needed of a canvas: its size in pixels and its 2D context. */
export interface Strip {
  width: number;
  height: number;
  getContext(kind: "2d", options: CanvasRenderingContext2DSettings): Context | null;
}

interface Place {
  canvas: Strip;
  context: Context | null;
  top: number;
  changed: number; // pixels, of the parts in hand
}

export class Strips {
  #strips: Place[];
  #order: Place[];

  /** @param canvases from the top */
  constructor(canvases: Strip[]) {
    this.#strips = canvases.map((canvas) => ({ canvas, context: null, top: 0, changed: 0 }));
    this.#order = [...this.#strips];
  }

  /** Begins a black picture, pixels. */
  begin(width: number, height: number): void {
    const places = stripsOf(height, this.#strips.length);
    for (const [i, strip] of this.#strips.entries()) {
      const { top, rows } = places[i] ?? { top: height, rows: 0 };
      strip.top = top;
      if (strip.canvas.width !== width) strip.canvas.width = width;
      if (strip.canvas.height !== rows) strip.canvas.height = rows;
      if (rows > 0) strip.context ??= strip.canvas.getContext("2d", { alpha: false, colorSpace: "srgb" });
    }
    this.clear();
  }

  clear(): void {
    for (const { canvas, context } of this.#strips) context?.fillRect(0, 0, canvas.width, canvas.height);
  }

  /**
   * Paints parts of the whole picture, pixel for pixel. The strip that changes most is
   * painted first: browsers show canvases in the order in which they were painted, and
   * the last of several can miss the frame that shows the first.
   */
  paint(image: ImageData, parts: readonly Part[]): void {
    for (const strip of this.#strips) {
      strip.changed = 0;
      for (const part of parts) strip.changed += part.width * Math.max(rowsIn(strip, part), 0);
    }
    this.#order.sort((a, b) => b.changed - a.changed);
    for (const { canvas, context, top, changed } of this.#order) {
      if (changed === 0) return;
      for (const { x, y, width, height } of parts) {
        const from = Math.max(y, top);
        const to = Math.min(y + height, top + canvas.height);
        if (from < to) context?.putImageData(image, 0, -top, x, from, width, to - from);
      }
    }
  }
}

interface Part {
  x: number;
  y: number;
  width: number;
  height: number;
}

function rowsIn({ canvas, top }: Place, { y, height }: Part): number {
  return Math.min(y + height, top + canvas.height) - Math.max(y, top);
}

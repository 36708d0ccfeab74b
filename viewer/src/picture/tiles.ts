// The exact picture: applies updates of format 1 (PROTOCOL.md §1.10) after zstd.
//
// Pixels are Uint32 in the byte order R, G, B, A, so that they draw as ImageData
// on a little-endian machine, which is every machine that runs a browser today.
// Whatever an update says is bounded here; one that does not fit throws
// BadUpdate, and the picture must then be restarted.

/** Thrown for an update that does not fit its picture. */
export class BadUpdate extends Error {
  override name = "BadUpdate";
}

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

const tile = 16;
const maxCopies = 16;
const opaque = 0xff000000;
/** Colour differences of median runs lie around this, so that small negative ones do not wrap. */
const bias = 128;

const Mode = { plain: 0, swap: 1, median: 2 } as const;

interface Run {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  mode: number;
}

export class Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint32Array<ArrayBuffer>;
  #under: Uint32Array<ArrayBuffer>;
  #across: number; // tiles in a row
  #tiles: number;
  #update: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(width * height).fill(opaque);
    this.#under = new Uint32Array(width * height).fill(opaque);
    this.#across = Math.ceil(width / tile);
    this.#tiles = this.#across * Math.ceil(height / tile);
  }

  /** Length in bytes that no good update exceeds. */
  get maxUpdate(): number {
    return 1024 + 8 * this.#tiles + 3 * this.pixels.length;
  }

  /** Applies one update and returns what it damaged. */
  apply(update: Uint8Array): Rect[] {
    this.#update = update;
    this.#at = 0;
    const damage = new Damage();
    this.#copies(damage);
    const runs: Run[] = [];
    const plane = this.#runs(runs, damage); // pixels in each of the three planes
    if (update.length - this.#at !== 3 * plane) throw new BadUpdate("planes do not fit the runs");
    let from = this.#at;
    for (const run of runs) {
      if (run.mode === Mode.swap) this.#swap(run);
      else if (run.mode === Mode.plain) from = this.#plain(run, from, plane);
      else from = this.#median(run, from, plane);
    }
    return damage.rects;
  }

  #copies(damage: Damage): void {
    const count = this.#uvarint();
    if (count > maxCopies) throw new BadUpdate("too many copies");
    for (let i = 0; i < count; i++) {
      const flags = this.#uvarint();
      const to = { x: this.#uvarint(), y: this.#uvarint(), width: this.#uvarint(), height: this.#uvarint() };
      const from = { ...to, x: to.x + this.#varint(), y: to.y + this.#varint() };
      if (flags > 1 || !this.#holds(to) || !this.#holds(from)) throw new BadUpdate("copy out of the picture");
      const restore = (flags & 1) !== 0;
      if (restore) this.#outside(this.#under, this.pixels, to, from);
      this.#move(to, from);
      if (restore) this.#outside(this.pixels, this.#under, from, to);
      damage.add(to);
      if (restore) damage.add(from);
    }
  }

  #runs(runs: Run[], damage: Damage): number {
    let plane = 0;
    for (let at = 0; ;) {
      const skip = this.#uvarint();
      const word = this.#uvarint();
      const mode = word & 3;
      const count = word >>> 2;
      at += skip;
      if (count === 0) {
        if (skip !== 0 || mode !== 0) throw new BadUpdate("bad end of runs");
        return plane;
      }
      if (mode > Mode.median || at + count > this.#tiles || (at % this.#across) + count > this.#across) {
        throw new BadUpdate("run out of the picture");
      }
      const x0 = (at % this.#across) * tile;
      const y0 = Math.floor(at / this.#across) * tile;
      const x1 = Math.min(x0 + count * tile, this.width);
      const y1 = Math.min(y0 + tile, this.height);
      runs.push({ x0, y0, x1, y1, mode });
      damage.add({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
      if (mode !== Mode.swap) plane += (x1 - x0) * (y1 - y0);
      at += count;
    }
  }

  #holds(r: Rect): boolean {
    return r.x >= 0 && r.y >= 0 && r.x + r.width <= this.width && r.y + r.height <= this.height;
  }

  #move(to: Rect, from: Rect): void {
    const down = from.y < to.y; // from the last row, so that no row is read after it was overwritten
    for (let i = 0; i < to.height; i++) {
      const row = down ? to.height - 1 - i : i;
      const start = (from.y + row) * this.width + from.x;
      this.pixels.copyWithin((to.y + row) * this.width + to.x, start, start + to.width);
    }
  }

  // Copies the part of rectangle a that lies outside rectangle b, both of one size.
  #outside(into: Uint32Array, source: Uint32Array, a: Rect, b: Rect): void {
    const stretch = (y: number, from: number, to: number) => {
      const start = y * this.width + from;
      const end = y * this.width + to;
      if (start < end) into.set(source.subarray(start, end), start);
    };
    const right = a.x + a.width;
    for (let y = a.y; y < a.y + a.height; y++) {
      if (y < b.y || y >= b.y + b.height) {
        stretch(y, a.x, right);
      } else {
        stretch(y, a.x, Math.min(right, b.x));
        stretch(y, Math.max(a.x, b.x + b.width), right);
      }
    }
  }

  #swap(run: Run): void {
    const { pixels } = this;
    const under = this.#under;
    for (let y = run.y0; y < run.y1; y++) {
      const end = y * this.width + run.x1;
      for (let i = y * this.width + run.x0; i < end; i++) {
        const pixel = pixels[i] as number;
        pixels[i] = under[i] as number;
        under[i] = pixel;
      }
    }
  }

  #plain(run: Run, from: number, plane: number): number {
    const { pixels } = this;
    const under = this.#under;
    const bytes = this.#update;
    let k = from;
    for (let y = run.y0; y < run.y1; y++) {
      const end = y * this.width + run.x1;
      for (let i = y * this.width + run.x0; i < end; i++, k++) {
        const g = bytes[k] as number;
        const b = ((bytes[k + plane] as number) + g) & 255;
        const r = ((bytes[k + 2 * plane] as number) + g) & 255;
        under[i] = pixels[i] as number;
        pixels[i] = (r | (g << 8) | (b << 16) | opaque) >>> 0;
      }
    }
    return k;
  }

  // Each plane is a difference to the median of left, above, and left + above − upper left;
  // outside the picture counts as zero. The first row of the picture takes the left alone.
  #median(run: Run, from: number, plane: number): number {
    const { pixels, width } = this;
    const under = this.#under;
    const bytes = this.#update;
    let k = from;
    for (let y = run.y0; y < run.y1; y++) {
      const first = y === 0;
      const add = first ? 0 : bias;
      const inside = run.x0 > 0;
      let i = y * width + run.x0;
      const end = y * width + run.x1;
      const left = inside ? (pixels[i - 1] as number) : 0;
      let lg = (left >> 8) & 255;
      let lb = inside ? ((left >> 16) - lg + add) & 255 : 0;
      let lr = inside ? (left - lg + add) & 255 : 0;
      const corner = inside && !first ? (pixels[i - width - 1] as number) : 0;
      let cg = (corner >> 8) & 255;
      let cb = inside ? ((corner >> 16) - cg + add) & 255 : 0;
      let cr = inside ? (corner - cg + add) & 255 : 0;
      for (; i < end; i++, k++) {
        const dg = bytes[k] as number;
        const db = bytes[k + plane] as number;
        const dr = bytes[k + 2 * plane] as number;
        if (first) {
          lg = (lg + dg) & 255;
          lb = (lb + db) & 255;
          lr = (lr + dr) & 255;
        } else {
          const above = pixels[i - width] as number;
          const ag = (above >> 8) & 255;
          const ab = ((above >> 16) - ag + bias) & 255;
          const ar = (above - ag + bias) & 255;
          lg = (median(lg, ag, cg) + dg) & 255;
          lb = (median(lb, ab, cb) + db) & 255;
          lr = (median(lr, ar, cr) + dr) & 255;
          cg = ag;
          cb = ab;
          cr = ar;
        }
        under[i] = pixels[i] as number;
        const base = lg - add;
        pixels[i] = (((lr + base) & 255) | (lg << 8) | (((lb + base) & 255) << 16) | opaque) >>> 0;
      }
    }
    return k;
  }

  // At most four bytes: no field of a picture needs more than 28 bits.
  #uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#update[this.#at++];
      if (byte === undefined) throw new BadUpdate("update too short");
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new BadUpdate("number too long");
  }

  #varint(): number {
    const v = this.#uvarint();
    return v & 1 ? -(v >>> 1) - 1 : v >>> 1;
  }
}

/** The median of left, above and left + above − corner. */
function median(left: number, above: number, corner: number): number {
  const low = left < above ? left : above;
  const high = left < above ? above : left;
  const slope = left + above - corner;
  return slope < low ? low : slope > high ? high : slope;
}

/** Collects rectangles; those that continue one downwards with the same sides become one. */
class Damage {
  readonly rects: Rect[] = [];
  #columns = new Map<number, Rect>();

  add(r: Rect): void {
    if (r.width === 0 || r.height === 0) return;
    const column = r.x * 65536 + r.width;
    const above = this.#columns.get(column);
    if (above !== undefined && above.y + above.height === r.y) {
      above.height += r.height;
      return;
    }
    const rect = { ...r };
    this.#columns.set(column, rect);
    this.rects.push(rect);
  }
}

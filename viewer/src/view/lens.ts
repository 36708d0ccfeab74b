// How the picture is looked at: which part of it, how large, and where it lies
// in the window. Nothing here touches the page.

/** Pixel for pixel, the whole in the window, or so many per cent. */
export type Mode = "actual" | "fit" | "zoom";

export interface Look {
  readonly mode: Mode;
  /** Of mode zoom: device pixels a hundred picture pixels take in a line. */
  readonly percent: number;
}

/** A rectangle of the picture, in its pixels. */
export interface Part {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Pixel for pixel: what is sharp, and what costs a browser least. */
export const firstLook: Look = { mode: "actual", percent: 100 };

const steps = [50, 67, 75, 90, 100, 110, 125, 150, 175, 200, 250, 300, 400] as const;
export const leastPercent = steps[0];
export const mostPercent = 400;

/**
 * Device pixels a picture pixel takes.
 * @param room the window, device pixels
 */
export function scaleOf(look: Look, part: Part, room: { width: number; height: number }): number {
  if (look.mode === "actual") return 1;
  if (look.mode === "zoom") return look.percent / 100;
  const fit = Math.min(room.width / part.width, room.height / part.height);
  return Number.isFinite(fit) ? Math.min(Math.max(fit, 0.01), mostPercent / 100) : 1;
}

/** The next step from a scale: up (1) or down (-1). What comes to one to one is that. */
export function step(scale: number, way: 1 | -1): Look {
  const now = scale * 100;
  const next =
    way > 0
      ? (steps.find((percent) => percent > now + 0.5) ?? mostPercent)
      : (steps.findLast((percent) => percent < now - 0.5) ?? leastPercent);
  return next === 100 ? firstLook : { mode: "zoom", percent: next };
}

/** A look from what was kept of it; anything else is the first. */
export function parseLook(kept: string | null): Look {
  if (kept === "fit") return { mode: "fit", percent: 100 };
  const percent = /^\d{2,3}$/.test(kept ?? "") ? Number(kept) : 0;
  return percent >= leastPercent && percent <= mostPercent && percent !== 100
    ? { mode: "zoom", percent }
    : firstLook;
}

/** What is kept of a look. */
export function keepLook({ mode, percent }: Look): string {
  return mode === "zoom" ? String(percent) : mode;
}

/** Enlarged by a whole factor every pixel is a square; between pixels a browser has to make something up. */
export function rendering(scale: number): "pixelated" | "auto" {
  return scale >= 1 && Math.abs(scale - Math.round(scale)) < 1e-6 ? "pixelated" : "auto";
}

/**
 * CSS pixels for device pixels. Chromium lays out in 1/64 pixels and cuts what
 * is finer: rounded up, it still paints whole device pixels.
 */
export function css(device: number, ratio: number): number {
  return Math.max(0, Math.ceil((device / ratio) * 64 - 0.02)) / 64;
}

/** One axis of a picture in its box, CSS pixels. */
export interface Axis {
  /** Of the part that is seen, and of the whole picture. */
  readonly size: number;
  readonly whole: number;
  /** Where the whole begins, from the part's beginning: 0 or less. */
  readonly shift: number;
  /** Free space before the part. */
  readonly gap: number;
}

/**
 * Lays out one axis: whole device pixels, in the middle when there is room. The box itself may
 * begin between two device pixels: a picture that did would be blurred.
 * @param edge where the box begins on the page, CSS pixels
 * @param room of the box, CSS pixels
 */
export function layAxis(
  from: number,
  size: number,
  whole: number,
  scale: number,
  ratio: number,
  edge: number,
  room: number,
): Axis {
  const device = Math.max(1, Math.round(size * scale));
  const between = Math.ceil(edge * ratio - 0.02) - edge * ratio;
  const free = Math.max(0, Math.floor((room * ratio - device) / 2));
  return {
    size: css(device, ratio),
    whole: css(whole * scale, ratio), // not rounded: places on it are taken back by the scale
    shift: from === 0 ? 0 : -css(Math.round(from * scale), ratio),
    gap: css(free + between, ratio),
  };
}

/** What both have in common; undefined when that is nothing. */
export function common(a: Part, b: Part): Part | undefined {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : undefined;
}

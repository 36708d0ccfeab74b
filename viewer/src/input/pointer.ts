// Pointer, buttons, wheel, fingers and pen: from DOM events on the picture to events of
// PROTOCOL.md §1.9, sent straight from the event handler.

import { Touch, type Contact } from "./touch";

/** Where pointer events go: the Sender. */
export interface PointerSink {
  motion(x: number, y: number): void;
  button(x: number, y: number, button: number, down: boolean): void;
  wheel(x: number, y: number, dx: number, dy: number): void;
}

/** Bits of PointerEvent.buttons in the order of the wire: left, middle, right, back, forward. */
const buttonBits = [1, 4, 2, 8, 16];
/** 1/120 notch a turned line, where the browser counts lines: three lines a notch. */
const unitsPerLine = 40;
const unitsPerPage = 1200;
const maxWheel = 0x7fff;

/**
 * A place in the picture's pixels for a place in CSS pixels of what shows it. The
 * browser gives device pixel 120 at ratio 1.1 as 109.0909, which is 119.99 again.
 */
export function toPicture(offset: number, ratio: number, size: number): number {
  const pixel = Math.floor(offset * ratio + 0.05);
  return Math.min(Math.max(pixel, 0), size - 1);
}

/** Follows which buttons are down. A chord gives no pointerdown of its own, only another mask. */
export class Buttons {
  #mask = 0;

  /** The buttons that changed, as on the wire. */
  change(mask: number): { button: number; down: boolean }[] {
    const changes = [];
    for (const [button, bit] of buttonBits.entries()) {
      if ((mask & bit) !== (this.#mask & bit)) changes.push({ button, down: (mask & bit) !== 0 });
    }
    this.#mask = mask;
    return changes;
  }

  reset(): void {
    this.#mask = 0;
  }
}

/** Turns wheel events into 1/120 of a notch and keeps what is left over for the next. */
export class Wheel {
  #restX = 0;
  #restY = 0;

  turn(event: WheelInput): { dx: number; dy: number } {
    this.#restX += units(event.deltaX, event.wheelDeltaX, event.deltaMode);
    this.#restY += units(event.deltaY, event.wheelDeltaY, event.deltaMode);
    const dx = clampWheel(Math.trunc(this.#restX));
    const dy = clampWheel(Math.trunc(this.#restY));
    this.#restX -= dx;
    this.#restY -= dy;
    return { dx, dy };
  }
}

export interface WheelInput {
  readonly deltaX: number;
  readonly deltaY: number;
  readonly deltaMode: number;
  /** Legacy, and in Chromium, Firefox and Safari exactly ∓120 a notch of a real wheel. */
  readonly wheelDeltaX?: number;
  readonly wheelDeltaY?: number;
}

function units(delta: number, legacy: number | undefined, mode: number): number {
  if (delta === 0) return 0;
  if (legacy !== undefined && legacy !== 0 && legacy % 120 === 0) return -legacy;
  if (mode === 1) return delta * unitsPerLine;
  if (mode === 2) return delta * unitsPerPage;
  return delta * 1.2; // Chromium: 100 pixels a notch
}

function clampWheel(value: number): number {
  return Math.min(Math.max(value, -maxWheel), maxWheel);
}

/** The picture as it lies on the page. */
export interface Surface {
  readonly width: number; // pixels of the picture
  readonly height: number;
  readonly ratio: number; // device pixels a CSS pixel
}

/** Listens on the picture. Returns what stops it. */
export function attachPointer(
  picture: HTMLElement,
  sink: PointerSink,
  surface: () => Surface,
  focus: () => void,
): () => void {
  const stop = new AbortController();
  const on = { signal: stop.signal };
  const active = { signal: stop.signal, passive: false };
  const buttons = new Buttons();
  const wheel = new Wheel();
  const touch = new Touch(sink);

  const place = (event: MouseEvent) => {
    const { width, height, ratio } = surface();
    return { x: toPicture(event.offsetX, ratio, width), y: toPicture(event.offsetY, ratio, height) };
  };
  const contact = (event: PointerEvent): Contact => ({
    id: event.pointerId,
    ...place(event),
    pageX: event.clientX,
    pageY: event.clientY,
    size: Math.max(event.width, event.height),
  });
  const move = (event: Event) => {
    if (!(event instanceof PointerEvent) || !event.isPrimary || event.pointerType === "touch") return;
    if (event.pointerType === "pen") touch.pen();
    const { x, y } = place(event);
    sink.motion(x, y);
  };
  const press = (event: PointerEvent) => {
    if (event.pointerType === "touch") {
      finger(event);
      return;
    }
    if (!event.isPrimary) return;
    if (event.pointerType === "pen") touch.pen();
    const changes = buttons.change(event.buttons);
    if (changes.length === 0) return;
    const { x, y } = place(event);
    for (const { button, down } of changes) sink.button(x, y, button, down);
  };

  const finger = (event: PointerEvent) => {
    if (event.type === "pointerdown") touch.down(contact(event));
    else if (event.type === "pointermove") touch.move(contact(event));
    else if (event.type === "pointerup") touch.up(contact(event));
    else touch.cancel(event.pointerId);
  };

  // pointerrawupdate comes before the frame (Chrome 77, Firefox 148); elsewhere pointermove, once a frame.
  const raw = "onpointerrawupdate" in picture;
  picture.addEventListener(raw ? "pointerrawupdate" : "pointermove", move, on);
  picture.addEventListener(
    "pointerdown",
    (event) => {
      event.preventDefault();
      press(event); // before what takes the browser time
      focus();
      picture.setPointerCapture(event.pointerId); // a drag goes on outside the picture
    },
    active,
  );
  picture.addEventListener("pointermove", press, on);
  picture.addEventListener("pointerup", press, on);
  picture.addEventListener("pointercancel", press, on);
  picture.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { dx, dy } = wheel.turn(event);
      const { x, y } = place(event);
      if (dx !== 0 || dy !== 0) sink.wheel(x, y, dx, dy);
    },
    active,
  );
  // Menus, text selection, dragging of the picture and history by the side buttons belong to the remote desktop.
  for (const name of ["contextmenu", "mousedown", "mouseup", "auxclick", "dragstart"]) {
    picture.addEventListener(name, (event) => event.preventDefault(), active);
  }
  return () => {
    stop.abort();
    buttons.reset();
    touch.reset();
  };
}

// Fingers on the picture: a tap is a click, a long press a click of the right
// button, a finger that moves drags, two fingers scroll. A pen is a mouse, hover
// included; while one is near, what touches besides is the hand that holds it.

import { Wheel, type PointerSink } from "./pointer";

/** One finger, as a PointerEvent tells of it. */
export interface Contact {
  readonly id: number;
  /** Where it is, pixels of the picture. */
  readonly x: number;
  readonly y: number;
  /** The same in CSS pixels of the page: what a finger can hold still does not depend on the picture. */
  readonly pageX: number;
  readonly pageY: number;
  /** How much of it touches, CSS pixels; 0 or 1 where the screen cannot tell. */
  readonly size: number;
}

/** How long a press is a long one, ms. */
const longPress = 500;
/** How far a finger that holds still may move, CSS pixels. */
const slop = 10;
/** A finger is smaller than this, CSS pixels: some 17 mm. */
const palm = 64;
/** How long after a pen was seen a touch is the hand that holds it, ms. */
const penNear = 1000;

const left = 0;
const right = 2;

/** What the fingers are doing. "done": nothing more comes of those that are still down. */
type Doing = "nothing" | "pressing" | "dragging" | "scrolling" | "done";

export class Touch {
  #sink: PointerSink;
  #now: () => number;
  #fingers = new Map<number, Contact>(); // in the order in which they came
  #first: Contact | undefined; // where the press began
  #middle = { x: 0, y: 0 }; // of two fingers, CSS pixels
  #doing: Doing = "nothing";
  #wheel = new Wheel();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #penSeen = Number.NEGATIVE_INFINITY;

  constructor(sink: PointerSink, now: () => number = () => performance.now()) {
    this.#sink = sink;
    this.#now = now;
  }

  /** A pen is near. */
  pen(): void {
    this.#penSeen = this.#now();
    if (this.#fingers.size > 0) this.reset();
  }

  down(contact: Contact): void {
    if (contact.size > palm || this.#now() - this.#penSeen < penNear) return;
    this.#fingers.set(contact.id, contact);
    if (this.#fingers.size === 1) {
      this.#first = contact;
      this.#doing = "pressing";
      this.#timer = setTimeout(() => this.#long(), longPress);
    } else if (this.#fingers.size === 2 && this.#doing === "pressing") {
      clearTimeout(this.#timer);
      this.#doing = "scrolling";
      this.#wheel = new Wheel();
      this.#middle = this.#between();
    } else this.#stop(); // a third finger, or one beside a drag: nobody knows what is meant
  }

  move(contact: Contact): void {
    if (!this.#fingers.has(contact.id)) return;
    this.#fingers.set(contact.id, contact);
    const first = this.#first;
    switch (this.#doing) {
      case "pressing":
        if (first === undefined || distance(first, contact) <= slop) return;
        clearTimeout(this.#timer);
        this.#doing = "dragging";
        this.#sink.button(first.x, first.y, left, true);
        this.#sink.motion(contact.x, contact.y);
        return;
      case "dragging":
        this.#sink.motion(contact.x, contact.y);
        return;
      case "scrolling":
        this.#scroll();
    }
  }

  up(contact: Contact): void {
    if (!this.#fingers.has(contact.id)) return;
    if (this.#doing === "pressing" && this.#first) {
      const { x, y } = this.#first; // where it was aimed, not where it slipped to
      this.#sink.button(x, y, left, true);
      this.#sink.button(x, y, left, false);
    } else if (this.#doing === "dragging") this.#sink.button(contact.x, contact.y, left, false);
    this.#lift(contact.id);
  }

  /** The browser or the system took the finger for something else. */
  cancel(id: number): void {
    if (!this.#fingers.has(id)) return;
    this.#stop();
    this.#lift(id);
  }

  reset(): void {
    this.#stop();
    this.#fingers.clear();
    this.#doing = "nothing";
  }

  #long(): void {
    if (this.#doing !== "pressing" || this.#first === undefined) return;
    const { x, y } = this.#first;
    this.#sink.button(x, y, right, true);
    this.#sink.button(x, y, right, false);
    this.#doing = "done";
  }

  #stop(): void {
    clearTimeout(this.#timer);
    const [finger] = this.#fingers.values();
    if (this.#doing === "dragging" && finger) this.#sink.button(finger.x, finger.y, left, false);
    this.#doing = "done";
  }

  #lift(id: number): void {
    clearTimeout(this.#timer);
    this.#fingers.delete(id);
    this.#doing = this.#fingers.size === 0 ? "nothing" : "done";
  }

  // The content goes with the fingers, and the wheel stands where they began.
  #scroll(): void {
    const now = this.#between();
    const { dx, dy } = this.#wheel.turn({
      deltaX: this.#middle.x - now.x,
      deltaY: this.#middle.y - now.y,
      deltaMode: 0,
    });
    this.#middle = now;
    if ((dx !== 0 || dy !== 0) && this.#first) this.#sink.wheel(this.#first.x, this.#first.y, dx, dy);
  }

  #between(): { x: number; y: number } {
    const fingers = [...this.#fingers.values()];
    const mean = (of: (contact: Contact) => number) =>
      fingers.reduce((sum, contact) => sum + of(contact), 0) / Math.max(1, fingers.length);
    return { x: mean((c) => c.pageX), y: mean((c) => c.pageY) };
  }
}

function distance(a: Contact, b: Contact): number {
  return Math.hypot(a.pageX - b.pageX, a.pageY - b.pageY);
}

// Sends input events (PROTOCOL.md §1.9) from the browser's own event handlers.
//
// Every event that must not be lost goes on the reliable channel `in` and, until
// the host acknowledges it, again on `in-fast` at 0, 15 and 45 ms: a lone lost
// key would else wait some 400 ms for the browser's SCTP retransmission timer.
// Motion is unreliable, the latest wins, at most one message every 8 ms.

import {
  encodeAlive,
  encodeButton,
  encodeKey,
  encodeMotion,
  encodeRelease,
  encodeText,
  encodeWheel,
} from "../wire/input";
import { maxInputText } from "../wire/limits";

/** What the sender needs of an RTCDataChannel. */
export interface Channel {
  readonly readyState: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
}

type Message = Uint8Array<ArrayBuffer>;

export interface KeyEvent {
  usage: number; // HID page 7
  down: boolean;
  modifiers: number;
  locks: number;
  key: string; // one character, or empty
}

/** Delays after which an event that is not acknowledged is repeated, ms. */
const repeats = [0, 15, 45];
/** Fastest pace of motion messages, ms. */
const motionPace = 8;
const alivePace = 500;
/** Events kept for repeating; older ones are left to the reliable channel. */
const maxPending = 128;
/** Bytes waiting in the browser above which motion and repeats are skipped. */
const maxBuffered = 64 * 1024;

interface Pending {
  seq: number;
  message: Message;
  sent: number; // when it was made, ms
  step: number; // next entry of `repeats`
}

export class Sender {
  #reliable: Channel;
  #fast: Channel;
  #now: () => number;
  #seq = 0;
  #pending: Pending[] = [];
  #repeatTimer: ReturnType<typeof setTimeout> | undefined;
  #aliveTimer: ReturnType<typeof setInterval> | undefined;
  #motionSeq = 0;
  #motionSent = Number.NEGATIVE_INFINITY;
  #motionNext: { x: number; y: number } | undefined;
  #motionTimer: ReturnType<typeof setTimeout> | undefined;
  #down = new Set<string>();
  #open = false;

  constructor(reliable: Channel, fast: Channel, now: () => number = () => performance.now()) {
    this.#reliable = reliable;
    this.#fast = fast;
    this.#now = now;
  }

  /**
   * Lets events pass or not. Closing drops what was still to be repeated: a key
   * that arrives seconds later, when a line comes back, would be typed blind.
   */
  set open(open: boolean) {
    if (this.#open === open) return;
    if (!open) this.release();
    this.#open = open;
    if (!open) this.#forget();
  }

  get open(): boolean {
    return this.#open;
  }

  motion(x: number, y: number): void {
    if (!this.#open) return;
    this.#motionNext = { x, y };
    if (this.#motionTimer !== undefined) return;
    const wait = this.#motionSent + motionPace - this.#now();
    if (wait <= 0) this.#flushMotion();
    else this.#motionTimer = setTimeout(() => this.#flushMotion(), wait);
  }

  button(x: number, y: number, button: number, down: boolean): void {
    if (!this.#open) return;
    this.#dropMotion();
    this.#hold(`b${button}`, down);
    this.#event((seq) => encodeButton({ seq, motion: this.#motionSeq, x, y, button, down }));
  }

  wheel(x: number, y: number, dx: number, dy: number): void {
    if (!this.#open) return;
    this.#dropMotion();
    this.#event((seq) => encodeWheel({ seq, motion: this.#motionSeq, x, y, dx, dy }));
  }

  key(event: KeyEvent): void {
    if (!this.#open) return;
    this.#hold(`k${event.usage}`, event.down);
    this.#event((seq) => encodeKey({ seq, ...event }));
  }

  text(text: string): void {
    if (!this.#open) return;
    for (const part of split(text, maxInputText)) this.#put(this.#reliable, encodeText(++this.#seq, part));
  }

  /** Everything that is down goes up, here and on the host. */
  release(): void {
    if (!this.#open || this.#down.size === 0) return;
    this.#down.clear();
    this.#watch();
    this.#event(encodeRelease);
  }

  /** The host applied or refused every event up to this one. */
  acked(seq: number): void {
    if (seq > this.#seq) return;
    this.#pending = this.#pending.filter((p) => p.seq > seq);
    if (this.#pending.length === 0) this.#stopRepeating();
  }

  close(): void {
    this.#open = false;
    this.#forget();
  }

  #event(encode: (seq: number) => Message): void {
    const message = encode(this.#seq + 1);
    this.#seq++;
    this.#put(this.#reliable, message);
    this.#pending.push({ seq: this.#seq, message, sent: this.#now(), step: 0 });
    if (this.#pending.length > maxPending) this.#pending.shift();
    this.#repeat();
  }

  #repeat(): void {
    this.#stopRepeating();
    const now = this.#now();
    let next = Number.POSITIVE_INFINITY;
    for (const p of this.#pending) {
      const step = repeats.findIndex((delay) => now < p.sent + delay); // the first that is not due yet
      const steps = step < 0 ? repeats.length : step;
      if (steps > p.step) this.#putFast(p.message); // once, however late this timer is
      p.step = steps;
      const due = repeats[steps];
      if (due !== undefined) next = Math.min(next, p.sent + due);
    }
    this.#pending = this.#pending.filter((p) => p.step < repeats.length);
    if (next < Number.POSITIVE_INFINITY) this.#repeatTimer = setTimeout(() => this.#repeat(), next - now);
  }

  #flushMotion(): void {
    this.#motionTimer = undefined;
    const at = this.#motionNext;
    if (at === undefined || !this.#open) return;
    this.#motionNext = undefined;
    this.#motionSent = this.#now();
    this.#motionSeq++;
    this.#putFast(encodeMotion(this.#motionSeq, at.x, at.y));
  }

  // A button or wheel event carries its own place: a motion that still waits is older news.
  #dropMotion(): void {
    clearTimeout(this.#motionTimer);
    this.#motionTimer = undefined;
    this.#motionNext = undefined;
  }

  #hold(name: string, down: boolean): void {
    if (down) this.#down.add(name);
    else this.#down.delete(name);
    this.#watch();
  }

  // Tells the host that we are alive while something is down: it lets go after a silent second (C35).
  #watch(): void {
    if (this.#down.size === 0) {
      clearInterval(this.#aliveTimer);
      this.#aliveTimer = undefined;
      return;
    }
    this.#aliveTimer ??= setInterval(() => {
      const message = encodeAlive();
      this.#put(this.#reliable, message);
      this.#putFast(message);
    }, alivePace);
  }

  #stopRepeating(): void {
    clearTimeout(this.#repeatTimer);
    this.#repeatTimer = undefined;
  }

  #forget(): void {
    this.#stopRepeating();
    this.#dropMotion();
    this.#pending = [];
    this.#down.clear();
    this.#watch();
  }

  #put(channel: Channel, message: Message): void {
    if (channel.readyState === "open") channel.send(message);
  }

  #putFast(message: Message): void {
    if (this.#fast.bufferedAmount <= maxBuffered) this.#put(this.#fast, message);
  }
}

/** Cuts a text into well-formed parts of at most `max` UTF-8 bytes, never inside a character. */
export function split(text: string, max: number): string[] {
  const parts: string[] = [];
  let part = "";
  let size = 0;
  for (const character of text.replace(/\p{Cs}/gu, "\uFFFD")) {
    const code = character.codePointAt(0) ?? 0;
    const bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (size + bytes > max) {
      parts.push(part);
      part = "";
      size = 0;
    }
    part += character;
    size += bytes;
  }
  if (part !== "") parts.push(part);
  return parts;
}

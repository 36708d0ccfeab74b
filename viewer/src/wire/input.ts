// Input events, PROTOCOL.md §1.9; the Go half is internal/wire/input.go.
//
// Every encoder returns the exact message. A field out of its range throws a
// RangeError: the host would end the session, so it is a fault of the caller.

import { malformed, tooLarge, unknownMessage } from "./errors";
import { flagOptional, maxInput, maxInputText, maxKeyText } from "./limits";

export const InputKind = {
  motion: 1,
  button: 2,
  wheel: 3,
  key: 4,
  text: 5,
  release: 6,
  alive: 7,
  shown: 16,
  ack: 128,
} as const;

export const Button = {
  left: 0,
  middle: 1,
  right: 2,
  back: 3,
  forward: 4,
} as const;
export const Modifier = {
  shift: 1,
  control: 2,
  alt: 4,
  meta: 8,
  altGraph: 16,
} as const;
export const Lock = { caps: 1, num: 2, scroll: 4 } as const;

/** HID page 7: Keyboard a and A is the first key, Keyboard Right GUI the last. */
const minUsage = 0x04;
const maxUsage = 0xe7;

export interface ButtonInput {
  /** Events 2 to 6 share one sequence from 1. */
  readonly seq: number;
  /** The newest motion seq sent before, 0 if none. */
  readonly motion: number;
  /** Pixels of the picture. */
  readonly x: number;
  readonly y: number;
  readonly button: number;
  readonly down: boolean;
}

export interface WheelInput {
  readonly seq: number;
  readonly motion: number;
  readonly x: number;
  readonly y: number;
  /** 1/120 of a notch; dy > 0 scrolls down. */
  readonly dx: number;
  readonly dy: number;
}

export interface KeyInput {
  readonly seq: number;
  /** HID page 7. */
  readonly usage: number;
  readonly down: boolean;
  readonly modifiers: number;
  readonly locks: number;
  /** What the key types: one character, or empty. */
  readonly key: string;
}

const motionMessage = new Uint8Array(12);
const motionView = new DataView(motionMessage.buffer);
motionView.setUint8(0, InputKind.motion);

/**
 * Motion runs a hundred times a second, so it allocates nothing: the message is
 * the same array each time, valid until the next call. Send it at once.
 */
export function encodeMotion(seq: number, x: number, y: number): Uint8Array<ArrayBuffer> {
  motionView.setUint32(4, within("seq", seq, 1, 0xffffffff), true);
  motionView.setUint16(8, within("x", x, 0, 0xffff), true);
  motionView.setUint16(10, within("y", y, 0, 0xffff), true);
  return motionMessage;
}

export function encodeButton(e: ButtonInput): Uint8Array<ArrayBuffer> {
  const view = placed(InputKind.button, 18, e);
  view.setUint8(16, within("button", e.button, 0, Button.forward));
  view.setUint8(17, e.down ? 1 : 0);
  return new Uint8Array(view.buffer);
}

export function encodeWheel(e: WheelInput): Uint8Array<ArrayBuffer> {
  const view = placed(InputKind.wheel, 20, e);
  view.setInt16(16, within("dx", e.dx, -0x8000, 0x7fff), true);
  view.setInt16(18, within("dy", e.dy, -0x8000, 0x7fff), true);
  return new Uint8Array(view.buffer);
}

export function encodeKey(e: KeyInput): Uint8Array<ArrayBuffer> {
  const text = wellFormed(e.key, 0, maxKeyText);
  const view = message(InputKind.key, 14 + text.length, within("seq", e.seq, 1, 0xffffffff));
  view.setUint16(8, within("usage", e.usage, minUsage, maxUsage), true);
  view.setUint8(10, e.down ? 1 : 0);
  view.setUint8(11, within("modifiers", e.modifiers, 0, 31));
  view.setUint8(12, within("locks", e.locks, 0, 7));
  view.setUint8(13, text.length);
  const out = new Uint8Array(view.buffer);
  out.set(text, 14);
  return out;
}

/** text is 1 to maxInputText bytes of UTF-8. */
export function encodeText(seq: number, text: string): Uint8Array<ArrayBuffer> {
  const bytes = wellFormed(text, 1, maxInputText);
  const view = message(InputKind.text, 10 + bytes.length, within("seq", seq, 1, 0xffffffff));
  view.setUint16(8, bytes.length, true);
  const out = new Uint8Array(view.buffer);
  out.set(bytes, 10);
  return out;
}

/** Everything that is down goes up. */
export function encodeRelease(seq: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(message(InputKind.release, 8, within("seq", seq, 1, 0xffffffff)).buffer);
}

/** Something is still held down. */
export function encodeAlive(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(message(InputKind.alive, 8, 0).buffer);
}

/**
 * The video frame with this RTP timestamp is on the screen: no input, and
 * optional, because a host without video does not know it.
 */
export function encodeShown(timestamp: number): Uint8Array<ArrayBuffer> {
  const view = message(InputKind.shown, 8, within("timestamp", timestamp, 0, 0xffffffff));
  view.setUint8(1, flagOptional);
  return new Uint8Array(view.buffer);
}

/**
 * Reads what the host sends back on in-fast: the highest event applied or
 * refused in order. Undefined for an optional message of a kind that this
 * version does not know; throws a WireError for anything else.
 */
export function parseAck(bytes: Uint8Array | ArrayBuffer): number | undefined {
  if (bytes.byteLength > maxInput) throw tooLarge();
  if (bytes.byteLength < 8) throw malformed();
  const view =
    bytes instanceof Uint8Array
      ? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new DataView(bytes);
  const flags = view.getUint8(1);
  if (view.getUint8(0) !== InputKind.ack) {
    if (flags & flagOptional) return undefined;
    throw unknownMessage();
  }
  if (view.byteLength !== 8 || (flags & ~flagOptional) !== 0 || view.getUint16(2, true) !== 0)
    throw malformed();
  return view.getUint32(4, true);
}

function message(kind: number, size: number, seq: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(size));
  view.setUint8(0, kind);
  view.setUint32(4, seq, true);
  return view;
}

function placed(kind: number, size: number, e: ButtonInput | WheelInput): DataView<ArrayBuffer> {
  const view = message(kind, size, within("seq", e.seq, 1, 0xffffffff));
  view.setUint32(8, within("motion", e.motion, 0, 0xffffffff), true);
  view.setUint16(12, within("x", e.x, 0, 0xffff), true);
  view.setUint16(14, within("y", e.y, 0, 0xffff), true);
  return view;
}

function within(field: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`input event: ${field} is not in ${min} to ${max}`);
}

const encoder = new TextEncoder();

function wellFormed(text: string, min: number, max: number): Uint8Array {
  const bytes = encoder.encode(text);
  if (/\p{Cs}/u.test(text) || bytes.length < min || bytes.length > max) {
    throw new RangeError("input event: the text is too long, empty or not well formed");
  }
  return bytes;
}

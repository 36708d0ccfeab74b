// Protobuf messages under the size limit of their plane, and what else both
// sides must agree on byte for byte. The Go half is internal/wire.

import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

import { Reason, type Hello } from "../gen/signaling_pb";
import { malformed, tooLarge, unknownMessage, WireError } from "./errors";
import { minVersion, nameLimit, protocol, version } from "./limits";

export { reasonOf, WireError } from "./errors";

/** Parses one message of at most `limit` bytes. Call `known` next if it is an envelope. */
export function decode<D extends DescMessage>(
  schema: D,
  bytes: Uint8Array | ArrayBuffer,
  limit: number,
): MessageShape<D> {
  if (bytes.byteLength > limit) throw tooLarge();
  try {
    return fromBinary(schema, bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  } catch (cause) {
    throw malformed(cause);
  }
}

/** Writes one message, or throws if the other side would refuse it for its size. */
export function encode<D extends DescMessage>(
  schema: D,
  init: MessageInitShape<D>,
  limit: number,
): Uint8Array<ArrayBuffer> {
  const bytes = toBinary(schema, create(schema, init));
  if (bytes.byteLength > limit) throw tooLarge();
  return bytes;
}

/** An envelope: every message that travels alone. */
export interface Envelope {
  readonly optional: boolean;
  readonly body: { readonly case: string | undefined };
}

/**
 * Whether this version knows the body of an envelope. False: it was marked
 * optional, skip it. Throws if the receiver must end with UNKNOWN_MESSAGE.
 */
export function known(m: Envelope): boolean {
  if (m.body.case !== undefined) return true;
  if (m.optional) return false;
  throw unknownMessage();
}

/** The highest version that both sides speak, or throws. */
export function negotiate(hello: Pick<Hello, "minVersion" | "maxVersion">): number {
  const { minVersion: lo, maxVersion: hi } = hello;
  if (lo === 0 || lo > hi) throw malformed();
  if (lo > version || hi < minVersion) throw new WireError(Reason.VERSION, "no protocol version in common");
  return Math.min(hi, version);
}

/** A reason as it stands in locale keys: WRONG_CODE. An unknown number is its digits. */
export function reasonName(reason: Reason): string {
  return (Reason as Record<number, string | undefined>)[reason] ?? String(reason);
}

const spaces = /[\s\p{Z}\u0085]+/gu;
// Control, format (bidirectional, zero-width), private and surrogate code
// points, and letters and symbols that show nothing.
const unseen = /\p{Cc}|\p{Cf}|\p{Co}|[\u115F\u1160\u2800\u3164\uFFA0]|\u034F|\u17B4|\u17B5/gu;
const marks = /(\p{M}{8})\p{M}+/gu;

/**
 * Makes a name, subject or title from the other side fit to be shown on one
 * line; it does not escape: show it with textContent only.
 */
export function clean(text: string): string {
  const visible = text
    .replace(/\p{Cs}/gu, "\uFFFD")
    .replace(spaces, " ")
    .replace(unseen, "")
    .replace(/ +/g, " ")
    .trim();
  const out = visible.replace(marks, "$1").normalize("NFC").replace(marks, "$1");
  return Array.from(out).slice(0, nameLimit).join("").trimEnd();
}

const ascii = new TextEncoder();

/** The bytes of a text. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return ascii.encode(text);
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** Each part with its LEB128 length before it: the draft's lv_cat. */
export function lv(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(
    ...parts.flatMap((p) => {
      const length: number[] = [];
      let n = p.length;
      for (; n >= 0x80; n >>>= 7) length.push((n & 0x7f) | 0x80);
      length.push(n);
      return [Uint8Array.from(length), p];
    }),
  );
}

/** Whether two byte strings are equal, in time that depends on their length only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let d = 0;
  for (let i = 0; i < a.length; i++) d |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return d === 0;
}

/** ADa, the viewer's associated data in CPace. */
export function viewerAD(): Uint8Array<ArrayBuffer> {
  return lv(utf8(`${protocol} viewer`));
}

/** ADb, the host's associated data in CPace: its role and its signing key. */
export function hostAD(key: Uint8Array): Uint8Array<ArrayBuffer> {
  return lv(utf8(`${protocol} host`), key);
}

/** The key of an ADb, or null if it is anything but the host's role and exactly one key. */
export function parseHostAD(ad: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const key = Uint8Array.from(ad.subarray(-32));
  return key.length === 32 && equal(ad, hostAD(key)) ? key : null;
}

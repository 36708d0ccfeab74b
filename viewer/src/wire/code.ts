// The code that a person reads aloud. Only this file and the pairing ever hold
// its secret half in the browser; the Go half is internal/wire/code.go.

import { Reason } from "../gen/signaling_pb";
import { WireError } from "./errors";

export const secretDigits = 6;
export const minNameplateDigits = 3;
export const maxNameplateDigits = 9;

/** Bounds what is looked at when a code is typed or pasted, in UTF-16 units. */
const maxTyped = 256;

export interface Code {
  readonly nameplate: string;
  readonly secret: string;
}

const decimalDigit = /^\p{Nd}$/u;
// White space of a paste, dashes by category and by use, dots.
const separator = /^[\t\n\v\f\r\p{Zs}\p{Pd}\u00AD\u2212.\u00B7\u2022\u2027\u2219\u22C5\u3002\u30FB]$/u;

/**
 * Splits a code as it is typed: digits of any script, with spaces, dashes and
 * dots of any kind between them. Anything else, or fewer than 9 or more than
 * 15 digits, throws MALFORMED_CODE: no try is spent on a slip.
 */
export function parseCode(typed: string): Code {
  const digits = typed.length > maxTyped ? null : digitsOf(typed.normalize("NFKC"));
  const n = (digits?.length ?? 0) - secretDigits;
  if (digits === null || n < minNameplateDigits || n > maxNameplateDigits) {
    throw new WireError(Reason.MALFORMED_CODE, "that is not a code");
  }
  return { nameplate: digits.slice(0, n), secret: digits.slice(n) };
}

/** A code as it is shown: groups of three from the right. */
export function formatCode(nameplate: string, secret: string): string {
  return (nameplate + secret).replace(/\B(?=(?:\d{3})+$)/g, " ");
}

function digitsOf(text: string): string | null {
  let digits = "";
  for (const c of text) {
    if (decimalDigit.test(c)) digits += digitValue(c);
    else if (!separator.test(c)) return null;
  }
  return digits;
}

/**
 * Unicode encodes each script's decimal digits in runs of ten, zero first; so
 * the value is the distance to the start of the run, modulo ten.
 */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let start = code;
  while (decimalDigit.test(String.fromCodePoint(start - 1))) start--;
  return (code - start) % 10;
}

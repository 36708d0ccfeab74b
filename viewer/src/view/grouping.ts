// Shows a code in groups while it is typed, as the person's window shows it.

import { parseCode } from "../wire/code";

const separators = /[\s.\p{Pd}]/gu;

/** What stands in the field, in groups; anything that is not all digits stays as it was typed. */
export function grouped(typed: string): string {
  const digits = typed.normalize("NFKC").replace(separators, "");
  if (!/^[0-9]{1,15}$/.test(digits)) return typed;
  // From the left while it grows, so that no digit jumps; from the right once it is longer than the usual nine.
  return digits.length <= 9
    ? digits.replace(/(\d{3})(?=\d)/g, "$1 ")
    : digits.replace(/\B(?=(?:\d{3})+$)/g, " ");
}

/** Where the caret belongs after grouping: behind as many digits as before. */
export function caretAfter(typed: string, caret: number, after: string): number {
  const before = typed.slice(0, caret).normalize("NFKC").replace(separators, "").length;
  let digits = 0;
  for (let i = 0; i < after.length; i++) {
    if (digits === before) return i;
    if (after[i] !== " ") digits++;
  }
  return after.length;
}

/** Whether it is a code already. */
export function isCode(typed: string): boolean {
  try {
    parseCode(typed);
    return true;
  } catch {
    return false;
  }
}

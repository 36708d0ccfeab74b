// The holes of a canned text, and how it comes into a field.

/** What a canned text may leave open. */
export const holes = ["requester", "technician", "number", "subject", "date"] as const;
export type Hole = (typeof holes)[number];

// Line breaks, control characters and those that turn the writing round: a name has none of its own to say.
// eslint-disable-next-line no-control-regex
const odd = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/**
 * A text with its holes filled, each once: what is filled in has none. One that nothing is known for stays, so that
 * whoever writes sees it.
 */
export function fillIn(body: string, values: Partial<Record<Hole, string>>): string {
  return body.replace(/\{([a-z]+)\}/g, (hole, name: string) => {
    const known = holes.find((h) => h === name);
    const value = known === undefined ? "" : (values[known] ?? "").replace(odd, " ").trim();
    return value === "" ? hole : value;
  });
}

/**
 * Puts a text where the cursor of a field stands, as if it were typed: the browser's own undo takes it out again. False:
 * the field does not hold that much, and is as it was.
 */
export function insert(field: HTMLTextAreaElement, text: string): boolean {
  const { selectionStart: from, selectionEnd: to, value, maxLength } = field;
  const before = value.slice(0, from);
  const piece = (before === "" || before.endsWith("\n") ? "" : before.endsWith(" ") ? "" : "\n") + text;
  if (maxLength >= 0 && value.length - (to - from) + piece.length > maxLength) return false;
  field.focus();
  field.setSelectionRange(from, to);
  // Deprecated, and without a successor: it alone keeps the history of undo.
  if (!document.execCommand("insertText", false, piece)) {
    field.setRangeText(piece, from, to, "end");
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
  return true;
}

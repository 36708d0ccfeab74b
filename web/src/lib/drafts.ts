// What was typed and is not sent yet, kept in this tab of the browser: a sign-in that ran out, a page that was loaded
// again, lose nothing of it. It is forgotten when it was sent, when its writer signs out, and with the tab; and it is
// shown to nobody but its writer.

const place = "mf_draft:";

/** Keeps a draft; one with nothing in it is forgotten. */
export function keep(writer: string, what: string, fields: Record<string, string>): void {
  try {
    if (Object.values(fields).every((v) => v === "")) sessionStorage.removeItem(place + what);
    else sessionStorage.setItem(place + what, JSON.stringify({ writer, fields }));
  } catch {
    // Storage is blocked or full: then it stands in the page alone.
  }
}

/** The kept fields of a draft, null if there is none of this writer. */
export function kept(writer: string, what: string): Record<string, string> | null {
  try {
    const o: unknown = JSON.parse(sessionStorage.getItem(place + what) ?? "null");
    if (typeof o !== "object" || o === null || !("writer" in o) || o.writer !== writer) return null;
    const fields: unknown = "fields" in o ? o.fields : null;
    if (typeof fields !== "object" || fields === null) return null;
    return Object.fromEntries(Object.entries(fields).filter(([, v]) => typeof v === "string")) as Record<
      string,
      string
    >;
  } catch {
    return null;
  }
}

export function forget(what: string): void {
  keep("", what, {});
}

/** Forgets all drafts: whoever sits here next is somebody else. */
export function forgetAll(): void {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(place)) sessionStorage.removeItem(key);
  } catch {
    // Then there are none.
  }
}

// Whether the events that the page shows are those that were proven.
import type { LogEvent } from "../lib/api";
import type { Problem, ProvenLine } from "./proof/verify";

/** What of the shown events differs from the proven lines: the first such line of each. */
export function unlike(events: readonly LogEvent[], lines: readonly ProvenLine[]): Problem[] {
  const wrong = new Set<number>();
  const proven = new Map(lines.map((l) => [l.leaf.index, l]));
  const shown = new Set(events.map((e) => e.index));
  for (const e of events) {
    const line = proven.get(e.index);
    if (line === undefined || !alike(e, line)) wrong.add(e.index);
  }
  // What came after the page was loaded cannot be shown on it.
  const last = Math.max(-1, ...shown);
  for (const l of lines) if (l.leaf.index <= last && !shown.has(l.leaf.index)) wrong.add(l.leaf.index);
  return [...wrong].sort((a, b) => a - b).map((index) => ({ code: "shown", index, values: {} }));
}

function alike(e: LogEvent, { leaf: l, hash, state, personal }: ProvenLine): boolean {
  return (
    e.leaf === hash &&
    e.type === l.type &&
    e.outcome === l.outcome &&
    e.actor.kind === l.actor.kind &&
    e.actor.ref === l.actor.ref &&
    e.origin === l.origin &&
    e.monoMs === l.mono_ms &&
    sameTime(e.time, l.t) &&
    text(e.data) === text(l.data) &&
    (state === "present"
      ? text(e.personal) === text(personal)
      : e.personal === (state === "purged" ? "purged" : null))
  );
}

/** RFC 3339 in UTC, with more or fewer zeros at its end. */
function sameTime(a: string, b: string): boolean {
  const plain = (s: string): string => s.replace(/\.?0*Z$/, "Z");
  return plain(a) === plain(b);
}

/** JSON with sorted members. */
function text(v: unknown): string {
  return JSON.stringify(v, (_, x: unknown) =>
    typeof x === "object" && x !== null && !Array.isArray(x)
      ? Object.fromEntries(Object.entries(x).sort(([a], [b]) => (a < b ? -1 : 1)))
      : x,
  );
}

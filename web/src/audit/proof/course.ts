// What the lines of a session say to each other: who opened it, who counted, who closed it, what was purged.
import { bytes, signedBy, type Bytes } from "./bytes";
import type { Leaf } from "./form";
import { closeMessage } from "./note";
import { reasons } from "./reasons";
import type { Report, Say } from "./verify";

export interface Known {
  leaf: Leaf;
  state: string;
}

/** A whole number of a leaf's data, or null. */
function number(l: Leaf, key: string): number | null {
  const v = l.data[key];
  return typeof v === "number" && Number.isSafeInteger(v) && v >= 0 ? v : null;
}

function token(l: Leaf, key: string): string {
  const v = l.data[key];
  return typeof v === "string" ? v : "";
}

type Check = typeof signedBy;

export async function course(
  session: string,
  known: Known[],
  whole: boolean,
  report: Report,
  say: Say,
  check: Check,
): Promise<void> {
  let key: Bytes | null = null;
  let taken = 0; // events of the host that stand here, or of which a line says why not
  let missing = 0; // that a line says are missing
  let closed: Leaf | null = null;
  let ended: Leaf | null = null;
  let excused = false; // a line says that the host did not close
  let purge: Leaf | null = null;
  for (const { leaf: l } of known) {
    if (l.type === "retention.purged") purge = l;
    if (ended !== null && (l.type === "session.ended" || l.origin === "host")) {
      say("after_end", l.index);
      continue;
    }
    switch (l.type) {
      case "session.paired": {
        const named = bytes(token(l, "host_key"));
        if (named?.length !== 32 || key !== null) {
          say("host_key", l.index);
          break;
        }
        key = named;
        report.hostKey = token(l, "host_key");
        break;
      }
      case "host.closed": {
        const signature = bytes(token(l, "signature"));
        const [reason, events, ms] = [
          reasons[token(l, "reason")],
          number(l, "events"),
          number(l, "duration_ms"),
        ];
        const good =
          closed === null &&
          key !== null &&
          signature !== null &&
          reason !== undefined &&
          events !== null &&
          ms !== null &&
          (await check(key, closeMessage(session, reason, events, ms), signature));
        if (!good || events === null) {
          say("close", l.index);
          break;
        }
        closed = l;
        report.counted = events;
        break;
      }
      case "session.ended":
        ended = l;
        break;
      case "log.gap": {
        const [after, next, counted] = [number(l, "after"), number(l, "next"), number(l, "host_events")];
        const why = token(l, "why");
        if (why === "unknown_type" || why === "policy") taken++;
        else if (why === "no_signed_close") excused = true;
        else if (after !== null && next !== null && next > after) missing += next - after - 1;
        else if (after !== null && counted !== null) missing += counted - after; // below 0: it signed fewer than it sent
        break;
      }
      default:
        if (l.origin === "host") taken++;
    }
  }
  const first = known[0]?.leaf;
  if (whole && first !== undefined && first.type !== "session.requested") say("start", first.index);
  purges(known, purge, report, say);

  report.ended = ended;
  report.missing = missing;
  if (ended === null || report.problems.length > 0) return;
  const took = number(ended, "host_events");
  if (closed === null) {
    if (whole && !excused) say("no_close", ended.index);
  } else if (report.counted !== null) {
    const here = whole ? taken + missing : (took ?? report.counted) + Math.max(0, missing);
    if (whole ? report.counted !== here : report.counted > here)
      say("count", closed.index, { counted: report.counted, here });
  }
}

/** A purge takes the personal parts of all lines before it; what is gone without one is missing. */
function purges(known: Known[], purge: Leaf | null, report: Report, say: Say): void {
  const at = purge?.index ?? -1;
  let n = 0;
  for (const { leaf: l, state } of known) {
    if (l.commit === "") continue;
    if (state === "purged" && l.index > at) say("missing", l.index);
    else if (state === "purged") n++;
    else if (l.index < at) say("state", l.index);
  }
  if (n > 0 && purge !== null) report.policy = token(purge, "why");
}

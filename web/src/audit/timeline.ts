// A session on one time axis: who was there, what was allowed from when to when, and
// what happened when. The table of the events says the same, and more.
import type { LogEvent, SessionLog } from "../lib/api";

/** From and until, as parts of the whole session: 0 its beginning, 1 its end. */
export interface Bar {
  from: number;
  until: number;
}

export interface Lane {
  /** What the lane is about: a grant, one of the kinds below. */
  kind: "grant" | "participant" | "trouble" | "files" | "talk" | "hands" | "other" | "refused";
  /** The grant; the participant's number. */
  name: string;
  bars: Bar[];
  /** Moments, as parts of the whole. */
  marks: number[];
}

export interface Timeline {
  /** Milliseconds since 1970. */
  from: number;
  until: number;
  lanes: Lane[];
  /** What was written down before the session began and after it was over. */
  before: number;
  after: number;
}

const kinds: readonly (readonly [RegExp, Lane["kind"]])[] = [
  [/^file\./, "files"],
  [/^(chat|screenshot|sysinfo|steps|marks|clipboard)\./, "talk"],
  [/^(control|input)\./, "hands"],
  [/^(session\.(refused|resume_refused)|protocol\.refused|log\.gap|abuse\.reported)/, "refused"],
];

export function timeline({ session, events }: SessionLog): Timeline | null {
  const times = events.map((e) => Date.parse(e.time));
  const from = Date.parse(session.started);
  const until = session.ended === null ? Math.max(from, ...times) : Date.parse(session.ended);
  if (!Number.isFinite(from) || !Number.isFinite(until) || until <= from) return null;
  const lanes = new Map<string, Lane>();
  const open = new Map<string, number>(); // what began, and when
  const out: Timeline = { from, until, lanes: [], before: 0, after: 0 };
  const lane = (kind: Lane["kind"], name = ""): Lane => {
    const key = `${kind} ${name}`;
    const found = lanes.get(key) ?? { kind, name, bars: [], marks: [] };
    lanes.set(key, found);
    return found;
  };
  const part = (at: number): number => Math.min(1, Math.max(0, (at - from) / (until - from)));
  const begin = (key: string, at: number): void => {
    if (!open.has(key)) open.set(key, at);
  };
  const end = (key: string, kind: Lane["kind"], name: string, at: number): void => {
    const since = open.get(key);
    open.delete(key);
    if (since !== undefined) lane(kind, name).bars.push({ from: part(since), until: part(at) });
  };
  for (const [i, e] of events.entries()) {
    const at = times[i] ?? NaN;
    if (Number.isNaN(at)) continue;
    if (at > until && e.type !== "session.ended") {
      out.after++;
      continue;
    }
    if (at < from) out.before++;
    const grant = text(e, "grant");
    const who = text(e, "participant");
    const g = `grant ${grant} ${who}`;
    const p = `participant  ${who}`;
    const trouble = `trouble ${text(e, "reason")} ${who}`;
    switch (e.type) {
      case "consent.granted":
        lane("grant", grant);
        begin(g, at);
        break;
      case "consent.denied":
        lane("grant", grant).marks.push(part(at));
        break;
      case "consent.revoked":
      case "consent.given_back":
      case "control.handed_over":
        end(g, "grant", grant, at);
        break;
      case "participant.joined":
        lane("participant", who);
        begin(p, at);
        break;
      case "participant.left":
      case "participant.stopped":
        end(p, "participant", who, at);
        break;
      case "session.paused":
      case "session.degraded":
        lane("trouble");
        begin(trouble, at);
        break;
      case "session.resumed":
      case "session.restored":
        end(trouble, "trouble", "", at);
        break;
      case "consent.shown":
        break; // the answer says it
      default: {
        const kind = kinds.find(([type]) => type.test(e.type))?.[1] ?? "other";
        if (at >= from) lane(kind).marks.push(part(at));
      }
    }
  }
  // What nobody ended lasted until the end.
  for (const key of [...open.keys()]) {
    const [kind, name] = key.split(" ");
    if (kind === "participant") end(key, "participant", key.split(" ")[2] ?? "", until);
    else if (kind === "grant") end(key, "grant", name ?? "", until);
    else end(key, "trouble", "", until);
  }
  const order: readonly Lane["kind"][] = [
    "participant",
    "grant",
    "trouble",
    "hands",
    "files",
    "talk",
    "refused",
    "other",
  ];
  out.lanes = [...lanes.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return out;
}

function text(e: LogEvent, key: string): string {
  const v = e.data[key];
  return typeof v === "string" ? v.replaceAll(" ", "_") : "";
}

// The shapes of the server's answers. A missing or mistyped field is a TypeError, which
// asProblem puts into words.
import { isLang, type Lang } from "../i18n.svelte";
import { Problem } from "./problem";
import {
  localDesk,
  priorities,
  presences,
  type Transfer,
  type Colleague,
  type Crew,
  type Role,
  type Me,
  type Factor,
  type Challenge,
  type Ticket,
  type DeskInfo,
  type Policy,
  type Letter,
  type Note,
  type TicketSession,
  type HeldSession,
  type Session,
  type Present,
  type LiveSession,
  type Waiting,
  type Figures,
  type LogEvent,
} from "./types";

export function record(v: unknown): Record<string, unknown> {
  if (typeof v !== "object" || v === null || Array.isArray(v)) throw new TypeError("not an object");
  return v as Record<string, unknown>;
}

export function string(o: Record<string, unknown>, key: string): string {
  const v = o[key];
  if (typeof v !== "string") throw new TypeError(`${key} is not a string`);
  return v;
}

export function optional(o: Record<string, unknown>, key: string): string | null {
  const v = o[key];
  return v === undefined || v === null || v === "" ? null : string(o, key);
}

export function integer(o: Record<string, unknown>, key: string): number {
  const v = o[key];
  if (typeof v !== "number" || !Number.isFinite(v)) throw new TypeError(`${key} is not a number`);
  return v;
}

/** An absent list is an empty one: Go writes a nil slice as null. */
export function list<T>(v: unknown, key: string, item: (v: unknown) => T): T[] {
  const items = record(v)[key] ?? [];
  if (!Array.isArray(items)) throw new TypeError(`${key} is not a list`);
  return items.map(item);
}

export function language(o: Record<string, unknown>): Lang {
  const l = o["lang"];
  return typeof l === "string" && isLang(l) ? l : "en";
}

export function role(o: Record<string, unknown>): Role {
  const r = string(o, "role");
  if (r !== "technician" && r !== "supervisor" && r !== "auditor" && r !== "admin")
    throw new TypeError("unknown role");
  return r;
}

export function me(v: unknown): Me {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    role: role(o),
    lang: language(o),
    organisation: optional(o, "organisation") ?? "",
    publicHost: optional(o, "public_host") ?? "",
    failures: failures(o["failures"]),
    factorNeeded: o["factor_needed"] === true,
    proofNeeded: o["proof_needed"] === true,
  };
}

function failures(v: unknown): Me["failures"] {
  if (v === undefined || v === null) return null;
  const o = record(v);
  return { count: integer(o, "count"), last: string(o, "last") };
}

export function factor(v: unknown): Factor {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    since: string(o, "since"),
    used: optional(o, "used"),
  };
}

export function challenge(v: unknown): Challenge {
  const o = record(v);
  return { options: { publicKey: record(o["options"])["publicKey"] }, state: string(o, "state") };
}

export function text(v: unknown): string {
  if (typeof v !== "string") throw new TypeError("not a text");
  return v;
}

export function ticket(v: unknown): Ticket {
  const o = record(v);
  return {
    id: string(o, "id"),
    number: string(o, "number"),
    subject: string(o, "subject"),
    requester: string(o, "requester"),
    lang: language(o),
    open: o["open"] === true,
    created: string(o, "created"),
    updated: string(o, "updated"),
    sessions: typeof o["sessions"] === "number" ? o["sessions"] : 0,
    desk: optional(o, "desk") ?? localDesk,
    url: webAddress(optional(o, "url")),
    remembered: o["remembered"] === true,
    priority: priorities.find((p) => p === o["priority"]) ?? "",
    due: optional(o, "due"),
    holder: holder(o["holder"] ?? null),
  };
}

function holder(v: unknown): Ticket["holder"] {
  if (v === null) return null;
  const o = record(v);
  return { name: string(o, "name"), me: o["me"] === true };
}

export function transfer(v: unknown): Transfer {
  const o = record(v);
  const [taken, live] = [o["taken"] ?? null, o["live"] ?? null];
  return {
    id: string(o, "id"),
    ticket: ticket(o["ticket"]),
    from: string(o, "from"),
    to: string(o, "to"),
    team: o["team"] === true,
    note: string(o, "note"),
    back: o["back"] === true,
    created: string(o, "created"),
    mine: o["mine"] === true,
    orphan: o["orphan"] === true,
    taken: taken === null ? null : string(record(taken), "by"),
    lead: live === null ? null : string(record(live), "lead"),
  };
}

export function colleague(v: unknown): Colleague {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    state: presences.find((p) => p === o["state"]) ?? "gone",
    since: optional(o, "since"),
    me: o["me"] === true,
  };
}

export function crew(v: unknown): Crew {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    tier: integer(o, "tier"),
    members: integer(o, "members"),
    available: integer(o, "available"),
  };
}

/** Only what a link may lead to: a desk's answer is hostile. */
function webAddress(s: string | null): string {
  return s !== null && /^https?:\/\//.test(s) && URL.canParse(s) ? s : "";
}

export function deskInfo(v: unknown): DeskInfo {
  const o = record(v);
  return {
    name: string(o, "name"),
    system: string(o, "system"),
    search: o["search"] === true,
    blind: o["blind"] === true,
  };
}

export function policy(v: unknown): Policy {
  const o = record(v);
  const ticket = o["ticket"];
  return {
    desk: optional(o, "desk") ?? localDesk,
    ticket: ticket === "allowed" || ticket === "created" ? ticket : "required",
    offline: o["offline"] === "allow" ? "allow" : "refuse",
  };
}

export function trouble(v: unknown): Problem | null {
  if (v === undefined || v === null) return null;
  const o = record(v);
  return new Problem(0, string(o, "code"), string(o, "message"));
}

export function heldSession(v: unknown): HeldSession {
  const o = record(v);
  const n = o["note"];
  return {
    ...ticketSession(v),
    note: n === "waiting" || n === "written" || n === "dead" ? n : "",
    closable: o["closable"] === true,
    promotable: o["promotable"] === true,
  };
}

export function note(v: unknown): Note {
  const o = record(v);
  return {
    id: string(o, "id"),
    author: string(o, "author"),
    text: string(o, "text"),
    public: o["public"] === true,
    created: string(o, "created"),
  };
}

function ticketSession(v: unknown): TicketSession {
  const o = record(v);
  return {
    id: string(o, "id"),
    technician: string(o, "technician"),
    started: string(o, "started"),
    ended: optional(o, "ended"),
    reason: optional(o, "reason"),
  };
}

const letterKinds = ["end", "closing", "rated", "waited", "handed", "appointed"] as const;

export function letter(v: unknown): Letter {
  const o = record(v);
  return {
    id: string(o, "id"),
    kind: letterKinds.find((k) => k === o["kind"]) ?? "end",
    desk: string(o, "desk"),
    ticket: shortTicket(o["ticket"]),
    session: string(o, "session"),
    attempts: integer(o, "attempts"),
    created: string(o, "created"),
    next: optional(o, "next"),
    problem: trouble(o["problem"]),
    detail: optional(o, "detail") ?? "",
    retry: o["retry"] === true,
  };
}

function shortTicket(v: unknown): Session["ticket"] {
  const o = record(v);
  return { id: string(o, "id"), number: string(o, "number"), subject: string(o, "subject") };
}

export function session(v: unknown): Session {
  const o = record(v);
  return {
    ...ticketSession(v),
    ticket: shortTicket(o["ticket"]),
    events: typeof o["events"] === "number" ? o["events"] : 0,
    reported: o["reported"] === true,
  };
}

export function liveSession(v: unknown): LiveSession {
  const o = record(v);
  return {
    id: string(o, "id"),
    ticket: shortTicket(o["ticket"]),
    person: string(o, "person"),
    host: string(o, "host"),
    started: string(o, "started"),
    hostLost: optional(o, "host_lost"),
    participants: list(o, "participants", present),
    trouble: list(o, "trouble", (x) => {
      const r = record(x);
      return { what: string(r, "what"), participant: string(r, "participant"), since: string(r, "since") };
    }),
    counted: o["counted"] === true,
    watch: (["asked", "invited", "declined"] as const).find((w) => w === o["watch"]) ?? null,
  };
}

function present(v: unknown): Present {
  const o = record(v);
  return {
    id: string(o, "id"),
    technician: string(o, "technician"),
    kind: (["lead", "expert", "observer"] as const).find((k) => k === o["kind"]) ?? "observer",
    leads: o["leads"] === true,
    me: o["me"] === true,
    joined: string(o, "joined"),
    lost: optional(o, "lost"),
    grants: list(o, "grants", (x) => {
      const r = record(x);
      return { name: string(r, "name"), since: string(r, "since") };
    }),
  };
}

export function waiting(v: unknown): Waiting {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    trouble: string(o, "trouble"),
    phone: string(o, "phone"),
    lang: language(o),
    ticket: string(o, "ticket"),
    since: string(o, "since"),
  };
}

export function figures(v: unknown): Figures {
  const o = record(v);
  const waited = record(o["waited"]);
  const resolved: Record<string, number> = {};
  for (const [k, n] of Object.entries(record(o["resolved"]))) if (typeof n === "number") resolved[k] = n;
  return {
    hours: list(o, "hours", (x) => {
      const r = record(x);
      return { from: string(r, "from"), sessions: integer(r, "sessions") };
    }),
    sessions: integer(o, "sessions"),
    open: integer(o, "open"),
    medianMs: integer(o, "median_ms"),
    resolved,
    unsaid: integer(o, "unsaid"),
    scores: list(o, "scores", Number),
    waited: { taken: integer(waited, "taken"), inTime: integer(waited, "in_time") },
    recurs: list(o, "recurs", (x) => {
      const r = record(x);
      return {
        subject: string(r, "subject"),
        sessions: integer(r, "sessions"),
        tickets: integer(r, "tickets"),
      };
    }),
  };
}

export function logEvent(v: unknown): LogEvent {
  const o = record(v);
  const actor = record(o["actor"]);
  return {
    index: integer(o, "index"),
    time: string(o, "time"),
    type: string(o, "type"),
    outcome: string(o, "outcome"),
    actor: { kind: string(actor, "kind"), ref: optional(actor, "ref") ?? "", name: optional(actor, "name") },
    origin: string(o, "origin"),
    monoMs: typeof o["mono_ms"] === "number" ? o["mono_ms"] : 0,
    data: record(o["data"] ?? {}),
    personal: personal(o["personal"]),
    leaf: optional(o, "leaf") ?? "",
  };
}

function personal(v: unknown): LogEvent["personal"] {
  if (v === undefined || v === null) return null;
  if (v === "sealed" || v === "purged") return v;
  return record(v);
}

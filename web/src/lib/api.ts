// The server's JSON interface, typed. Answers are checked for their shape, so
// that a page shows a sentence instead of breaking when one is not as agreed.
import { isLang, lang, t, type Lang } from "./i18n.svelte";

export type Role = "technician" | "supervisor" | "auditor" | "admin";

export interface Me {
  id: string;
  name: string;
  role: Role;
  lang: Lang;
  organisation: string;
  publicHost: string;
  /** Sign-ins that had failed before this one, until they were read. */
  failures: { count: number; last: string } | null;
  /** The role must have a second factor; nothing can be done before. */
  factorNeeded: boolean;
}

export interface Factor {
  id: string;
  /** Of a passkey, as its user calls it; hostile text as any other. */
  name: string;
  since: string;
  used: string | null;
}

/** What somebody has beside a password. */
export interface Factors {
  totp: Factor | null;
  passkeys: Factor[];
  /** Recovery codes that are left. */
  recovery: number;
  required: boolean;
  /** The page was opened under the server's name, which passkeys belong to. */
  possible: boolean;
}

/** A challenge for passkeys: options are the browser's own. */
export interface Challenge {
  options: { publicKey: unknown };
  state: string;
}

/** A secret for an authenticator app, shown once; path draws the dark squares of its QR code. */
export interface NewApp {
  secret: string;
  size: number;
  path: string;
}

export interface StepUpNeed {
  /** Before a code is claimed. */
  control: boolean;
  by: string[];
}

/** Subject and requester are hostile text, as everything a person typed. */
export interface Ticket {
  id: string;
  number: string;
  subject: string;
  requester: string;
  lang: Lang;
  open: boolean;
  created: string;
  updated: string;
  sessions: number;
  /** Name of its service desk; "local" is the embedded one. */
  desk: string;
  /** Its page in another desk, "" where there is none. */
  url: string;
  /** Its desk does not answer: this is how it was seen last. */
  remembered: boolean;
}

export interface DeskInfo {
  name: string;
  system: string;
  /** Finds words; else only the ticket of a number. */
  search: boolean;
  /** Tickets cannot be read: any number is taken for that of an open one. */
  blind: boolean;
}

export interface Policy {
  desk: string;
  ticket: "required" | "allowed" | "created";
  offline: "refuse" | "allow";
}

export interface Desks {
  desks: DeskInfo[];
  policy: Policy;
}

/** A note that is not in its ticket. */
export interface Letter {
  id: string;
  kind: "end" | "closing" | "rated";
  desk: string;
  ticket: { id: string; number: string; subject: string };
  session: string;
  attempts: number;
  created: string;
  /** Of the next try; null if it was given up. */
  next: string | null;
  problem: Problem | null;
  /** In the desk's own words; hostile text. */
  detail: string;
  retry: boolean;
}

export interface Outbox {
  waiting: Letter[];
  dead: Letter[];
}

export const localDesk = "local";

export interface Note {
  id: string;
  author: string;
  text: string;
  public: boolean;
  created: string;
}

export interface TicketSession {
  id: string;
  technician: string;
  started: string;
  ended: string | null;
  reason: string | null;
}

/** How the note of a session stands in its ticket; "" before its end. */
export type NoteState = "" | "waiting" | "written" | "dead";

export interface HeldSession extends TicketSession {
  note: NoteState;
}

export interface TicketDetail {
  ticket: Ticket;
  notes: Note[];
  sessions: HeldSession[];
  /** Why its desk does not tell how it stands now. */
  problem: Problem | null;
}

export interface Session extends TicketSession {
  ticket: { id: string; number: string; subject: string };
  events: number;
  /** The person says that something was wrong. */
  reported: boolean;
}

/** Somebody who is in an open session. */
export interface Present {
  id: string;
  technician: string;
  kind: "lead" | "expert" | "observer";
  leads: boolean;
  me: boolean;
  joined: string;
  lost: string | null;
  grants: { name: string; since: string }[];
}

/** An open session, as a supervisor sees it. */
export interface LiveSession {
  id: string;
  ticket: Session["ticket"];
  person: string;
  host: string;
  started: string;
  hostLost: string | null;
  participants: Present[];
  trouble: { what: string; participant: string; since: string }[];
  /** The standing grants are known. */
  counted: boolean;
  watch: "asked" | "invited" | "declined" | null;
}

/** Somebody who waits for a technician; all of it is hostile text. */
export interface Waiting {
  id: string;
  name: string;
  trouble: string;
  phone: string;
  lang: Lang;
  /** Number of the ticket whose link they came by. */
  ticket: string;
  since: string;
}

export interface WaitingRoom {
  waiting: Waiting[];
  targetMs: number;
  now: string;
}

/** Figures of a day. */
export interface Figures {
  hours: { from: string; sessions: number }[];
  sessions: number;
  open: number;
  medianMs: number;
  resolved: Record<string, number>;
  unsaid: number;
  scores: number[];
  recurs: { subject: string; sessions: number; tickets: number }[];
  waited: { taken: number; inTime: number };
}

/** Somebody would like to watch a session that we lead. */
export interface Watch {
  session: string;
  supervisor: string;
}

export interface LogEvent {
  index: number;
  time: string;
  type: string;
  outcome: string;
  actor: { kind: string; ref: string; name: string | null };
  origin: string;
  monoMs: number;
  data: Record<string, unknown>;
  /** The opened personal part, or why there is none to show. */
  personal: Record<string, unknown> | "sealed" | "purged" | null;
  leaf: string;
}

export interface SessionLog {
  session: Session;
  events: LogEvent[];
  tree: { size: number; root: string };
}

export interface SignInLink {
  role: Role;
  name: string | null;
  /** A new password for that name, instead of a new account. */
  reset: boolean;
}

export type SessionFormat = "html" | "pdf" | "csv" | "jsonl" | "proof";
export type ListFormat = "csv" | "jsonl";

export type TicketState = "open" | "closed" | "all";

/** A link for the person who needs help. It gives no right. */
export interface PersonLink {
  url: string;
  lang: Lang;
  expires: string;
}

/** Why a request did not work: message is a sentence for the reader. */
export class Problem extends Error {
  constructor(
    readonly status: number, // 0: no answer came
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function asProblem(e: unknown): Problem {
  return e instanceof Problem ? e : new Problem(0, "ANSWER", t("problem.answer"));
}

const timeoutMs = 20_000;

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new Problem(0, "NETWORK", t("problem.network"));
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

export async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await ask(method, path, body);
  if (answer.status === 204) return null;
  try {
    return await answer.json();
  } catch {
    throw new Problem(answer.status, "ANSWER", t("problem.answer"));
  }
}

async function refusal(answer: Response): Promise<Problem> {
  let code = `HTTP_${answer.status}`;
  let message =
    answer.status === 401 ? t("problem.signed_out") : t("problem.status", { status: answer.status });
  try {
    const error = record(record(await answer.json())["error"]);
    code = string(error, "code");
    message = string(error, "message") || message;
  } catch {
    // Not the agreed shape: a proxy in between, say. The general sentence holds.
  }
  return new Problem(answer.status, code, message);
}

export const at = (path: string, query: Record<string, string>): string =>
  `${path}?${new URLSearchParams(query)}`;
export const id = encodeURIComponent;

export const api = {
  async signIn(name: string, password: string, code = ""): Promise<Me> {
    return me(await call("POST", "/api/v1/signin", { name, password, code }));
  },
  async link(token: string): Promise<SignInLink> {
    const o = record(await call("GET", at("/api/v1/signin/link", { token })));
    return { role: role(o), name: optional(o, "name"), reset: o["reset"] === true };
  },
  async takeLink(token: string, name: string, password: string): Promise<Me> {
    return me(await call("POST", "/api/v1/signin/link", { token, name, password }));
  },
  async providers(): Promise<{ name: string; label: string }[]> {
    return list(await call("GET", "/api/v1/signin/providers"), "providers", (v) => {
      const o = record(v);
      return { name: string(o, "name"), label: string(o, "label") };
    });
  },
  async signOut(): Promise<void> {
    await call("POST", "/api/v1/signout", {});
  },
  async me(): Promise<Me> {
    return me(await call("GET", "/api/v1/me"));
  },
  async setLang(lang: Lang): Promise<void> {
    await call("PUT", "/api/v1/me/lang", { lang });
  },
  async sawFailures(): Promise<void> {
    await call("POST", "/api/v1/me/failures", {});
  },
  async factors(): Promise<Factors> {
    const o = record(await call("GET", "/api/v1/me/factors"));
    return {
      totp: o["totp"] === null ? null : factor(o["totp"]),
      passkeys: list(o, "passkeys", factor),
      recovery: integer(o, "recovery"),
      required: o["required"] === true,
      possible: o["passkeys_possible"] === true,
    };
  },
  async removeFactor(factorID: string): Promise<void> {
    await call("DELETE", `/api/v1/me/factors/${id(factorID)}`);
  },
  async newApp(): Promise<NewApp> {
    const o = record(await call("POST", "/api/v1/me/totp", {}));
    const qr = record(o["qr"]);
    return { secret: string(o, "secret"), size: integer(qr, "size"), path: string(qr, "path") };
  },
  /** The recovery codes that came with it; null if there were some already. */
  async confirmApp(code: string): Promise<string[] | null> {
    const o = record(await call("POST", "/api/v1/me/totp/confirm", { code }));
    return o["recovery"] === null ? null : list(o, "recovery", text);
  },
  async newRecovery(): Promise<string[]> {
    return list(await call("POST", "/api/v1/me/recovery", {}), "recovery", text);
  },
  async stepUpNeed(): Promise<StepUpNeed> {
    const o = record(await call("GET", "/api/v1/stepup"));
    return { control: o["control"] === true, by: list(o, "by", text) };
  },
  async askPasskey(): Promise<Challenge> {
    return challenge(await call("POST", "/api/v1/passkey", {}));
  },
  async signInByPasskey(state: string, credential: unknown): Promise<Me> {
    return me(await call("POST", "/api/v1/signin/passkey", { state, credential }));
  },
  async offerPasskey(): Promise<Challenge> {
    return challenge(await call("POST", "/api/v1/me/passkeys", {}));
  },
  async addPasskey(name: string, state: string, credential: unknown): Promise<void> {
    await call("PUT", "/api/v1/me/passkeys", { name, state, credential });
  },
  async stepUp(
    proof: { code: string } | { password: string } | { passkey: { state: string; credential: unknown } },
  ): Promise<void> {
    await call("POST", "/api/v1/stepup", proof);
  },
  async desks(): Promise<Desks> {
    const o = record(await call("GET", "/api/v1/desks"));
    return { desks: list(o, "desks", deskInfo), policy: policy(o["policy"]) };
  },
  async tickets(state: TicketState, q: string, desk = localDesk): Promise<Ticket[]> {
    return list(await call("GET", at("/api/v1/tickets", { state, q, desk })), "tickets", ticket);
  },
  async queue(): Promise<Ticket[]> {
    return list(await call("GET", "/api/v1/queue"), "tickets", ticket);
  },
  async ticket(ticketID: string): Promise<TicketDetail> {
    const o = record(await call("GET", `/api/v1/tickets/${id(ticketID)}`));
    return {
      ticket: ticket(o["ticket"]),
      notes: list(o, "notes", note),
      sessions: list(o, "sessions", heldSession),
      problem: trouble(o["problem"]),
    };
  },
  async createTicket(subject: string, requester: string, lang: Lang): Promise<Ticket> {
    return ticket(await call("POST", "/api/v1/tickets", { subject, requester, lang }));
  },
  async setOpen(ticketID: string, open: boolean): Promise<Ticket> {
    return ticket(await call("POST", `/api/v1/tickets/${id(ticketID)}/${open ? "open" : "close"}`, {}));
  },
  async addNote(ticketID: string, text: string, isPublic: boolean): Promise<Note> {
    return note(await call("POST", `/api/v1/tickets/${id(ticketID)}/notes`, { text, public: isPublic }));
  },
  async personLink(ticketID: string, lang: Lang): Promise<PersonLink> {
    const o = record(record(await call("POST", "/api/v1/sessions", { ticket: ticketID, lang }))["person"]);
    return { url: string(o, "url"), lang: language(o), expires: string(o, "expires") };
  },
  async outbox(): Promise<Outbox> {
    const o = record(await call("GET", "/api/v1/outbox"));
    return { waiting: list(o, "waiting", letter), dead: list(o, "dead", letter) };
  },
  async retryNote(letterID: string): Promise<void> {
    await call("POST", `/api/v1/outbox/${id(letterID)}/retry`, {});
  },
  async sessions(q: string, before: string): Promise<{ sessions: Session[]; more: boolean }> {
    const o = record(await call("GET", at("/api/v1/sessions", before === "" ? { q } : { q, before })));
    return { sessions: list(o, "sessions", session), more: o["more"] === true };
  },
  async live(): Promise<{ now: string; sessions: LiveSession[] }> {
    const o = record(await call("GET", "/api/v1/supervise/live"));
    return { now: string(o, "now"), sessions: list(o, "sessions", liveSession) };
  },
  async figures(since: Date): Promise<Figures> {
    return figures(await call("GET", at("/api/v1/supervise/figures", { since: String(since.getTime()) })));
  },
  async waiting(): Promise<WaitingRoom> {
    const o = record(await call("GET", "/api/v1/waiting"));
    return { waiting: list(o, "waiting", waiting), targetMs: integer(o, "target_ms"), now: string(o, "now") };
  },
  async takeWaiting(personID: string): Promise<Ticket> {
    return ticket(record(await call("POST", `/api/v1/waiting/${id(personID)}/take`, {}))["ticket"]);
  },
  async askToWatch(sessionID: string): Promise<void> {
    await call("POST", `/api/v1/supervise/sessions/${id(sessionID)}/watch`, {});
  },
  async watches(): Promise<Watch[]> {
    return list(await call("GET", "/api/v1/watches"), "watches", (v) => {
      const o = record(v);
      return { session: string(o, "session"), supervisor: string(o, "supervisor") };
    });
  },
  async answerWatch(sessionID: string, invited: boolean): Promise<void> {
    await call("POST", `/api/v1/sessions/${id(sessionID)}/watched`, { invited });
  },
  async endSession(sessionID: string, why: string): Promise<void> {
    await call("POST", `/api/v1/sessions/${id(sessionID)}/end`, { why });
  },
  async closing(sessionID: string, text: string, resolution: string): Promise<void> {
    await call("POST", `/api/v1/sessions/${id(sessionID)}/closing`, { text, resolution });
  },
  async sessionLog(sessionID: string): Promise<SessionLog> {
    const o = record(await call("GET", `/api/v1/sessions/${id(sessionID)}/events`));
    const tree = record(o["tree"]);
    return {
      session: session(o["session"]),
      events: list(o, "events", logEvent),
      tree: { size: integer(tree, "size"), root: string(tree, "root") },
    };
  },
  /** What a session is verified with: not looked at here, it is hostile until it is proven. */
  async proof(sessionID: string): Promise<unknown> {
    return call("GET", `/api/v1/sessions/${id(sessionID)}/proof`);
  },
  async exportSession(sessionID: string, format: SessionFormat, personal: boolean): Promise<Download> {
    const query = { format, lang: lang(), ...(personal ? { personal: "1" } : {}) };
    return download(at(`/api/v1/sessions/${id(sessionID)}/export`, query));
  },
  async exportList(format: ListFormat, q: string): Promise<Download> {
    return download(at("/api/v1/sessions/export", { format, q }));
  },
  async linkReceipt(sessionID: string): Promise<{ path: string; until: string }> {
    const o = record(await call("POST", `/api/v1/sessions/${id(sessionID)}/receipt`, {}));
    return { path: string(o, "path"), until: string(o, "until") };
  },
  async receipt(token: string): Promise<Download> {
    return download(`/api/v1/receipts/${id(token)}`);
  },
};

/** A file that the server gave out, under its name. */
export interface Download {
  name: string;
  body: Blob;
}

async function download(path: string): Promise<Download> {
  const answer = await ask("GET", path);
  const name = /filename="([A-Za-z0-9._-]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
  return { name: name ?? "mainforte", body: await answer.blob() };
}

// Shapes. A missing or mistyped field is a TypeError, which asProblem puts into words.

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

function language(o: Record<string, unknown>): Lang {
  const l = o["lang"];
  return typeof l === "string" && isLang(l) ? l : "en";
}

export function role(o: Record<string, unknown>): Role {
  const r = string(o, "role");
  if (r !== "technician" && r !== "supervisor" && r !== "auditor" && r !== "admin")
    throw new TypeError("unknown role");
  return r;
}

function me(v: unknown): Me {
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
  };
}

function failures(v: unknown): Me["failures"] {
  if (v === undefined || v === null) return null;
  const o = record(v);
  return { count: integer(o, "count"), last: string(o, "last") };
}

function factor(v: unknown): Factor {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    since: string(o, "since"),
    used: optional(o, "used"),
  };
}

function challenge(v: unknown): Challenge {
  const o = record(v);
  return { options: { publicKey: record(o["options"])["publicKey"] }, state: string(o, "state") };
}

function text(v: unknown): string {
  if (typeof v !== "string") throw new TypeError("not a text");
  return v;
}

function ticket(v: unknown): Ticket {
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
  };
}

/** Only what a link may lead to: a desk's answer is hostile. */
function webAddress(s: string | null): string {
  return s !== null && /^https?:\/\//.test(s) && URL.canParse(s) ? s : "";
}

function deskInfo(v: unknown): DeskInfo {
  const o = record(v);
  return {
    name: string(o, "name"),
    system: string(o, "system"),
    search: o["search"] === true,
    blind: o["blind"] === true,
  };
}

function policy(v: unknown): Policy {
  const o = record(v);
  const ticket = o["ticket"];
  return {
    desk: optional(o, "desk") ?? localDesk,
    ticket: ticket === "allowed" || ticket === "created" ? ticket : "required",
    offline: o["offline"] === "allow" ? "allow" : "refuse",
  };
}

function trouble(v: unknown): Problem | null {
  if (v === undefined || v === null) return null;
  const o = record(v);
  return new Problem(0, string(o, "code"), string(o, "message"));
}

function heldSession(v: unknown): HeldSession {
  const n = record(v)["note"];
  return { ...ticketSession(v), note: n === "waiting" || n === "written" || n === "dead" ? n : "" };
}

function note(v: unknown): Note {
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

function letter(v: unknown): Letter {
  const o = record(v);
  return {
    id: string(o, "id"),
    kind: o["kind"] === "closing" || o["kind"] === "rated" ? o["kind"] : "end",
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

function session(v: unknown): Session {
  const o = record(v);
  return {
    ...ticketSession(v),
    ticket: shortTicket(o["ticket"]),
    events: typeof o["events"] === "number" ? o["events"] : 0,
    reported: o["reported"] === true,
  };
}

function liveSession(v: unknown): LiveSession {
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

function waiting(v: unknown): Waiting {
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

function figures(v: unknown): Figures {
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

function logEvent(v: unknown): LogEvent {
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

// What the server's JSON interface speaks of.
import type { Lang } from "../i18n.svelte";
import type { Problem } from "./problem";

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
  /** The same, and there is one: it must be shown first. */
  proofNeeded: boolean;
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
  /** Where to sign in again, of who has nothing else. */
  provider: { name: string; label: string } | null;
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
  priority: Priority;
  /** Until when it ought to be solved. */
  due: string | null;
  /** Who works on it; null: nobody here. */
  holder: { name: string; me: boolean } | null;
}

export const priorities = ["", "low", "normal", "high", "urgent"] as const;
/** "": nobody says. */
export type Priority = (typeof priorities)[number];

/** A ticket that somebody hands over. Names and note are hostile text. */
export interface Transfer {
  id: string;
  ticket: Ticket;
  from: string;
  to: string;
  team: boolean;
  /** Empty once it was taken. */
  note: string;
  /** It was handed back. */
  back: boolean;
  created: string;
  /** Handed to who is signed in, or to a team of theirs. */
  mine: boolean;
  /** Nobody to whom it was handed can take it any more: everybody may. */
  orphan: boolean;
  /** Name of who took it. */
  taken: string | null;
  /** Who leads the open session of its ticket. */
  lead: string | null;
}

export interface Work {
  toTake: Transfer[];
  sent: Transfer[];
  away: boolean;
  /** By the server's clock. */
  now: string;
}

export const presences = ["available", "away", "gone"] as const;
/** away: they say so. gone: they have had no page open for a while. */
export type Presence = (typeof presences)[number];

export interface Colleague {
  id: string;
  name: string;
  state: Presence;
  since: string | null;
  me: boolean;
}

export interface Crew {
  id: string;
  name: string;
  tier: number;
  members: number;
  available: number;
}

export interface Colleagues {
  colleagues: Colleague[];
  teams: Crew[];
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
  kind: "end" | "closing" | "rated" | "waited" | "handed" | "appointed";
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
  /** Its closing note can be written by who is signed in. */
  closable: boolean;
  /** They may make a solution of it. */
  promotable: boolean;
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

/** A file that the server gave out, under its name. */
export interface Download {
  name: string;
  body: Blob;
}

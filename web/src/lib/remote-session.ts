// The custom element of /viewer/viewer.js, as this page sees it. The page
// passes no text and never sees the code; it only hears how the session stands.

export const states = ["code", "pairing", "asking", "connecting", "live", "ended"] as const;
export type State = (typeof states)[number];

/** What the technician is in a session: only the lead can end it for everybody. */
export const kinds = ["lead", "expert", "observer"] as const;
export type Kind = (typeof kinds)[number];

export interface StateDetail {
  state: State;
  session: string | null;
  reason: string | null;
  kind: Kind;
  /** How many others are in the session. */
  others: number;
  /** Notices that stand in it. */
  notices: number;
  /** Messages that were not read yet. */
  unread: number;
  /** The session's ticket, as who joined by an invite code learns it. */
  ticket: { id: string; number: string } | null;
}

export interface RemoteSession extends HTMLElement {
  readonly state: State;
  /** Asks the person's app for an invite code to watch with, and shows it; false where there can be none now. */
  inviteObserver(): boolean;
  /** What its toolbar offers now. Not there in a viewer of before. */
  offers?(): readonly { id: string; text: string }[];
  /** Presses that button of it. */
  press?(id: string): void;
  /** Ends the session; who does not lead it leaves it. */
  end(): void;
  /** Claims again with the code that was typed, once it is proven who this is. */
  retry(): void;
}

/** States in which leaving the page would cut somebody off. */
export const inProgress = (s: State): boolean =>
  s === "pairing" || s === "asking" || s === "connecting" || s === "live";

/** Reads an mf-state event; null if it is not one. */
export function stateDetail(e: Event): StateDetail | null {
  const d: unknown = e instanceof CustomEvent ? e.detail : null;
  if (typeof d !== "object" || d === null) return null;
  const { state, session, reason, kind, others, notices, unread, ticket } = d as Partial<
    Record<keyof StateDetail, unknown>
  >;
  const known = states.find((s) => s === state);
  if (known === undefined) return null;
  return {
    state: known,
    session: typeof session === "string" ? session : null,
    reason: typeof reason === "string" ? reason : null,
    kind: kinds.find((k) => k === kind) ?? "lead",
    others: typeof others === "number" ? others : 0,
    notices: typeof notices === "number" ? notices : 0,
    unread: typeof unread === "number" ? unread : 0,
    ticket: ticketOf(ticket),
  };
}

function ticketOf(value: unknown): StateDetail["ticket"] {
  if (typeof value !== "object" || value === null) return null;
  const { id, number } = value as { id?: unknown; number?: unknown };
  return typeof id === "string" && id !== "" && typeof number === "string" ? { id, number } : null;
}

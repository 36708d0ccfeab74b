// What stands in the console's tabs.
import type { Problem, TicketDetail } from "../lib/api";
import type { Kind, RemoteSession, StateDetail } from "../lib/remote-session";

/** Something that is loaded: the last good value stays while a new one comes or fails. */
export interface Loaded<T> {
  value: T | null;
  problem: Problem | null;
}

/** A closing note that is being written. */
export interface Closing {
  text: string;
  resolution: string;
  /** Of the desk, that says more about the resolution. */
  code: string;
  done: boolean;
}

export interface TicketTab {
  kind: "ticket";
  id: string;
  number: string;
  detail: Loaded<TicketDetail>;
  draft: string;
  draftPublic: boolean;
  /** The ticket was closed or opened elsewhere while its tab was open. */
  told: "closed" | "opened" | null;
  /** Set when a session of this ticket has just ended. */
  ended: {
    reason: string | null;
    /**
     * "later": the session goes on without us, and its note comes at its end.
     * "there": it stands in another desk. "dead": that desk will not take it.
     */
    note: "waiting" | "written" | "there" | "late" | "later" | "dead";
    id: string | null;
    session: string | null;
    /** What the technician says about it, until it is written. */
    closing: Closing;
  } | null;
}

export interface SessionTab {
  kind: "session";
  key: number;
  /** Empty while a colleague's session is being joined: the session has its ticket. */
  ticket: string;
  number: string;
  role: Kind;
  others: number;
  notices: number;
  /** Messages in it that were not read yet. */
  messages: number;
  /** Something happened in it while nobody looked. */
  unread: boolean;
  /** It began without a ticket, as the policy allows. */
  ticketless: boolean;
  state: StateDetail["state"];
  session: string | null;
  /** Notes that stood in the ticket before: what comes on top is the session's own. */
  before: readonly string[];
  /** Its ticket was closed elsewhere. */
  closed: boolean;
  /** It is asked to whom the ticket goes. */
  handing: boolean;
  element: RemoteSession | null;
}

export type Active =
  { kind: "list" } | { kind: "outbox" } | { kind: "ticket"; id: string } | { kind: "session"; key: number };

export interface Toast {
  text: string;
  undo: (() => void) | null;
}

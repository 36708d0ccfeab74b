// What the element shows of a session: plain values, written by Session alone.

import { GrantState } from "./gen/session_pb";
import { ParticipantKind, Reason } from "./gen/signaling_pb";
import type { Display } from "./displays";
import type { Invite, Member } from "./participants";
import type { RouteFacts } from "./stats";
import type { Grants } from "./tool";
import type { Measured } from "./verdict";

export type State = "code" | "pairing" | "asking" | "connecting" | "live" | "ended";

/** What has just happened and is told for a moment. */
export type News =
  | { readonly kind: "untyped" | "reserved" | "denied" | "ruledOut" | "revoked" | "handedOver" | "lead" }
  | { readonly kind: "displayGone"; readonly name: string }
  | { readonly kind: "pathBack" | "serverBack" | "hostBack"; readonly seconds: number };

export interface View {
  readonly state: State;
  readonly session: string | null;
  /** The session's ticket, as the server named it to who joined; hostile text, cleaned. */
  readonly ticket: { readonly id: string; readonly number: string; readonly subject: string } | null;
  /** Why the claim failed (state code) or the session ended (state ended). */
  readonly reason: Reason | null;
  /** We ended it ourselves. */
  readonly ours: boolean;
  /** A reason that only the host could give, which the server gave in its place. */
  readonly says: Reason | null;
  readonly server: string;
  /** SHA-256 of the key with which the host signs the session's close, hex; empty before the pairing. */
  readonly hostKey: string;
  /** What we are in the session. */
  readonly kind: ParticipantKind;
  /** Everybody in the session as the host knows it; empty with a host that does not say. */
  readonly members: readonly Member[];
  readonly invite: Invite | null;
  readonly view: GrantState;
  readonly control: GrantState;
  /** Every grant by its name, those two included. */
  readonly grants: Grants;
  /** Notices that stand until they are taken back. */
  readonly held: "question" | "own window" | "person" | "password" | "private" | null;
  readonly screen: "locked" | "secure" | null;
  /** What a slow line carries, kbit/s. */
  readonly slowLine: number | null;
  /** How long a picture waits to be painted here, ms. */
  readonly slowBrowser: number | null;
  readonly news: News | null;
  /** Since when each is away (Date.now), or null. */
  readonly serverAway: number | null;
  readonly hostAway: number | null;
  readonly interrupted: number | null;
  /** Until when the host may come back after a restart (Date.now), if the person allowed it. */
  readonly returnUntil: number | null;
  /** Until when it is waited for while it is away and may be restarting. */
  readonly restartUntil: number | null;
  /** Why the way is interrupted, as far as we know. */
  readonly cause: "offline" | "host moved" | null;
  readonly pathUp: boolean;
  /** What the person's computer takes to make a picture while it is slow, ms. */
  readonly slowHost: number | null;
  /** When the server's policy ends the session (Date.now), once that is near. */
  readonly endsAt: number | null;
  /** How the connection goes, and what a picture takes, while somebody looks. */
  readonly route: RouteFacts | null;
  readonly measured: Measured | null;
  /** The person's monitors, and which of them is looked at (null: all). */
  readonly displays: readonly Display[];
  readonly watched: number | null;
  readonly width: number;
  readonly height: number;
}

/** As many as a session may have. */
export const mostMembers = 4;

export const firstView: View = {
  state: "code",
  session: null,
  ticket: null,
  reason: null,
  ours: false,
  says: null,
  server: "",
  hostKey: "",
  kind: ParticipantKind.LEAD,
  members: [],
  invite: null,
  view: GrantState.UNSPECIFIED,
  control: GrantState.UNSPECIFIED,
  grants: {},
  held: null,
  screen: null,
  slowLine: null,
  slowBrowser: null,
  slowHost: null,
  endsAt: null,
  news: null,
  serverAway: null,
  hostAway: null,
  interrupted: null,
  returnUntil: null,
  restartUntil: null,
  cause: null,
  pathUp: false,
  route: null,
  measured: null,
  displays: [],
  watched: null,
  width: 0,
  height: 0,
};

/** Whether the technician drives, or has asked to. */
export type Hands = "yes" | "asked" | "no";

export function handsOf(view: View): Hands {
  if (view.control === GrantState.ALLOWED) return "yes";
  return view.control === GrantState.ASKED ? "asked" : "no";
}

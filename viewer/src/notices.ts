// What the host's notices and answers (PROTOCOL.md §3) change in what is shown.

import { GrantState, NoticeCode, type Notice } from "./gen/session_pb";
import type { News, View } from "./state";

/** What stands from now on, or what has just happened; neither for a notice of a newer host. */
export function noticed({ code, value }: Notice): { change?: Partial<View>; news?: News } {
  switch (code) {
    case NoticeCode.INPUT_HELD_QUESTION:
      return { change: { held: "question" } };
    case NoticeCode.INPUT_HELD_OWN_WINDOW:
      return { change: { held: "own window" } };
    case NoticeCode.INPUT_HELD_PERSON:
      return { change: { held: "person" } };
    case NoticeCode.INPUT_HELD_PASSWORD:
      return { change: { held: "password" } };
    case NoticeCode.INPUT_HELD_PRIVATE:
      return { change: { held: "private" } };
    case NoticeCode.INPUT_RESUMED:
      return { change: { held: null } };
    case NoticeCode.KEY_NOT_TYPED:
      return { news: { kind: "untyped" } };
    case NoticeCode.KEY_RESERVED:
      return { news: { kind: "reserved" } };
    case NoticeCode.SCREEN_LOCKED:
      return { change: { screen: "locked" } };
    case NoticeCode.SECURE_DESKTOP:
      return { change: { screen: "secure" } };
    case NoticeCode.SCREEN_BACK:
      return { change: { screen: null } };
    case NoticeCode.LINE_SLOW:
      return { change: { slowLine: value } };
    case NoticeCode.LINE_GOOD:
      return { change: { slowLine: null } };
    case NoticeCode.HOST_SLOW:
      return { change: { slowHost: value } };
    case NoticeCode.TIME_SHORT:
      return { change: { endsAt: Date.now() + value * 60_000 } };
    case NoticeCode.HOST_GOOD:
      return { change: { slowHost: null } };
    default:
      return {}; // the server says itself that the host's line is away: HostState
  }
}

/** What the person's answer about control is as news; null: the wish or the yes shows itself. */
export function answer(control: GrantState): News | null {
  switch (control) {
    case GrantState.DENIED:
      return { kind: "denied" };
    case GrantState.REVOKED:
      return { kind: "revoked" };
    case GrantState.RULED_OUT:
      return { kind: "ruledOut" };
    case GrantState.HANDED_OVER:
      return { kind: "handedOver" };
    default:
      return null;
  }
}

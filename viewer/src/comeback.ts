// A host that may come back after a restart of its computer, as the person allowed it
// (PROTOCOL.md §3.2): how long that holds, and how long it is waited for.

import { GrantState } from "./gen/session_pb";
import type { Grants } from "./tool";

/** How long a host may come back, from the person's yes, ms. */
const life = 15 * 60_000;

/** Until when the host may come back, in ms since 1970; null: it may not. */
export function returnUntil(grants: Grants, before: number | null): number | null {
  return grants["reconnect"] === GrantState.ALLOWED ? (before ?? Date.now() + life) : null;
}

/** Until when a host that is away since then is waited for as one that restarts; null: as any other. */
export function restartUntil(until: number | null, since: number, graceMs: number): number | null {
  return until === null ? null : Math.min(until, since + graceMs);
}

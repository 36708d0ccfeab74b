// The custom element of /viewer/viewer.js, as this page sees it. The page
// passes no text and never sees the code; it only hears how the session stands.

export const states = ["code", "pairing", "asking", "connecting", "live", "ended"] as const;
export type State = (typeof states)[number];

export interface StateDetail {
  state: State;
  session: string | null;
  reason: string | null;
}

export interface RemoteSession extends HTMLElement {
  readonly state: State;
  end(): void;
}

/** States in which leaving the page would cut somebody off. */
export const inProgress = (s: State): boolean =>
  s === "pairing" || s === "asking" || s === "connecting" || s === "live";

/** Reads an mf-state event; null if it is not one. */
export function stateDetail(e: Event): StateDetail | null {
  const d: unknown = e instanceof CustomEvent ? e.detail : null;
  if (typeof d !== "object" || d === null) return null;
  const { state, session, reason } = d as Partial<Record<keyof StateDetail, unknown>>;
  const known = states.find((s) => s === state);
  if (known === undefined) return null;
  return {
    state: known,
    session: typeof session === "string" ? session : null,
    reason: typeof reason === "string" ? reason : null,
  };
}

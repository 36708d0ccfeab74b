// What the server tells by itself: that a ticket, or what else its kind says, is
// not as it was. One open line, silent while nothing happens; nothing is polled.

const kinds = [
  "closed",
  "opened",
  "assigned",
  "changed",
  "sessions",
  "watch",
  "waiting",
  "work",
  "people",
  "appointments",
] as const;

export interface News {
  /** "" where the kind is of no ticket. */
  ticket: string;
  /** sessions: those that are open are not as they were. watch: somebody would like to watch one that we lead. waiting: others wait than before. work: what is handed from one to another changed. people: somebody is away, or back. appointments: some are not as they were, or come near. */
  kind: (typeof kinds)[number];
  /** It was given to the one who is signed in. */
  mine: boolean;
}

/** Reads one item; null if it is none. */
export function newsItem(text: string): News | null {
  let v: unknown;
  try {
    v = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof v !== "object" || v === null) return null;
  const { ticket, kind, mine } = v as { ticket?: unknown; kind?: unknown; mine?: unknown };
  const known = kinds.find((k) => k === kind);
  return typeof ticket === "string" && known !== undefined
    ? { ticket, kind: known, mine: mine === true }
    : null;
}

/**
 * Listens until what is returned is called. missed: the line was broken, so something may have passed.
 * lost: the line is away, and for good if the browser will not come back by itself;
 * without it, missed is called then.
 */
export function listen(
  heard: (n: News) => void,
  missed: () => void,
  lost?: (forGood: boolean) => void,
): () => void {
  const line = new EventSource("/api/v1/news");
  let opened = false;
  line.onopen = () => {
    if (opened) missed();
    opened = true;
  };
  line.onmessage = (e: MessageEvent<string>) => {
    const n = newsItem(e.data);
    if (n !== null) heard(n);
  };
  // The browser comes back by itself, unless the server said that it shall not: who
  // was signed out, or has pages enough, looks once more and learns which.
  line.onerror = () => {
    const forGood = line.readyState === EventSource.CLOSED;
    if (lost !== undefined) lost(forGood);
    else if (forGood) missed();
  };
  return () => {
    line.close();
  };
}

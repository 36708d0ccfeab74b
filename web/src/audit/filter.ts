// Which sessions are asked for, and the filters that somebody keeps. They are kept in
// this browser, apart for each account: what an auditor looks for is nobody else's.

export interface Filter {
  q: string;
  /** What the person allowed; "" is anything. */
  grant: string;
  /** How it ended; "" is however. */
  reason: string;
  /** Days of the reader's calendar, "2026-11-30"; "" is open. */
  from: string;
  until: string;
}

export const everything: Filter = { q: "", grant: "", reason: "", from: "", until: "" };

/** Those that a person is asked for, in the order of the list. */
export const grants = [
  "view",
  "control",
  "clipboard_in",
  "clipboard_out",
  "file_in",
  "file_out",
  "annotate",
  "screenshot",
  "sysinfo",
  "elevate",
  "reconnect",
] as const;

/** The ends of sessions that people look for; the others have a code of their own in the search. */
export const reasons = [
  "PERSON_STOPPED",
  "TECHNICIAN_ENDED",
  "SUPERVISOR_ENDED",
  "PERSON_DENIED",
  "NO_ANSWER",
  "HOST_QUIT",
  "HOST_GONE",
  "VIEWER_GONE",
  "SIGNED_OUT",
  "TICKET_CLOSED",
  "CERTIFICATE_MISMATCH",
  "PROTOCOL",
  "TAMPERED",
  "LOG_UNAVAILABLE",
  "SERVER_GONE",
] as const;

/** As the server takes it; a day begins and ends where the reader is. */
export function queryOf(f: Filter): Record<string, string> {
  const out: Record<string, string> = { q: f.q.trim() };
  if (f.grant !== "") out["grant"] = f.grant;
  if (f.reason !== "") out["reason"] = f.reason;
  const from = dayAt(f.from, 0);
  const until = dayAt(f.until, 1); // that day too
  if (from !== null) out["from"] = from;
  if (until !== null) out["until"] = until;
  return out;
}

function dayAt(day: string, later: number): string | null {
  const m = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (m === null) return null;
  const at = new Date(Number(m[1]), Number(m[2]) - 1, Number(m[3]) + later);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

export const isEverything = (f: Filter): boolean =>
  f.q.trim() === "" && f.grant === "" && f.reason === "" && f.from === "" && f.until === "";

export interface Kept {
  name: string;
  filter: Filter;
}

export const mostKept = 20;
export const keptNameMax = 40;

const place = (account: string): string => `mf_audit_filters.${account}`;

/** The filters that an account keeps in this browser; whatever else lies there is none. */
export function readKept(account: string): Kept[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(place(account)) ?? "[]");
    return Array.isArray(found) ? found.flatMap(keptOf).slice(0, mostKept) : [];
  } catch {
    return []; // nothing is kept for this page, or what is there is no JSON
  }
}

/** False where the browser keeps nothing. */
export function writeKept(account: string, list: readonly Kept[]): boolean {
  try {
    localStorage.setItem(place(account), JSON.stringify(list));
    return true;
  } catch {
    return false;
  }
}

function keptOf(v: unknown): Kept[] {
  if (typeof v !== "object" || v === null || !("name" in v) || !("filter" in v)) return [];
  const { name, filter } = v;
  if (typeof name !== "string" || typeof filter !== "object" || filter === null) return [];
  const text = (key: keyof Filter): string => {
    const x: unknown = Reflect.get(filter, key);
    return typeof x === "string" ? x : "";
  };
  return [
    {
      name,
      filter: {
        q: text("q"),
        grant: text("grant"),
        reason: text("reason"),
        from: text("from"),
        until: text("until"),
      },
    },
  ];
}

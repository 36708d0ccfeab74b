// A desk and what the server says to it, for its tests.
import { afterEach, beforeEach, vi } from "vitest";
import { api, Problem, type Me, type Note, type Ticket, type TicketDetail } from "../src/lib/api";
import type { RemoteSession, State, StateDetail } from "../src/lib/remote-session";
import { Desk } from "../src/console/desk.svelte";
import { use } from "../src/lib/i18n.svelte";
import { browser } from "./setup";

export const me: Me = {
  id: "u",
  name: "Chloé",
  role: "technician",
  lang: "en",
  organisation: "",
  publicHost: "help.example.org",
  failures: null,
  factorNeeded: false,
  proofNeeded: false,
};
export const ticket = (id: string, open = true): Ticket => ({
  id,
  number: `10${id}`,
  subject: "s",
  requester: "r",
  lang: "en",
  open,
  created: "2026-01-01T00:00:00Z",
  updated: "2026-01-01T00:00:00Z",
  sessions: 0,
  desk: id.includes(":") ? id.slice(0, id.indexOf(":")) : "local",
  url: "",
  remembered: false,
  priority: "",
  due: null,
  holder: null,
});
export const note = (id: string, created = "2026-01-01T00:00:00Z"): Note => ({
  id,
  author: "a",
  text: "t",
  public: false,
  created,
});

/** What the server says and the desk waits for, anew before each test. */
export const server = {
  details: new Map<string, TicketDetail>(),
  pauses: [] as number[],
  during: (() => undefined) as (n: number) => void,
};
export const detail = (id: string): TicketDetail => {
  const d = server.details.get(id);
  if (d === undefined) throw new Problem(404, "NOT_FOUND", "none");
  return structuredClone(d);
};

/** Makes what the server says of a ticket. */
export function turn(id: string, open: boolean): void {
  const d = server.details.get(id);
  if (d !== undefined) d.ticket.open = open;
}

export async function newDesk(role: Me["role"] = "technician"): Promise<Desk> {
  const desk = new Desk({ ...me, role }, (ms) => {
    server.pauses.push(ms);
    server.during(server.pauses.length);
    return Promise.resolve();
  });
  await desk.open("1");
  return desk;
}

export function fakeElement(onend: () => void): RemoteSession {
  return { state: "live" as State, end: onend } as RemoteSession;
}

export const told = (d: Partial<StateDetail>): StateDetail => ({
  state: "code",
  session: null,
  reason: null,
  kind: "lead",
  others: 0,
  notices: 0,
  unread: 0,
  ticket: null,
  ...d,
});

export async function started(desk: Desk, id = "1"): Promise<number> {
  await desk.open(id);
  desk.startSession(detail(id));
  const s = desk.sessions.find((x) => x.ticket === id);
  if (s === undefined) throw new Error("no session tab");
  return s.key;
}

export const settle = async (): Promise<void> => {
  for (let i = 0; i < 60; i++) await Promise.resolve();
};

/** Call it once in a file of tests. */
export function staged(): void {
  beforeEach(() => {
    browser();
    use("en");
    server.pauses = [];
    server.during = () => undefined;
    server.details = new Map(
      ["1", "2", "3"].map((id) => [
        id,
        { ticket: ticket(id), notes: [note("old")], sessions: [], problem: null },
      ]),
    );
    vi.spyOn(api, "tickets").mockResolvedValue({ tickets: [], more: false });
    vi.spyOn(api, "queue").mockResolvedValue([]);
    vi.spyOn(api, "work").mockResolvedValue({
      toTake: [],
      sent: [],
      away: false,
      now: "2026-01-01T00:00:00Z",
    });
    vi.spyOn(api, "ticket").mockImplementation((id) => Promise.resolve().then(() => detail(id)));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });
}

// What the exhibits show: made up, and some of it meant badly.
import type { Desk } from "../src/console/desk.svelte";
import {
  Problem,
  type LiveSession,
  type LogEvent,
  type Me,
  type SessionLog,
  type Ticket,
} from "../src/lib/api";
import { ago, now } from "./still";

/** Markup, direction marks, a word without an end; no character that the tests' font does not have. */
export const hostile =
  '<img src=x onerror="alert(1)"><b>{{7*7}}</b> \u202Egnirts\u202C \u2066a\u2069 Zoë ' + "W".repeat(16);

export const nothing = (): void => undefined;

export const me: Me = {
  id: "u1",
  name: "Camille Lefebvre-Tremblay",
  role: "technician",
  lang: "en",
  organisation: "Hôpital Sainte-Anne",
  publicHost: "help.example.org",
  failures: null,
  factorNeeded: false,
  proofNeeded: false,
};

export const ticket: Ticket = {
  id: "t1",
  number: "MF-1042",
  subject: "L’imprimante du 2e n’imprime plus",
  requester: "Zoé Martin",
  lang: "fr",
  open: true,
  created: ago(300),
  updated: ago(75),
  sessions: 0,
  desk: "local",
  url: "",
  remembered: false,
  priority: "",
  due: null,
  holder: null,
};

export const desk: Pick<Desk, "active" | "open"> = {
  active: { kind: "ticket", id: "t2" },
  open: () => Promise.resolve(),
};

export const problem = (message: string, status = 503): Problem => new Problem(status, "MADE", message);

export const live: LiveSession = {
  id: "s1",
  ticket: { id: "t1", number: "MF-1042", subject: ticket.subject },
  person: "Zoé Martin",
  host: "PC-COMPTA-07",
  started: ago(42),
  hostLost: null,
  participants: [
    {
      id: "1",
      technician: "Camille Lefebvre-Tremblay",
      kind: "lead",
      leads: true,
      me: false,
      joined: ago(42),
      lost: null,
      grants: [
        { name: "view", since: ago(41) },
        { name: "control", since: ago(30) },
        { name: "clipboard_in", since: ago(20) },
      ],
    },
  ],
  trouble: [],
  counted: true,
  watch: null,
};

function event(index: number, minutes: number, type: string, more: Partial<LogEvent> = {}): LogEvent {
  return {
    index,
    time: ago(minutes),
    type,
    outcome: "ok",
    actor: { kind: "person", ref: "", name: null },
    origin: "host",
    monoMs: 0,
    data: {},
    personal: null,
    leaf: "",
    ...more,
  };
}

const technician = { kind: "technician", ref: "u1", name: "Camille Lefebvre-Tremblay" };

export const log: SessionLog = {
  session: {
    id: "01JPX3C8M2",
    technician: "Camille Lefebvre-Tremblay",
    started: ago(60),
    ended: ago(10),
    reason: "person_stopped",
    ticket: live.ticket,
    events: 6,
    reported: false,
  },
  events: [
    event(0, 60, "session.opened", { actor: technician, origin: "server", data: { nameplate: "482" } }),
    event(1, 50, "consent.granted", { data: { grant: "control" }, monoMs: 92_000 }),
    event(2, 44, "file.received", {
      data: { way: "in", size: 123_456_789, sha256: "ab".repeat(32) },
      personal: { name: hostile },
      leaf: "9f".repeat(32),
    }),
    event(3, 30, "session.refused", { outcome: "deny", personal: "sealed" }),
    event(4, 20, "consent.revoked", { data: { grant: "control", by: "person" } }),
    event(5, 10, "session.ended", { outcome: "fail", origin: "server", personal: "purged" }),
  ],
  tree: { size: 6, root: "" },
};

export { ago, now };

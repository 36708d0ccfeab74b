import { render } from "svelte/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import EventRow from "../src/audit/EventRow.svelte";
import { everything, mostKept, queryOf, readKept, writeKept } from "../src/audit/filter";
import { SessionList } from "../src/audit/sessions.svelte";
import { asText, plain } from "../src/audit/text";
import { timeline } from "../src/audit/timeline";
import { api, Problem, type LogEvent, type Session, type SessionLog } from "../src/lib/api";
import { use } from "../src/lib/i18n.svelte";
import { browser } from "./setup";

const event: LogEvent = {
  index: 3,
  time: "2026-11-24T10:00:00.123Z",
  type: "session.ended",
  outcome: "ok",
  actor: { kind: "person", ref: "u_1", name: null },
  origin: "host",
  monoMs: 761_000,
  data: { reason: "PERSON_STOPPED", duration_ms: 761_000 },
  personal: null,
  leaf: "bGVhZg==",
};

const session: Session = {
  id: "S1",
  ticket: { id: "1", number: "1042", subject: "Printer" },
  technician: "Chloé",
  started: "2026-11-24T09:47:00Z",
  ended: "2026-11-24T10:00:00Z",
  reason: "PERSON_STOPPED",
  events: 1,
  reported: false,
};

const log = (e: Partial<LogEvent>): SessionLog => ({
  session,
  events: [{ ...event, ...e }],
  tree: { size: 9, root: "cm9vdA==" },
});
const row = (e: Partial<LogEvent>): string => render(EventRow, { props: { event: { ...event, ...e } } }).body;

beforeEach(() => {
  browser();
  use("en");
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("an event on the page", () => {
  test("is told in words and by its technical name", () => {
    const html = row({});
    for (const want of [
      "Session ended",
      "session.ended",
      "Person",
      "App",
      "Done",
      "PERSON_STOPPED",
      "The person pressed Stop",
      "12 min 41 s",
    ]) {
      expect(html).toContain(want);
    }
  });

  test("that has no words yet still shows its name", () => {
    expect(
      row({
        type: "something.new",
        outcome: "odd",
        origin: "moon",
        actor: { kind: "robot", ref: "", name: null },
      }),
    ).toMatch(/something\.new[\s\S]*odd[\s\S]*robot[\s\S]*moon/);
  });

  test("says plainly when its personal part is sealed or purged", () => {
    expect(row({ personal: "sealed" })).toContain("Sealed: it cannot be opened.");
    expect(row({ personal: "purged" })).toContain("Purged: its key was destroyed.");
  });

  test("is never markup, whatever it holds", () => {
    const evil = "<img src=x onerror=alert(1)>";
    const html = row({
      type: evil,
      outcome: evil,
      origin: evil,
      leaf: evil,
      time: evil,
      actor: { kind: evil, ref: evil, name: evil },
      data: { [evil]: evil, nested: { [evil]: [evil] } },
      personal: { [evil]: evil },
    });
    expect(html).not.toContain("<img");
  });
});

describe("a copied log", () => {
  test("holds each event, the times in UTC, and the root", () => {
    const text = asText(log({ personal: { name: "Ana" } }));
    for (const want of [
      "1042 Printer",
      "3  2026-11-24T10:00:00.123Z  session.ended",
      "reason = PERSON_STOPPED",
      "(name) = Ana",
      "bGVhZg==",
      "Root: cm9vdA==",
    ]) {
      expect(text).toContain(want);
    }
  });

  test("gives a value no line of its own, so it cannot pass for another event", () => {
    const text = asText(
      log({ data: { subject: "x\n4  2026-11-24T10:00:01.000Z  consent.granted\r\u2028y" } }),
    );
    expect(text).not.toMatch(/^4 {2}/m);
    expect(text).toContain("subject = x 4  2026");
  });

  test.each([
    ["a", "a"],
    [1.5, "1.5"],
    [false, "false"],
    [null, "–"],
    [undefined, "–"],
    [{ a: [1] }, '{"a":[1]}'],
  ])("%j reads %s", (v, want) => {
    expect(plain(v)).toBe(want);
  });
});

describe("the list of sessions", () => {
  test("is turned page by page and starts anew with each search", async () => {
    const fetch = vi.spyOn(api, "sessions").mockResolvedValueOnce({ sessions: [session], more: true });
    const list = new SessionList();
    await list.load();
    fetch.mockResolvedValueOnce({ sessions: [{ ...session, id: "S0" }], more: false });
    await list.older();
    expect(fetch).toHaveBeenLastCalledWith({ q: "" }, "S1");
    expect(list.found?.map((s) => s.id)).toEqual(["S0"]);
    expect([list.more, list.pages.from]).toEqual([false, 1]);
    fetch.mockResolvedValueOnce({ sessions: [session], more: true });
    await list.newer();
    expect(fetch).toHaveBeenLastCalledWith({ q: "" }, "");
    expect([list.found?.map((s) => s.id), list.pages.from]).toEqual([["S1"], 0]);
    list.filter.q = " ana ";
    fetch.mockResolvedValueOnce({ sessions: [], more: false });
    await list.load();
    expect(fetch).toHaveBeenLastCalledWith({ q: "ana" }, "");
    expect(list.found).toEqual([]);
  });

  test("keeps what it has when the server fails", async () => {
    const fetch = vi.spyOn(api, "sessions").mockResolvedValueOnce({ sessions: [session], more: true });
    const list = new SessionList();
    await list.load();
    fetch.mockRejectedValueOnce(new Problem(503, "UNAVAILABLE", "no"));
    await list.older();
    expect(list.found).toHaveLength(1);
    expect(list.pages.from).toBe(0);
    fetch.mockResolvedValueOnce({ sessions: [{ ...session, id: "S0" }], more: false });
    await list.older();
    expect(fetch).toHaveBeenLastCalledWith({ q: "" }, "S1");
    fetch.mockRejectedValueOnce(new Problem(503, "UNAVAILABLE", "no"));
    await list.newer();
    expect([list.found?.[0]?.id, list.pages.from]).toEqual(["S0", 1]);
    expect(list.problem?.message).toBe("no");
    expect(list.busy).toBe(false);
  });
});

describe("a filter", () => {
  test("is sent as the server takes it: days of the reader, whole", () => {
    const f = { q: " a ", grant: "control", reason: "LEFT", from: "2026-11-29", until: "2026-11-30" };
    expect(queryOf(f)).toEqual({
      q: "a",
      grant: "control",
      reason: "LEFT",
      from: new Date(2026, 10, 29).toISOString(),
      until: new Date(2026, 11, 1).toISOString(),
    });
    expect(queryOf({ ...everything, from: "yesterday", until: "99-1-1" })).toEqual({ q: "" });
  });

  test("is kept apart for each account, and what else lies there is none", () => {
    const held = new Map<string, string>();
    vi.stubGlobal("localStorage", {
      getItem: (k: string) => held.get(k) ?? null,
      setItem: (k: string, v: string) => held.set(k, v),
    });
    const kept = [{ name: "Control", filter: { ...everything, grant: "control" } }];
    expect(writeKept("u1", kept)).toBe(true);
    expect(readKept("u1")).toEqual(kept);
    expect(readKept("u2")).toEqual([]);
    for (const odd of [
      "{",
      "7",
      "null",
      '[1,{"name":2,"filter":{}},{"name":"x"},{"name":"x","filter":null}]',
    ]) {
      held.set("mf_audit_filters.u1", odd);
      expect(readKept("u1"), odd).toEqual([]);
    }
    held.set("mf_audit_filters.u1", '[{"name":"x","filter":{"q":1,"grant":"view"}}]');
    expect(readKept("u1")).toEqual([{ name: "x", filter: { ...everything, grant: "view" } }]);
    held.set("mf_audit_filters.u1", JSON.stringify(Array(50).fill(kept[0])));
    expect(readKept("u1")).toHaveLength(mostKept);
  });

  test("of a browser that keeps nothing says so", () => {
    expect(readKept("u1")).toEqual([]);
    expect(writeKept("u1", [])).toBe(false);
  });
});

describe("the time axis", () => {
  const at = (type: string, seconds: number, data: Record<string, unknown> = {}): LogEvent => ({
    ...event,
    type,
    time: new Date(Date.parse(session.started) + seconds * 1000).toISOString(),
    data,
  });
  const half = (Date.parse("2026-11-24T10:00:00Z") - Date.parse(session.started)) / 2000;
  const drawn = (events: LogEvent[]): ReturnType<typeof timeline> => timeline({ ...log({}), events });

  test("has a bar for what was allowed, until it was taken back or the end", () => {
    const line = drawn([
      at("session.requested", -5),
      at("consent.granted", 0, { grant: "view", participant: "1" }),
      at("consent.granted", half, { grant: "control", participant: "1" }),
      at("consent.revoked", 2 * half, { grant: "control", participant: "1" }),
      at("consent.denied", half, { grant: "file_in" }),
      at("file.sent", half),
      at("session.ended", 2 * half),
      at("ticket.note_written", 3 * half),
    ]);
    expect(line?.before).toBe(1);
    expect(line?.after).toBe(1);
    expect(line?.lanes.map((l) => [l.kind, l.name, l.bars, l.marks])).toEqual([
      ["grant", "view", [{ from: 0, until: 1 }], []],
      ["grant", "control", [{ from: 0.5, until: 1 }], []],
      ["grant", "file_in", [], [0.5]],
      ["files", "", [], [0.5]],
      ["other", "", [], [1]],
    ]);
  });

  test("holds whatever a log holds", () => {
    const odd = [
      at("participant.joined", 0, { participant: "2 x" }),
      at("session.paused", half, { participant: 7 }),
      at("consent.revoked", half, { grant: "never given" }),
      { ...at("file.sent", 0), time: "no time" },
    ];
    expect(drawn(odd)?.lanes.map((l) => [l.kind, l.name, l.bars.length])).toEqual([
      ["participant", "2_x", 1],
      ["trouble", "", 1],
    ]);
    expect(timeline({ ...log({}), session: { ...session, started: "?" } })).toBeNull();
    expect(timeline({ ...log({}), session: { ...session, ended: session.started } })).toBeNull();
    expect(timeline({ ...log({}), events: [], session: { ...session, ended: null } })).toBeNull();
  });
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, asProblem, Problem } from "../src/lib/api";
import { use } from "../src/lib/i18n.svelte";
import { browser } from "./setup";

const fetched = vi.fn<(path: string, init: RequestInit) => Promise<Response>>();

function answer(status: number, body: unknown): void {
  fetched.mockResolvedValueOnce(new Response(body === undefined ? null : JSON.stringify(body), { status }));
}

async function problemOf(p: Promise<unknown>): Promise<Problem> {
  try {
    await p;
  } catch (e) {
    return asProblem(e);
  }
  throw new Error("it worked");
}

beforeEach(() => {
  browser();
  use("en");
  vi.stubGlobal("fetch", fetched);
});
afterEach(() => {
  fetched.mockReset();
  vi.unstubAllGlobals();
});

describe("a request", () => {
  test("carries JSON only when it has something to say", async () => {
    answer(200, { tickets: [] });
    await api.tickets("open", "a&b=c");
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/v1/tickets?state=open&q=a%26b%3Dc&desk=local");
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ method: "GET", headers: {}, body: null });
    answer(204, undefined);
    await api.setLang("fr");
    expect(fetched.mock.calls[1]?.[1]).toMatchObject({
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: '{"lang":"fr"}',
    });
  });

  test("cannot be led to another path by an id", async () => {
    answer(404, {});
    await problemOf(api.ticket("../me?x"));
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/v1/tickets/..%2Fme%3Fx");
  });

  test("that gets no answer says so", async () => {
    fetched.mockRejectedValueOnce(new TypeError("Failed to fetch"));
    const p = await problemOf(api.me());
    expect([p.status, p.code, p.message]).toEqual([
      0,
      "NETWORK",
      "The server cannot be reached. Check your connection, then try again.",
    ]);
  });
});

describe("a refusal", () => {
  test("is told in the server's own sentence", async () => {
    answer(409, { error: { code: "TICKET_CLOSED", message: "The ticket is closed." } });
    const p = await problemOf(api.setOpen("1", false));
    expect([p.status, p.code, p.message]).toEqual([409, "TICKET_CLOSED", "The ticket is closed."]);
  });

  test.each([
    [502, "<html>Bad gateway", "The server refused (502). Try again in a minute."],
    [401, "", "You are signed out. Sign in again to go on."],
  ])("%d in another shape is told in ours", async (status, body, want) => {
    fetched.mockResolvedValueOnce(new Response(body, { status }));
    expect((await problemOf(api.me())).message).toBe(want);
  });
});

describe("an answer", () => {
  const ticket = {
    id: "1",
    number: "7",
    subject: "s",
    requester: "r",
    lang: "fr",
    open: true,
    created: "c",
    updated: "u",
    sessions: 2,
    desk: "local",
    url: "",
    remembered: false,
    priority: "",
    due: null,
    holder: null,
  };

  test.each([
    ["https://rt.example.org/Ticket/Display.html?id=17", true],
    ["javascript:alert(1)", false],
    ["//elsewhere", false],
    ["https://", false],
  ])("leads to %s: %s", async (url, leads) => {
    answer(200, {
      ticket: { ...ticket, id: "rt:17", desk: "rt", url },
      notes: [],
      sessions: [],
      problem: null,
    });
    expect((await api.ticket("rt:17")).ticket).toMatchObject({ desk: "rt", url: leads ? url : "" });
  });
  test("tells what keeps a desk from answering", async () => {
    const problem = { code: "DESK_AWAY", message: "It does not answer." };
    answer(200, { ticket: { ...ticket, remembered: true }, notes: [], sessions: [], problem });
    const got = await api.ticket("rt:17");
    expect([got.ticket.remembered, got.problem?.code, got.problem?.message]).toEqual([
      true,
      ...Object.values(problem),
    ]);
  });
  test("with an absent list has an empty one", async () => {
    answer(200, { ticket, notes: null, sessions: null });
    expect(await api.ticket("1")).toEqual({ ticket, notes: [], sessions: [], problem: null });
  });

  test.each([
    ["no object", []],
    ["a missing field", { ticket: { ...ticket, subject: undefined } }],
    ["a list that is none", { ticket, notes: "x" }],
  ])("with %s becomes a sentence, not a broken page", async (_, body) => {
    answer(200, body);
    expect((await problemOf(api.ticket("1"))).code).toBe("ANSWER");
  });

  test("about an unknown role is refused", async () => {
    answer(200, { id: "1", name: "n", role: "root", lang: "en" });
    expect((await problemOf(api.me())).code).toBe("ANSWER");
  });

  test("tells a sealed, a purged and an absent personal part apart", async () => {
    const session = {
      id: "S",
      ticket: { id: "1", number: "7", subject: "s" },
      technician: "t",
      started: "a",
      ended: null,
      reason: null,
      events: 1,
    };
    const event = (personal: unknown) => ({
      index: 0,
      time: "t",
      type: "x",
      outcome: "ok",
      actor: { kind: "person", ref: "", name: null },
      origin: "host",
      mono_ms: 5,
      data: null,
      personal,
      leaf: "l",
    });
    answer(200, {
      session,
      events: [null, "sealed", "purged", { name: "n" }].map(event),
      tree: { size: 4, root: "r" },
    });
    const log = await api.sessionLog("S");
    expect(log.events.map((e) => e.personal)).toEqual([null, "sealed", "purged", { name: "n" }]);
    expect(log.events[0]).toMatchObject({ monoMs: 5, data: {} });
  });
});

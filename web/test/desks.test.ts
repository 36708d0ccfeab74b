import { describe, expect, test, vi } from "vitest";
import { api, Problem, type Ticket, type TicketDetail } from "../src/lib/api";
import { Desk } from "../src/console/desk.svelte";
import { me, newDesk, server, settle, staged, started, ticket, told, turn } from "./desk";

staged();

describe("several service desks", () => {
  const desks = [
    { name: "local", system: "local", search: true, blind: false },
    { name: "rt", system: "rt", search: true, blind: false },
  ];
  const policy = { desk: "rt", ticket: "required", offline: "refuse" } as const;
  const held = (state: "" | "waiting" | "written" | "dead"): TicketDetail => ({
    ticket: ticket("rt:17"),
    notes: [],
    sessions: [
      {
        id: "S",
        technician: "Chloé",
        started: "2026-01-01T00:00:00Z",
        ended: null,
        reason: null,
        note: state,
        closable: false,
        promotable: false,
      },
    ],
    problem: null,
  });

  test("begins with the desk of the policy, which is searched and never listed", async () => {
    vi.spyOn(api, "desks").mockResolvedValue({ desks, policy });
    const asked = vi.mocked(api.tickets);
    const desk = new Desk(me);
    await desk.loadDesks();
    expect([desk.where, desk.waitsForQuery, desk.list.value, asked.mock.calls.length]).toEqual([
      "rt",
      true,
      [],
      0,
    ]);
    desk.query = " printer ";
    await desk.loadList();
    expect(asked.mock.lastCall).toEqual(["open", "printer", "rt", ""]);
    desk.query = "";
    desk.choose("local");
    await settle();
    expect(asked.mock.lastCall).toEqual(["open", "", "local", ""]);
  });

  test("shows its own tickets where the desks cannot be told", async () => {
    vi.spyOn(api, "desks").mockRejectedValue(new Problem(0, "NETWORK", "no network"));
    const desk = new Desk(me);
    await desk.loadDesks();
    expect([desk.where, desk.toast?.text, desk.list.value]).toEqual(["local", "no network", []]);
  });

  test("opens the one ticket that Enter finds, and none of two", async () => {
    const desk = new Desk(me);
    server.details.set("rt:17", held(""));
    desk.where = "rt";
    desk.query = "17";
    vi.mocked(api.tickets).mockResolvedValueOnce({
      tickets: [ticket("rt:17"), ticket("rt:18")],
      more: false,
    });
    await desk.find();
    expect(desk.active).toEqual({ kind: "list" });
    vi.mocked(api.tickets).mockResolvedValueOnce({ tickets: [ticket("rt:17")], more: false });
    await desk.find();
    expect(desk.active).toEqual({ kind: "ticket", id: "rt:17" });
  });

  test("says when a desk takes its time, and only while it is asked", async () => {
    vi.useFakeTimers();
    const desk = new Desk(me);
    desk.where = "rt";
    desk.query = "x";
    let answer: (page: { tickets: Ticket[]; more: boolean }) => void = () => undefined;
    vi.mocked(api.tickets).mockReturnValueOnce(new Promise((done) => (answer = done)));
    const asking = desk.loadList();
    expect(desk.slow).toBe(false);
    vi.advanceTimersByTime(5000);
    expect(desk.slow).toBe(true);
    answer({ tickets: [], more: false });
    await asking;
    expect(desk.slow).toBe(false);
    vi.useRealTimers();
  });

  test.each([
    ["written", "there"],
    ["dead", "dead"],
  ] as const)("a note of another desk that is %s", async (state, shown) => {
    const desk = await newDesk();
    server.details.set("rt:17", held(""));
    const key = await started(desk, "rt:17");
    server.during = (n) => server.details.set("rt:17", held(n < 4 ? "waiting" : state));
    desk.heard(key, told({ state: "live", session: "S" }));
    desk.heard(key, told({ state: "ended", session: "S", reason: "PERSON_STOPPED" }));
    await settle();
    expect(desk.current?.ended).toMatchObject({ note: shown, session: "S" });
    expect(server.pauses.length).toBe(4);
  });

  test("whether a session can begin on it", async () => {
    const desk = await newDesk();
    const of = (changed: Partial<Ticket>): Ticket => ({ ...ticket("rt:17"), ...changed });
    expect(desk.startable(of({}))).toBe("yes");
    expect(desk.startable(of({ open: false }))).toBe("elsewhere");
    expect(desk.startable(of({ remembered: true }))).toBe("away");
    desk.policy = { ...desk.policy, offline: "allow" };
    expect(desk.startable(of({ remembered: true }))).toBe("yes");
    expect(desk.startable(of({ remembered: true, open: false }))).toBe("elsewhere");
  });

  test("a session without a ticket keeps a tab apart from the one that joins", async () => {
    const desk = await newDesk();
    desk.startTicketless();
    desk.joinSession();
    desk.startTicketless();
    expect(desk.sessions.map((s) => [s.ticket, s.ticketless])).toEqual([
      ["", true],
      ["", false],
    ]);
    const key = desk.sessions[0]?.key ?? 0;
    expect(desk.active).toEqual({ kind: "session", key });
    // Where one is made for it, its summary is waited for there.
    desk.heard(key, told({ state: "live", session: "S", ticket: { id: "2", number: "102" } }));
    await settle();
    expect(desk.sessions[0]?.number).toBe("102");
    desk.heard(key, told({ state: "ended", session: "S", reason: "PERSON_STOPPED" }));
    await settle();
    expect(desk.active).toEqual({ kind: "ticket", id: "2" });
    expect(desk.current?.ended).toMatchObject({
      session: "S",
      closing: { text: "", resolution: "", code: "", done: false },
    });
  });
});

describe("coming from a service desk", () => {
  test("opens the code field of an open ticket", async () => {
    const desk = await newDesk();
    await desk.launch("1");
    expect(desk.active.kind).toBe("session");
    expect(desk.sessions.map((s) => s.ticket)).toEqual(["1"]);
    await desk.launch("1"); // again: the same one
    expect(desk.sessions.length).toBe(1);
  });

  test("shows a closed ticket, and whoever may not start one the ticket", async () => {
    turn("2", false);
    const desk = await newDesk();
    await desk.launch("2");
    expect(desk.active).toEqual({ kind: "ticket", id: "2" });
    const admin = await newDesk("admin");
    await admin.launch("1");
    expect(admin.active).toEqual({ kind: "ticket", id: "1" });
  });

  test("does not take away somebody who went elsewhere meanwhile", async () => {
    const desk = await newDesk();
    const coming = desk.launch("1");
    desk.go({ kind: "list" });
    await coming;
    expect(desk.active).toEqual({ kind: "list" });
  });
});

describe("what the server tells", () => {
  const news = (kind: "closed" | "opened" | "assigned" | "changed", id = "1", mine = false) => ({
    ticket: id,
    kind,
    mine,
  });

  test("closed elsewhere: a banner in the ticket and in its session", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    desk.go({ kind: "list" });
    const s = desk.sessions[0];
    if (s === undefined) throw new Error("no session");
    s.unread = false;
    turn("1", false);
    await desk.told(news("closed"));
    expect(desk.tickets[0]?.told).toBe("closed");
    expect(desk.tickets[0]?.detail.value?.ticket.open).toBe(false);
    expect([s.closed, s.unread]).toEqual([true, true]);
    await desk.told(news("changed"));
    expect(s.closed).toBe(true);
    turn("1", true);
    await desk.told(news("opened"));
    expect([s.closed, desk.tickets[0]?.told]).toEqual([false, "opened"]);
  });

  test("of other tickets, or what stands there already, needs no banner", async () => {
    const desk = await newDesk();
    await desk.open("1");
    await desk.told(news("closed", "2"));
    await desk.told(news("opened", "1"));
    expect(desk.tickets.map((x) => x.told)).toEqual([null]);
  });

  test("closed by this very page is no news", async () => {
    const desk = await newDesk();
    await started(desk);
    let done: (x: Ticket) => void = () => undefined;
    vi.spyOn(api, "setOpen").mockImplementation(() => new Promise((yes) => (done = yes)));
    const closing = desk.setOpen("1", false);
    await desk.told(news("closed"));
    done(ticket("1", false));
    await closing;
    expect([desk.tickets[0]?.told, desk.sessions[0]?.closed]).toEqual([null, false]);
  });

  test("loads the lists once, and not while only a session is seen", async () => {
    const desk = await newDesk();
    await started(desk);
    const asked = vi.mocked(api.tickets).mock.calls;
    const before = asked.length;
    await Promise.all([desk.told(news("changed", "2")), desk.told(news("closed", "3"))]);
    await settle();
    expect(asked.length).toBe(before);
    desk.go({ kind: "list" });
    await settle();
    expect(asked.length).toBe(before + 1);
    desk.go({ kind: "ticket", id: "1" });
    await settle();
    expect(asked.length).toBe(before + 1);
  });

  test("given to me: in my list, with a word, but not over a session", async () => {
    vi.spyOn(api, "queue").mockResolvedValue([ticket("3")]);
    const desk = await newDesk();
    await desk.told(news("assigned", "3", true));
    expect(desk.queue.map((x) => x.id)).toEqual(["3"]);
    expect(desk.toast?.text).toContain(ticket("3").number);
    desk.toast = null;
    await started(desk);
    await desk.told(news("assigned", "3", true));
    expect(desk.toast).toBeNull();
  });
});

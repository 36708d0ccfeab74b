import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, Problem, type Me, type Note, type Ticket, type TicketDetail } from "../src/lib/api";
import type { RemoteSession, State, StateDetail } from "../src/lib/remote-session";
import { stateDetail } from "../src/lib/remote-session";
import { Desk, noteWaits } from "../src/console/desk.svelte";
import { use } from "../src/lib/i18n.svelte";
import { browser } from "./setup";

const me: Me = {
  id: "u",
  name: "Chloé",
  role: "technician",
  lang: "en",
  organisation: "",
  publicHost: "help.example.org",
};
const ticket = (id: string, open = true): Ticket => ({
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
});
const note = (id: string, created = "2026-01-01T00:00:00Z"): Note => ({
  id,
  author: "a",
  text: "t",
  public: false,
  created,
});

let details: Map<string, TicketDetail>;
const detail = (id: string): TicketDetail => {
  const d = details.get(id);
  if (d === undefined) throw new Problem(404, "NOT_FOUND", "none");
  return structuredClone(d);
};

let pauses: number[];
let during: (n: number) => void;
/** Makes what the server says of a ticket. */
function turn(id: string, open: boolean): void {
  const d = details.get(id);
  if (d !== undefined) d.ticket.open = open;
}

async function newDesk(role: Me["role"] = "technician"): Promise<Desk> {
  const desk = new Desk({ ...me, role }, (ms) => {
    pauses.push(ms);
    during(pauses.length);
    return Promise.resolve();
  });
  await desk.open("1");
  return desk;
}

function fakeElement(onend: () => void): RemoteSession {
  return { state: "live" as State, end: onend } as RemoteSession;
}

const told = (d: Partial<StateDetail>): StateDetail => ({
  state: "code",
  session: null,
  reason: null,
  kind: "lead",
  others: 0,
  notices: 0,
  ticket: null,
  ...d,
});

async function started(desk: Desk, id = "1"): Promise<number> {
  await desk.open(id);
  desk.startSession(detail(id));
  const s = desk.sessions.find((x) => x.ticket === id);
  if (s === undefined) throw new Error("no session tab");
  return s.key;
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 60; i++) await Promise.resolve();
};

beforeEach(() => {
  browser();
  use("en");
  pauses = [];
  during = () => undefined;
  details = new Map(
    ["1", "2", "3"].map((id) => [
      id,
      { ticket: ticket(id), notes: [note("old")], sessions: [], problem: null },
    ]),
  );
  vi.spyOn(api, "tickets").mockResolvedValue([]);
  vi.spyOn(api, "queue").mockResolvedValue([]);
  vi.spyOn(api, "ticket").mockImplementation((id) => Promise.resolve().then(() => detail(id)));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("a session", () => {
  test("is one a ticket, and belongs to an open one; others may run beside it", async () => {
    const desk = await newDesk();
    expect(desk.startable(ticket("1"))).toBe("yes");
    expect(desk.startable(ticket("1", false))).toBe("closed");
    const key = await started(desk);
    expect(desk.startable(ticket("1"))).toBe("resume");
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    expect(desk.startable(ticket("2"))).toBe("yes");
    expect(desk.startable(ticket("1", false))).toBe("resume"); // closing the ticket does not hide the way back
  });

  test.each(["pairing", "asking", "connecting", "live"] as const)(
    "that is %s would be cut off by leaving",
    async (state) => {
      const desk = await newDesk();
      const key = await started(desk);
      expect(desk.live).toEqual([]);
      desk.heard(key, told({ state, session: "S", reason: null }));
      expect(desk.live.map((x) => x.key)).toEqual([key]);
    },
  );

  test("that ended leads to its note as soon as that stands", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    during = (n) => {
      if (n === 3) details.get("1")?.notes.push(note("new", "2026-01-02T00:00:00Z"));
    };
    desk.heard(key, told({ state: "ended", session: "S", reason: "PERSON_STOPPED" }));
    await settle();
    expect(desk.active).toEqual({ kind: "ticket", id: "1" });
    expect(desk.current?.ended).toMatchObject({ reason: "PERSON_STOPPED", note: "written", id: "new" });
    expect(pauses).toEqual(noteWaits.slice(0, 3));
  });

  test("whose note does not come says so, and can be looked at again", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    desk.heard(key, told({ state: "ended", session: "S", reason: null }));
    await settle();
    expect(desk.current?.ended?.note).toBe("late");
    details.get("1")?.notes.push(note("new"));
    desk.lookAgain("1");
    await settle();
    expect(desk.current?.ended).toMatchObject({ note: "written", id: "new" });
  });

  test("that ended does not pull anybody away from another ticket", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    await desk.open("2");
    desk.heard(key, told({ state: "ended", session: "S", reason: "HOST_GONE" }));
    await settle();
    expect(desk.active).toEqual({ kind: "ticket", id: "2" });
    expect(desk.tickets.find((x) => x.id === "1")?.ended?.reason).toBe("HOST_GONE");
  });

  test("that never paired stays where its code can be typed again", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "ended", session: null, reason: "WRONG_CODE" }));
    await settle();
    expect(desk.active).toEqual({ kind: "session", key });
    expect(desk.tickets[0]?.ended).toBeNull();
  });

  test("that goes back to its code starts with a clean sheet", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    details.get("1")?.notes.push(note("new"));
    desk.heard(key, told({ state: "ended", session: "S", reason: null }));
    await settle();
    desk.heard(key, told({ state: "code", session: null, reason: null }));
    desk.go({ kind: "session", key });
    pauses = [];
    desk.heard(key, told({ state: "ended", session: null, reason: "WRONG_CODE" }));
    await settle();
    expect(desk.active).toEqual({ kind: "session", key });
    expect(pauses).toEqual([]);
    expect(desk.sessions[0]?.before).toEqual(["old", "new"]);
  });

  test("is looked after once, however often its end is told", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    desk.heard(key, told({ state: "ended", session: "S", reason: "HOST_QUIT" }));
    desk.heard(key, told({ state: "ended", session: "S", reason: "INTERNAL" }));
    await settle();
    expect(desk.current?.ended?.reason).toBe("HOST_QUIT");
    expect(pauses.length).toBe(noteWaits.length);
  });

  test("stops being asked about once the message is dismissed", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    during = (n) => {
      const tab = desk.tickets.find((x) => x.id === "1");
      if (n === 2 && tab !== undefined) tab.ended = null;
    };
    desk.heard(key, told({ state: "ended", session: "S", reason: null }));
    await settle();
    expect(pauses.length).toBe(2);
  });

  test("keeps its tab until its element says that it is over", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    const end = vi.fn();
    desk.placed(key, fakeElement(end));
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    during = (n) => {
      if (n === 4) desk.heard(key, told({ state: "ended", session: "S", reason: "TECHNICIAN_ENDED" }));
      if (n < 4) expect(desk.sessions).toHaveLength(1);
    };
    await desk.closeSessionTab(key);
    expect(end).toHaveBeenCalledOnce();
    expect(desk.sessions).toHaveLength(0);
    expect(desk.active).toEqual({ kind: "ticket", id: "1" });
  });

  test("whose element never answers does not hold the page for ever", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.placed(
      key,
      fakeElement(() => undefined),
    );
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    await desk.closeSessionTab(key);
    expect(desk.sessions).toHaveLength(0);
    expect(desk.live).toEqual([]);
  });

  test("that ended makes room for the next of the same ticket", async () => {
    const desk = await newDesk();
    const first = await started(desk);
    desk.heard(first, told({ state: "live", session: "S", reason: null }));
    desk.heard(first, told({ state: "ended", session: "S", reason: null }));
    await settle();
    const second = await started(desk);
    expect(second).not.toBe(first);
    expect(desk.sessions).toHaveLength(1);
    expect(desk.current).toBeNull();
    expect(desk.tickets[0]?.ended).toBeNull();
  });
});

describe("several sessions", () => {
  const two = async (): Promise<{ desk: Desk; first: number; second: number }> => {
    const desk = await newDesk();
    const first = await started(desk, "1");
    desk.heard(first, told({ state: "live", session: "S1" }));
    const second = await started(desk, "2");
    desk.heard(second, told({ state: "live", session: "S2" }));
    return { desk, first, second };
  };
  const unread = (desk: Desk): number[] => desk.sessions.filter((s) => s.unread).map((s) => s.key);

  test("run side by side; what happens in one that nobody looks at marks its tab until somebody does", async () => {
    const { desk, first, second } = await two();
    expect(desk.sessions.map((s) => s.state)).toEqual(["live", "live"]);
    expect(unread(desk)).toEqual([]);
    desk.heard(second, told({ state: "live", session: "S2", notices: 1 })); // looked at
    expect(unread(desk)).toEqual([]);
    desk.heard(first, told({ state: "live", session: "S1", notices: 1 }));
    expect(unread(desk)).toEqual([first]);
    desk.go({ kind: "session", key: first });
    expect(unread(desk)).toEqual([]);
    desk.go({ kind: "session", key: second });
    desk.heard(first, told({ state: "live", session: "S1" })); // taken back is no news
    expect(unread(desk)).toEqual([]);
    desk.heard(first, told({ state: "asking", session: "S1" }));
    expect(unread(desk)).toEqual([first]);
  });

  test("end apart: the end of a hidden one leaves the other where it is", async () => {
    const { desk, first, second } = await two();
    desk.heard(first, told({ state: "ended", session: "S1", reason: "PERSON_STOPPED" }));
    await settle();
    expect(desk.active).toEqual({ kind: "session", key: second });
    expect(unread(desk)).toEqual([first]);
    expect(desk.live.map((s) => s.key)).toEqual([second]);
  });

  test("all end before their technician signs out", async () => {
    const { desk, first, second } = await two();
    const ends: number[] = [];
    for (const key of [first, second])
      desk.placed(
        key,
        fakeElement(() => {
          ends.push(key);
          desk.heard(key, told({ state: "ended", session: "S", reason: "TECHNICIAN_ENDED" }));
        }),
      );
    await desk.endAll();
    expect(ends.sort()).toEqual([first, second].sort());
    expect(desk.live).toEqual([]);
  });
});

describe("joining a colleague", () => {
  const joining = async (): Promise<{ desk: Desk; key: number }> => {
    const desk = await newDesk();
    desk.joinSession();
    const key = desk.sessions[0]?.key ?? 0;
    return { desk, key };
  };
  const opened = {
    state: "asking",
    session: "S",
    kind: "expert",
    ticket: { id: "2", number: "102" },
  } as const;

  test("needs no ticket, and one field for the code is enough", async () => {
    const { desk, key } = await joining();
    expect(desk.sessions[0]).toMatchObject({ ticket: "", number: "", state: "code" });
    desk.go({ kind: "list" });
    desk.joinSession();
    expect(desk.sessions).toHaveLength(1);
    expect(desk.active).toEqual({ kind: "session", key });
  });

  test("brings the session's ticket, where its note will stand", async () => {
    const { desk, key } = await joining();
    desk.heard(key, told(opened));
    await settle();
    expect(desk.sessions[0]).toMatchObject({ ticket: "2", number: "102", role: "expert", before: ["old"] });
    details.get("2")?.notes.push(note("new", "2026-01-02T00:00:00Z"));
    desk.heard(key, told({ ...opened, state: "ended", reason: "PERSON_STOPPED" }));
    await settle();
    expect(desk.active).toEqual({ kind: "ticket", id: "2" });
    expect(desk.current?.ended).toMatchObject({ reason: "PERSON_STOPPED", note: "written", id: "new" });
  });

  test("may end by leaving: no note is waited for, since the session goes on", async () => {
    const { desk, key } = await joining();
    desk.heard(key, told(opened));
    desk.heard(key, told({ ...opened, state: "ended", reason: "LEFT" }));
    await settle();
    expect(desk.current?.ended).toMatchObject({ reason: "LEFT", note: "later", id: null });
    expect(pauses).toEqual([]);
  });

  test("that never paired leaves by closing its tab", async () => {
    const { desk, key } = await joining();
    await desk.closeSessionTab(key);
    expect(desk.sessions).toEqual([]);
    expect(desk.active).toEqual({ kind: "list" });
  });
});

describe("ticket tabs", () => {
  test("make room for new ones, but never those with an unfinished note or a session", async () => {
    for (let i = 4; i < 20; i++)
      details.set(String(i), { ticket: ticket(String(i)), notes: [], sessions: [], problem: null });
    const desk = await newDesk();
    await started(desk);
    await desk.open("2");
    const second = desk.tickets.find((x) => x.id === "2");
    if (second !== undefined) second.draft = "half a note";
    for (let i = 3; i < 20; i++) await desk.open(String(i));
    const ids = desk.tickets.map((x) => x.id);
    expect(ids).toHaveLength(8);
    expect(ids).toEqual(expect.arrayContaining(["1", "2", "19"]));
  });

  test("give way to their neighbour when closed", async () => {
    const desk = await newDesk();
    await desk.open("2");
    await desk.open("3");
    desk.closeTicketTab("2");
    expect(desk.active).toEqual({ kind: "ticket", id: "3" });
    desk.closeTicketTab("3");
    expect(desk.active).toEqual({ kind: "ticket", id: "1" });
    desk.closeTicketTab("1");
    expect(desk.active).toEqual({ kind: "list" });
  });

  test("keep what they showed when loading it anew fails", async () => {
    const desk = await newDesk();
    details.delete("1");
    await desk.load("1");
    expect(desk.current?.detail.value?.ticket.id).toBe("1");
    expect(desk.current?.detail.problem?.status).toBe(404);
  });
});

describe("tickets", () => {
  test("of an older search never replace those of a newer one", async () => {
    const desk = await newDesk();
    let late: (t: Ticket[]) => void = () => undefined;
    vi.mocked(api.tickets).mockReturnValueOnce(new Promise((done) => (late = done)));
    const slow = desk.loadList();
    vi.mocked(api.tickets).mockResolvedValueOnce([ticket("2")]);
    await desk.loadList();
    late([ticket("1")]);
    await slow;
    expect(desk.list.value?.map((x) => x.id)).toEqual(["2"]);
  });

  test("that were closed can be opened again from the message, once", async () => {
    const desk = await newDesk();
    const set = vi.spyOn(api, "setOpen").mockImplementation((id, open) => Promise.resolve(ticket(id, open)));
    await desk.setOpen("1", false);
    expect(desk.current?.detail.value?.ticket.open).toBe(false);
    desk.toast?.undo?.();
    await settle();
    expect(set).toHaveBeenLastCalledWith("1", true);
    expect(desk.current?.detail.value?.ticket.open).toBe(true);
    expect(desk.toast?.undo).toBeNull();
  });

  test("keep an unsent note when the server refuses it", async () => {
    const desk = await newDesk();
    const tab = desk.current;
    if (tab === null) throw new Error("no tab");
    tab.draft = "text";
    vi.spyOn(api, "addNote").mockRejectedValueOnce(new Problem(503, "UNAVAILABLE", "no"));
    await expect(desk.addNote("1", "text", true)).rejects.toThrow("no");
    expect(desk.current?.draft).toBe("text");
  });

  test("go back to private after a public note", async () => {
    const desk = await newDesk();
    const tab = desk.current;
    if (tab === null) throw new Error("no tab");
    tab.draftPublic = true;
    vi.spyOn(api, "addNote").mockResolvedValueOnce(note("n"));
    await desk.addNote("1", "text", true);
    expect(desk.current?.draftPublic).toBe(false);
  });
});

describe("what the element tells", () => {
  test("is read when it is as agreed", () => {
    const read = (detail: object): StateDetail | null => stateDetail(new CustomEvent("mf-state", { detail }));
    expect(read({ state: "code" })).toEqual(told({}));
    const detail = told({
      state: "live",
      session: "S",
      kind: "observer",
      others: 2,
      notices: 1,
      ticket: { id: "t", number: "7" },
    });
    expect(read(detail)).toEqual(detail);
    expect(read({ ...detail, kind: "king", others: "2", notices: null, ticket: { id: 7 } })).toEqual(
      told({ state: "live", session: "S" }),
    );
  });

  test.each([null, "live", { state: "dancing" }, {}])("is ignored when it is %j", (d) => {
    expect(stateDetail(new CustomEvent("mf-state", { detail: d }))).toBeNull();
  });
});

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
    expect(asked.mock.lastCall).toEqual(["open", "printer", "rt"]);
    desk.query = "";
    desk.choose("local");
    await settle();
    expect(asked.mock.lastCall).toEqual(["open", "", "local"]);
  });

  test("shows its own tickets where the desks cannot be told", async () => {
    vi.spyOn(api, "desks").mockRejectedValue(new Problem(0, "NETWORK", "no network"));
    const desk = new Desk(me);
    await desk.loadDesks();
    expect([desk.where, desk.toast?.text, desk.list.value]).toEqual(["local", "no network", []]);
  });

  test("opens the one ticket that Enter finds, and none of two", async () => {
    const desk = new Desk(me);
    details.set("rt:17", held(""));
    desk.where = "rt";
    desk.query = "17";
    vi.mocked(api.tickets).mockResolvedValueOnce([ticket("rt:17"), ticket("rt:18")]);
    await desk.find();
    expect(desk.active).toEqual({ kind: "list" });
    vi.mocked(api.tickets).mockResolvedValueOnce([ticket("rt:17")]);
    await desk.find();
    expect(desk.active).toEqual({ kind: "ticket", id: "rt:17" });
  });

  test("says when a desk takes its time, and only while it is asked", async () => {
    vi.useFakeTimers();
    const desk = new Desk(me);
    desk.where = "rt";
    desk.query = "x";
    let answer: (list: Ticket[]) => void = () => undefined;
    vi.mocked(api.tickets).mockReturnValueOnce(new Promise((done) => (answer = done)));
    const asking = desk.loadList();
    expect(desk.slow).toBe(false);
    vi.advanceTimersByTime(5000);
    expect(desk.slow).toBe(true);
    answer([]);
    await asking;
    expect(desk.slow).toBe(false);
    vi.useRealTimers();
  });

  test.each([
    ["written", "there"],
    ["dead", "dead"],
  ] as const)("a note of another desk that is %s", async (state, shown) => {
    const desk = await newDesk();
    details.set("rt:17", held(""));
    const key = await started(desk, "rt:17");
    during = (n) => details.set("rt:17", held(n < 4 ? "waiting" : state));
    desk.heard(key, told({ state: "live", session: "S" }));
    desk.heard(key, told({ state: "ended", session: "S", reason: "PERSON_STOPPED" }));
    await settle();
    expect(desk.current?.ended).toMatchObject({ note: shown, session: "S" });
    expect(pauses.length).toBe(4);
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
      closing: { text: "", resolution: "", done: false },
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

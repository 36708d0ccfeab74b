import { describe, expect, test, vi } from "vitest";
import { api, Problem, type Ticket } from "../src/lib/api";
import { stateDetail, type StateDetail } from "../src/lib/remote-session";
import { Desk } from "../src/console/desk.svelte";
import { fakeElement, newDesk, note, server, settle, staged, started, ticket, told } from "./desk";
import { awaitOneMore, lookAgain, noteWaits } from "../src/console/notes";

staged();

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
    server.during = (n) => {
      if (n === 3) server.details.get("1")?.notes.push(note("new", "2026-01-02T00:00:00Z"));
    };
    desk.heard(key, told({ state: "ended", session: "S", reason: "PERSON_STOPPED" }));
    await settle();
    expect(desk.active).toEqual({ kind: "ticket", id: "1" });
    expect(desk.current?.ended).toMatchObject({ reason: "PERSON_STOPPED", note: "written", id: "new" });
    expect(server.pauses).toEqual(noteWaits.slice(0, 3));
  });

  test("whose note does not come says so, and can be looked at again", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    desk.heard(key, told({ state: "ended", session: "S", reason: null }));
    await settle();
    expect(desk.current?.ended?.note).toBe("late");
    server.details.get("1")?.notes.push(note("new"));
    lookAgain(desk, "1");
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
    server.details.get("1")?.notes.push(note("new"));
    desk.heard(key, told({ state: "ended", session: "S", reason: null }));
    await settle();
    desk.heard(key, told({ state: "code", session: null, reason: null }));
    desk.go({ kind: "session", key });
    server.pauses = [];
    desk.heard(key, told({ state: "ended", session: null, reason: "WRONG_CODE" }));
    await settle();
    expect(desk.active).toEqual({ kind: "session", key });
    expect(server.pauses).toEqual([]);
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
    expect(server.pauses.length).toBe(noteWaits.length);
  });

  test("stops being asked about once the message is dismissed", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    server.during = (n) => {
      const tab = desk.tickets.find((x) => x.id === "1");
      if (n === 2 && tab !== undefined) tab.ended = null;
    };
    desk.heard(key, told({ state: "ended", session: "S", reason: null }));
    await settle();
    expect(server.pauses.length).toBe(2);
  });

  test("keeps its tab until its element says that it is over", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    const end = vi.fn();
    desk.placed(key, fakeElement(end));
    desk.heard(key, told({ state: "live", session: "S", reason: null }));
    server.during = (n) => {
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

  test("whose closing note is on its way is looked for until it has come, and not for ever", async () => {
    const desk = await newDesk();
    server.during = (n) => {
      if (n === 3) server.details.get("1")?.notes.push(note("closing"));
    };
    await awaitOneMore(desk, "1");
    expect(desk.tickets[0]?.detail.value?.notes.map((n) => n.id)).toEqual(["old", "closing"]);
    expect(server.pauses).toHaveLength(3);
    await awaitOneMore(desk, "1"); // it never comes
    expect(server.pauses).toHaveLength(3 + noteWaits.length);
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
    desk.heard(first, told({ state: "live", session: "S1", unread: 1 })); // a message
    expect(unread(desk)).toEqual([first]);
    desk.go({ kind: "session", key: first });
    desk.heard(first, told({ state: "live", session: "S1" })); // it was read
    desk.go({ kind: "session", key: second });
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
    server.details.get("2")?.notes.push(note("new", "2026-01-02T00:00:00Z"));
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
    expect(server.pauses).toEqual([]);
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
      server.details.set(String(i), { ticket: ticket(String(i)), notes: [], sessions: [], problem: null });
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
    server.details.delete("1");
    await desk.load("1");
    expect(desk.current?.detail.value?.ticket.id).toBe("1");
    expect(desk.current?.detail.problem?.status).toBe(404);
  });
});

describe("tickets", () => {
  test("of an older search never replace those of a newer one", async () => {
    const desk = await newDesk();
    let late: (t: { tickets: Ticket[]; more: boolean }) => void = () => undefined;
    vi.mocked(api.tickets).mockReturnValueOnce(new Promise((done) => (late = done)));
    const slow = desk.loadList();
    vi.mocked(api.tickets).mockResolvedValueOnce({ tickets: [ticket("2")], more: false });
    await desk.loadList();
    late({ tickets: [ticket("1")], more: false });
    await slow;
    expect(desk.list.value?.map((x) => x.id)).toEqual(["2"]);
  });

  test("are turned page by page; a new search begins with the first, and so does a page that is gone", async () => {
    const desk = await newDesk();
    const asked = vi.mocked(api.tickets);
    const page = async (id: string, more: boolean, turn: () => Promise<void>): Promise<void> => {
      asked.mockResolvedValueOnce({ tickets: id === "" ? [] : [ticket(id)], more });
      await turn();
    };
    await page("1", true, () => desk.loadList());
    await page("2", true, () => desk.turn(true));
    expect([asked.mock.lastCall?.[3], desk.pages.from, desk.moreTickets]).toEqual(["1", 1, true]);
    await page("3", false, () => desk.turn(true));
    await page("2", true, () => desk.turn(false));
    expect([asked.mock.lastCall?.[3], desk.pages.from, desk.list.value?.[0]?.id]).toEqual(["1", 1, "2"]);
    // News load the page again that is shown.
    await page("2", true, () => desk.loadList());
    expect(asked.mock.lastCall?.[3]).toBe("1");
    asked.mockRejectedValueOnce(new Problem(503, "UNAVAILABLE", "no"));
    await desk.turn(true);
    expect([desk.pages.from, desk.list.value?.[0]?.id]).toEqual([1, "2"]);
    asked.mockResolvedValueOnce({ tickets: [], more: false });
    await page("9", true, () => desk.loadList());
    expect([desk.pages.from, desk.list.value?.[0]?.id]).toEqual([0, "9"]);
    desk.query = "x";
    await page("4", false, () => desk.loadList());
    expect([asked.mock.lastCall?.[3], desk.pages.from]).toEqual(["", 0]);
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
      unread: 3,
      ticket: { id: "t", number: "7" },
    });
    expect(read(detail)).toEqual(detail);
    expect(
      read({ ...detail, kind: "king", others: "2", notices: null, unread: "3", ticket: { id: 7 } }),
    ).toEqual(told({ state: "live", session: "S" }));
  });

  test.each([null, "live", { state: "dancing" }, {}])("is ignored when it is %j", (d) => {
    expect(stateDetail(new CustomEvent("mf-state", { detail: d }))).toBeNull();
  });
});

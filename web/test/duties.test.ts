import { describe, expect, test, vi } from "vitest";
import { api, Problem, type Transfer, type Work } from "../src/lib/api";
import { dueState, matching, whoseQueue } from "../src/console/duties.svelte";
import { handOver, takeOver } from "../src/console/handing";
import { newDesk, settle, staged, ticket } from "./desk";

staged();

const now = Date.parse("2026-11-30T12:00:00Z");
const transfer = (id: string, more: Partial<Transfer> = {}): Transfer => ({
  id,
  ticket: ticket("1"),
  from: "Ann",
  to: "Chloé",
  team: false,
  note: "n",
  back: false,
  created: "2026-11-30T11:00:00Z",
  mine: true,
  orphan: false,
  taken: null,
  lead: null,
  ...more,
});
const work = (more: Partial<Work>): Work => ({
  toTake: [],
  sent: [],
  away: false,
  now: "2026-11-30T12:00:00Z",
  ...more,
});

describe("what is due", () => {
  test.each([
    [null, null],
    ["not a time", null],
    ["2026-11-30T11:59:59Z", "late"],
    ["2026-11-30T12:00:00Z", "soon"],
    ["2026-11-30T14:00:00Z", "soon"],
    ["2026-11-30T14:00:01Z", null],
  ])("%s is %s", (due, want) => {
    expect(dueState(due, now)).toBe(want);
  });
});

test("the queue is looked through without regard to case and accents", () => {
  const list = [
    { ...ticket("1"), subject: "Écran noir" },
    { ...ticket("2"), requester: "Zoé" },
  ];
  expect(matching(list, " ecran  NOIR").map((x) => x.id)).toEqual(["1"]);
  expect(matching(list, "zoe 102").map((x) => x.id)).toEqual(["2"]);
  expect(matching(list, "").length).toBe(2);
});

test("whose tickets are shown outlives the page", async () => {
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (k: string) => kept.get(k) ?? null,
    setItem: (k: string, v: string) => void kept.set(k, v),
  });
  const queue = vi.spyOn(api, "queue").mockResolvedValue([ticket("7")]);
  const desk = await newDesk();
  expect(desk.whose).toBe("all");
  desk.showQueue("team");
  await settle();
  expect(queue).toHaveBeenLastCalledWith("team");
  expect(desk.queued.map((x) => x.id)).toEqual(["7"]);
  expect((await newDesk()).whose).toBe("team");
  // Who works on no tickets has none.
  whoseQueue.keep("mine");
  expect((await newDesk("admin")).whose).toBe("all");
});

test("a queue that fails keeps what it has and says so", async () => {
  const queue = vi.spyOn(api, "queue").mockResolvedValue([ticket("7")]);
  const desk = await newDesk();
  await desk.loadQueue();
  queue.mockRejectedValue(new Problem(0, "NETWORK", "lost"));
  await desk.loadQueue();
  expect([desk.queue.length, desk.queueProblem?.code]).toEqual([1, "NETWORK"]);
});

describe("what is handed over", () => {
  test("is said once, when it comes, and not over a session", async () => {
    const asked = vi.spyOn(api, "work").mockResolvedValue(work({ toTake: [transfer("a")] }));
    const desk = await newDesk();
    await desk.loadDuties();
    expect(desk.toast).toBeNull(); // it was there already
    asked.mockResolvedValue(work({ toTake: [transfer("a"), transfer("b", { from: "Bob <b>" })] }));
    await desk.told({ kind: "work", ticket: "", mine: false });
    expect(desk.toast?.text).toContain("Bob <b> hands you");
    expect(desk.duties.ours).toBe(2);
    desk.toast = null;
    await desk.loadDuties();
    expect(desk.toast).toBeNull();
    desk.active = { kind: "session", key: 1 };
    asked.mockResolvedValue(work({ toTake: [transfer("c")] }));
    await desk.loadDuties();
    expect(desk.toast).toBeNull();
  });

  test("to others is no badge of ours", async () => {
    vi.spyOn(api, "work").mockResolvedValue(
      work({ toTake: [transfer("a", { mine: false }), transfer("b", { mine: false, orphan: true })] }),
    );
    const desk = await newDesk("supervisor");
    await desk.loadDuties();
    expect(desk.duties.ours).toBe(1);
  });

  test("the sender hears who took it, and undoes it before that, note and all", async () => {
    const asked = vi.spyOn(api, "work").mockResolvedValue(work({ sent: [transfer("a", { note: "long" })] }));
    const undone = vi.spyOn(api, "undoTransfer").mockResolvedValue();
    vi.spyOn(api, "handOver").mockResolvedValue();
    const desk = await newDesk();
    await handOver(desk, ticket("1"), { user: "u" }, "Bob", "long");
    desk.toast?.undo?.();
    await settle();
    expect(undone).toHaveBeenCalledWith("a");
    expect(desk.drafts["1"]).toBe("long");
    asked.mockResolvedValue(work({ sent: [transfer("a", { taken: "Bob", note: "" })] }));
    await desk.loadDuties();
    expect(desk.toast?.text).toContain("Bob took");
    expect(desk.duties.waiting("1")).toBeNull();
  });

  test("the slower of two learns it", async () => {
    vi.spyOn(api, "takeTransfer").mockRejectedValue(new Problem(409, "TRANSFER_GONE", "gone"));
    const desk = await newDesk();
    await takeOver(desk, transfer("a"));
    expect(desk.toast?.text).toBe("gone");
    expect(desk.active).toEqual({ kind: "ticket", id: "1" });
  });
});

test("being away is kept only once the server has it", async () => {
  const set = vi.spyOn(api, "setAway").mockRejectedValue(new Problem(0, "NETWORK", "lost"));
  const desk = await newDesk();
  await desk.setAway(true);
  expect([desk.duties.away, desk.toast?.text]).toEqual([false, "lost"]);
  set.mockResolvedValue();
  await desk.setAway(true);
  expect(desk.duties.away).toBe(true);
});

test("what was asked for before we said to be away does not undo it", async () => {
  const desk = await newDesk();
  let answer: (w: Work) => void = () => undefined;
  vi.spyOn(api, "work").mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
  vi.spyOn(api, "setAway").mockResolvedValue(undefined);
  const loading = desk.duties.load();
  await desk.setAway(true);
  answer(work({ toTake: [transfer("a")] }));
  await loading;
  expect([desk.duties.away, desk.duties.toTake.length]).toEqual([true, 1]);
});

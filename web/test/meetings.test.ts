import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { appointment, appointmentsApi, type Appointment } from "../src/lib/appointments";
import { timeSpan } from "../src/lib/format";
import { use } from "../src/lib/i18n.svelte";
import { Meetings } from "../src/console/meetings.svelte";
import { browser } from "./setup";

const one = (over: Partial<Appointment> = {}): Appointment => ({
  id: "a",
  ticket: { id: "1", number: "MF-1", subject: "s" },
  technician: "Ann",
  mine: true,
  may: true,
  lang: "fr",
  starts: "2026-11-30T19:00:00Z",
  ends: "2026-11-30T19:30:00Z",
  about: "x",
  items: [],
  state: "made",
  phase: "ahead",
  why: "",
  sequence: 0,
  here: "",
  letter: null,
  ...over,
});

let says: Appointment[] = [];
beforeEach(() => {
  browser(["en"]);
  use("en");
  vi.spyOn(appointmentsApi, "of").mockImplementation(() => Promise.resolve(says));
});
afterEach(() => vi.restoreAllMocks());

describe("our appointments", () => {
  test("what is new is said once, and nothing when the page opens", async () => {
    const m = new Meetings();
    says = [one({ phase: "soon" })];
    expect(await m.load()).toBeNull();
    says = [one({ phase: "now" })];
    expect(await m.load()).toContain("It is time");
    expect(await m.load()).toBeNull();
    says = [one({ phase: "now", here: "Zoé" })];
    expect(await m.load()).toBe("Zoé is here for the appointment, ticket MF-1.");
    says = [one({ state: "declined" })];
    expect(await m.load()).toContain("cannot come");
    says = [one({ state: "declined" }), one({ id: "b" })];
    expect(await m.load()).toBeNull();
  });

  test("what is to be thought of now: near, now, or over without a word", async () => {
    const m = new Meetings();
    says = (["ahead", "soon", "now", "over"] as const).map((phase) => one({ id: phase, phase }));
    says.push(
      one({ id: "kept", state: "kept", phase: "over" }),
      one({ id: "off", state: "cancelled", phase: "now" }),
    );
    await m.load();
    expect(m.due.map((x) => x.id)).toEqual(["soon", "now", "over"]);
  });

  test("an answer that comes late changes nothing, and one that fails leaves the last ones", async () => {
    const m = new Meetings();
    let late: (list: Appointment[]) => void = () => undefined;
    vi.spyOn(appointmentsApi, "of").mockImplementationOnce(() => new Promise((done) => (late = done)));
    const first = m.load();
    says = [one({ id: "new" })];
    await m.load();
    late([one({ id: "old" })]);
    await first;
    vi.spyOn(appointmentsApi, "of").mockImplementationOnce(() => Promise.reject(new Error("away")));
    expect(await m.load()).toBeNull();
    expect(m.mine.map((x) => x.id)).toEqual(["new"]);
  });

  test("an answer that is not as agreed is refused", () => {
    const good = { ...one(), letter: { url: "u", subject: "s", text: "t", public: true } };
    expect(appointment(good).letter?.public).toBe(true);
    for (const bad of [{ state: "live" }, { phase: "x" }, { items: [{ key: "x", text: "" }] }, { letter: 1 }])
      expect(() => appointment({ ...good, ...bad })).toThrow(TypeError);
  });

  test("a time is said with its day, and the end only as far as it differs", () => {
    const said = timeSpan("2026-11-30T19:00:00Z", "2026-11-30T19:30:00Z");
    expect(said).toMatch(/Nov/);
    expect(said.match(/30/g)?.length).toBe(2); // the day once, and half past
    expect(timeSpan("x", "y")).toBe("x");
  });
});

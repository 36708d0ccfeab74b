// The palette: what it offers, what it finds, and which keys it leaves alone.
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Ticket } from "../src/lib/api";
import { use } from "../src/lib/i18n.svelte";
import { matching } from "../src/lib/match";
import { opensPalette } from "../src/lib/shortcuts.svelte";
import { offer, type Acts } from "../src/console/commands";
import { fakeElement, newDesk, settle, staged, started, ticket, told } from "./desk";

class FakeElement {
  readonly tagName: string;
  readonly state: string | undefined;
  readonly #role: string | null;
  constructor(tagName: string, state?: string, role: string | null = null) {
    this.tagName = tagName;
    this.state = state;
    this.#role = role;
  }
  getAttribute(): string | null {
    return this.#role;
  }
}
const el = (tag: string, state?: string, role?: string): FakeElement => new FakeElement(tag, state, role);

const press = (path: FakeElement[], more: Partial<KeyboardEvent> = {}): boolean =>
  opensPalette({
    key: "k",
    ctrlKey: true,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    isComposing: false,
    repeat: false,
    defaultPrevented: false,
    composedPath: () => path as unknown as EventTarget[],
    ...more,
  } as KeyboardEvent);

const acts = (over: Partial<Acts> = {}): Acts => {
  const nothing = (): void => undefined;
  return {
    newTicket: nothing,
    search: nothing,
    help: nothing,
    signOut: nothing,
    closeSession: nothing,
    use: nothing,
    go: nothing,
    focus: nothing,
    ...over,
  };
};

staged();

describe("the key of the palette", () => {
  beforeEach(() => {
    vi.stubGlobal("HTMLElement", FakeElement);
    vi.stubGlobal("navigator", { languages: ["en"], userAgent: "X11; Linux x86_64" });
  });

  test("opens it, also from a field", () => {
    expect(press([el("BUTTON"), el("BODY")])).toBe(true);
    expect(press([el("TEXTAREA")], { key: "K" })).toBe(true);
  });

  test.each([
    [{ key: "j" }],
    [{ ctrlKey: false }],
    [{ ctrlKey: false, metaKey: true }],
    [{ metaKey: true }],
    [{ altKey: true }],
    [{ shiftKey: true }],
    [{ isComposing: true }],
    [{ repeat: true }],
    [{ defaultPrevented: true }],
  ])("and no other: %j", (e) => {
    expect(press([el("BODY")], e)).toBe(false);
  });

  test("is Command on a Mac, where Ctrl+K cuts a line", () => {
    vi.stubGlobal("navigator", { languages: ["en"], userAgent: "Macintosh; Intel Mac OS X 10_15_7" });
    expect(press([el("BODY")])).toBe(false);
    expect(press([el("BODY")], { ctrlKey: false, metaKey: true })).toBe(true);
  });

  test("is the remote computer's in a live session", () => {
    const live = el("REMOTE-SESSION", "live");
    expect(press([el("TEXTAREA"), live, el("BODY")])).toBe(false);
    expect(press([live, el("BODY")])).toBe(false);
    expect(press([el("INPUT"), el("SECTION"), live])).toBe(false); // the chat
    expect(press([el("BUTTON"), el("DIV", undefined, "toolbar"), live])).toBe(true);
    expect(press([el("BUTTON"), live, el("DIV", undefined, "toolbar")])).toBe(false); // one around it is none of its own
    expect(press([el("INPUT"), el("REMOTE-SESSION", "code")])).toBe(true);
  });

  test("stays out of another dialog", () => {
    expect(press([el("INPUT"), el("DIALOG"), el("BODY")])).toBe(false);
  });
});

describe("finding", () => {
  const list = ["New ticket", "Printer ticket", "Fermer le dossier à Zoë", "Ticket list"];
  const find = (q: string): string[] => matching(list, q, (s) => s, 10);

  test("what begins with it first, accents and case aside", () => {
    expect(find("")).toEqual(list);
    expect(find("TICKET")).toEqual(["Ticket list", "New ticket", "Printer ticket"]);
    expect(find("zoe dos")).toEqual(["Fermer le dossier à Zoë"]);
    expect(find("icke")).toEqual(["New ticket", "Printer ticket", "Ticket list"]);
    expect(find("zzz")).toEqual([]);
    expect(matching(["Printer 12", "Printer 21", "Desk 2, printer"], "printer 2", (s) => s, 9)).toEqual([
      "Desk 2, printer",
      "Printer 21",
      "Printer 12",
    ]);
    expect(matching(list, "", (s) => s, 2)).toHaveLength(2);
  });

  test("among ten thousand, and for a text of 10 kB", () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `Ticket ${i}`);
    expect(matching(many, "ticket 9999", (s) => s, 8)).toEqual(["Ticket 9999"]);
    expect(matching(many, "x".repeat(10_000), (s) => s, 8)).toEqual([]);
  });
});

describe("what it offers", () => {
  const labels = (groups: ReturnType<typeof offer>): string[] =>
    groups.flatMap((g) => g.items.map((i) => i.label));

  test("is what the role may do", async () => {
    const technician = await newDesk();
    expect(labels(offer(technician, acts(), "", []))).toEqual(
      expect.arrayContaining(["New ticket", "Start a session", "Close ticket", "Sign out"]),
    );
    expect(labels(offer(technician, acts(), "", []))).not.toContain("Administration");
    const admin = await newDesk("admin");
    const of = labels(offer(admin, acts(), "", []));
    expect(of).toEqual(expect.arrayContaining(["Administration", "Sign out"]));
    for (const none of ["New ticket", "Start a session", "Close ticket", "Supervision"])
      expect(of).not.toContain(none);
  });

  test("the buttons of the session's toolbar and its end, by their names", async () => {
    const desk = await newDesk();
    const key = await started(desk);
    const pressed: string[] = [];
    const e = Object.assign(
      fakeElement(() => undefined),
      {
        offers: () => [{ id: "talk", text: "Chat" }],
        press: (id: string) => pressed.push(id),
      },
    );
    desk.placed(key, e);
    expect(labels(offer(desk, acts(), "", []))).not.toContain("Chat"); // no session stands yet
    desk.heard(key, told({ state: "live", session: "s" }));
    const closed: number[] = [];
    const groups = offer(desk, acts({ closeSession: (s) => closed.push(s.key) }), "", []);
    expect(groups[0]?.items.map((i) => i.label)).toEqual([
      "Chat",
      "Hand the ticket over…",
      "End: Session, ticket 101",
    ]);
    groups[0]?.items[0]?.run();
    groups[0]?.items[1]?.run();
    expect(desk.sessions[0]?.handing).toBe(true);
    groups[0]?.items[2]?.run();
    expect(pressed).toEqual(["talk"]);
    expect(closed).toEqual([key]);
  });

  test("tickets by number and subject, and what the server found", async () => {
    const desk = await newDesk();
    const evil: Ticket = { ...ticket("9"), subject: "<b>Écran</b> {query}" };
    desk.list = { value: [ticket("1"), evil], problem: null };
    const texts = (q: string, found: Ticket[] = []): string[] =>
      offer(desk, acts(), q, found)
        .find((g) => g.title === "Tickets")
        ?.items.map((i) => i.label) ?? [];
    expect(texts("")).toEqual([evil.subject]); // the other one has a tab
    expect(texts("ecran")).toEqual([evil.subject]);
    expect(texts("109")).toEqual([evil.subject]);
    expect(texts("nothing", [{ ...ticket("8"), subject: "found by its requester" }])).toEqual([
      "found by its requester",
    ]);
  });

  test("a search of everything, which opens what there is but one of", async () => {
    const desk = await newDesk();
    const groups = offer(desk, acts(), "MF-12 {n}", []);
    const last = groups.at(-1)?.items[0];
    expect(last?.label).toBe("Search all tickets for “MF-12 {n}”");
    last?.run();
    await settle();
    expect([desk.filter, desk.query, desk.active.kind]).toEqual(["all", "MF-12 {n}", "list"]);
  });

  test("in French too", async () => {
    const desk = await newDesk("supervisor");
    use("fr");
    expect(labels(offer(desk, acts(), "deconn", []))[0]).toBe("Se déconnecter");
    expect(labels(offer(desk, acts(), "anglais", []))[0]).toBe("Afficher les pages en anglais (English)");
  });
});

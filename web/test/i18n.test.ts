import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { detect, lookup, plural, t, use } from "../src/lib/i18n.svelte";
import { between, dateTime, duration, eventText, exactTime, reasonText, shortTime } from "../src/lib/format";
import { browser } from "./setup";

beforeEach(() => {
  browser();
  use("en");
});
afterEach(() => vi.unstubAllGlobals());

describe("the language", () => {
  test.each([
    ["mf_lang=fr", ["en-US"], "fr"],
    ["a=b; mf_lang=en; c=d", ["fr"], "en"],
    ["", ["de-DE", "fr-CA", "en"], "fr"],
    ["", ["FR"], "fr"],
    ["mf_lang=xx", ["fr"], "fr"],
    ["xmf_lang=fr", ["en"], "en"],
    ["", [], "en"],
  ] as const)("cookie %j and browser %j give %s", (cookie, preferred, want) => {
    expect(detect(cookie, preferred)).toBe(want);
  });

  test("is kept for the other pages", () => {
    use("fr");
    expect(document.cookie).toMatch(/^mf_lang=fr; Path=\/;.*SameSite=Lax$/);
    expect(document.documentElement.lang).toBe("fr");
  });

  test("of a secure page is kept in a secure cookie", () => {
    vi.stubGlobal("location", { protocol: "https:" });
    use("fr");
    expect(document.cookie).toMatch(/; Secure$/);
  });
});

describe("a text", () => {
  test("is filled in, and a value is not filled in again", () => {
    expect(t("ticket.session_by", { technician: "{number}" })).toBe("with {number}");
  });

  test("counts as its language does", () => {
    expect([0, 1, 2].map((n) => plural("console.count", n))).toEqual(["0 tickets", "1 ticket", "2 tickets"]);
    use("fr");
    expect([0, 1, 2].map((n) => plural("console.count", n))).toEqual(["0 ticket", "1 ticket", "2 tickets"]);
  });

  test("is not found in what objects have by birth", () => {
    expect(lookup("constructor")).toBeNull();
    expect(lookup("__proto__")).toBeNull();
  });
});

describe("times", () => {
  test.each([
    [0, "0 s"],
    [59_499, "59 s"],
    [61_000, "1 min 1 s"],
    [3_720_000, "1 h 2 min"],
    [-5, "0 s"],
  ])("%d ms read %s", (ms, want) => {
    expect(duration(ms)).toBe(want);
  });

  test("an open end has no length", () => {
    expect(between("2026-11-24T10:00:00Z", null)).toBeNull();
    expect(between("2026-11-24T10:00:00Z", "2026-11-24T10:00:12Z")).toBe("12 s");
    expect(between("nonsense", "2026-11-24T10:00:12Z")).toBeNull();
  });

  test("what is no time is shown as it came", () => {
    expect(dateTime("nonsense")).toBe("nonsense");
  });

  test("events differ by the millisecond", () => {
    expect(exactTime("2026-11-24T10:00:00.001Z")).not.toBe(exactTime("2026-11-24T10:00:00.002Z"));
  });

  test("a list shows the minute today and the day before that", () => {
    const now = new Date("2026-11-24T12:00:00");
    expect(shortTime("2026-11-24T09:05:00", now)).toMatch(/9:05|09:05/);
    expect(shortTime("2026-11-20T09:05:00", now)).toMatch(/20/);
    expect(shortTime("2025-11-20T09:05:00", now)).toMatch(/2025/);
  });
});

test("what has no words yet shows its technical name", () => {
  expect(reasonText("PERSON_STOPPED")).toBe("The person pressed Stop");
  expect(reasonText("SOMETHING_NEW")).toBe("SOMETHING_NEW");
  expect(eventText("session.paired")).toBe("Technician and computer paired");
  expect(eventText("something.new")).toBeNull();
});

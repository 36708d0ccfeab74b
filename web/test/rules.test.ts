import { describe, expect, test } from "vitest";
import destinations from "./destinations.json"; // the server reads it too
import {
  characters,
  destination,
  linkToken,
  mayClaim,
  mayReadEvents,
  mayReadSessions,
  mayReadTickets,
  strength,
} from "../src/lib/rules";

describe("a password", () => {
  test.each([
    ["", { kind: "short", missing: 12 }],
    ["elevencharr", { kind: "short", missing: 1 }],
    ["🦜🦜🦜🦜🦜🦜🦜🦜🦜🦜🦜", { kind: "short", missing: 1 }], // characters, not bytes or UTF-16 units
    ["aaaaaaaaaaaaaaaaaaaa", { kind: "weak" }],
    ["abcabcabcabcabc", { kind: "weak" }],
    ["motdepasse2026", { kind: "weak" }],
    ["Password1234", { kind: "weak" }],
    ["chloemartin24", { kind: "weak" }], // the own name, without its accents
    ["ChloéMartin24", { kind: "weak" }],
    ["tulip-anvil-42", { kind: "fair" }],
    ["tulipe enclume brouillard", { kind: "strong" }],
    ["x".repeat(257), { kind: "long" }],
  ])("%j", (password, want) => {
    expect(strength(password, "Chloé Martin")).toEqual(want);
  });

  test("a short part of the name is no reason to complain", () => {
    expect(strength("tulip-anvil-42", "An Li")).toEqual({ kind: "fair" });
  });
});

describe("after signing in", () => {
  test.each(destinations as [string | null, string][])("next=%j leads to %s", (next, want) => {
    expect(destination(next, "technician")).toBe(want);
  });

  test("an auditor's own page is the log", () => {
    expect(destination(null, "auditor")).toBe("/audit");
  });
});

test.each([
  ["/signin", null],
  ["/signin/", null],
  ["/signin/abc-_1", "abc-_1"],
  ["/signin/a%2Fb", "a/b"],
  ["/signin/%E0%A4%A", "%E0%A4%A"],
  ["/signin/a/b", null],
  ["/other/a", null],
])("the token of %s is %j", (path, want) => {
  expect(linkToken(path)).toBe(want);
});

test("roles see what is theirs", () => {
  const roles = ["technician", "supervisor", "auditor", "admin"] as const;
  expect(roles.filter(mayClaim)).toEqual(["technician", "supervisor"]);
  expect(roles.filter(mayReadTickets)).toEqual(["technician", "supervisor", "admin"]);
  expect(roles.filter(mayReadEvents)).toEqual(["supervisor", "auditor"]);
  expect(roles.filter(mayReadSessions)).toEqual(["supervisor", "auditor", "admin"]);
});

test("characters are counted as people count them", () => {
  expect(characters("é🦜")).toBe(2);
});

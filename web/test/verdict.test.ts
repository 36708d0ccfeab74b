// What the audit page says of a proof, and whether what it shows is what was proven.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readProof } from "../src/audit/proof/form";
import { readTrust } from "../src/audit/proof/note";
import { verify, type Report } from "../src/audit/proof/verify";
import { unlike } from "../src/audit/shown";
import { facts, problemText, verdictText } from "../src/audit/words";
import type { LogEvent } from "../src/lib/api";
import { use } from "../src/lib/i18n.svelte";
import { browser } from "./setup";

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../signaling/audit/proof/testdata/vectors.json"), "utf8"),
) as { proofs: Record<string, unknown>; keys: Record<string, string> };

const report = async (name: string, trust = ""): Promise<Report> =>
  verify(readProof(vectors.proofs[name]), true, await readTrust(trust));

beforeEach(() => {
  browser();
  use("en");
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** The events as the server shows them, from what was proven. */
function shown(r: Report): LogEvent[] {
  return r.lines.map(({ leaf: l, hash, state, personal }) => ({
    index: l.index,
    time: l.t.replace(/0*Z$/, "Z"),
    type: l.type,
    outcome: l.outcome,
    actor: { ...l.actor, name: "Ann" },
    origin: l.origin,
    monoMs: l.mono_ms,
    data: { ...l.data },
    personal:
      state === "present" ? (personal as Record<string, unknown>) : state === "purged" ? "purged" : null,
    leaf: hash,
  }));
}

test("what is shown is what was proven, or it is named", async () => {
  const r = await report("plain");
  expect(unlike(shown(r), r.lines)).toEqual([]);
  const purged = await report("purged");
  expect(unlike(shown(purged), purged.lines)).toEqual([]);
  const changes: ((e: LogEvent) => void)[] = [
    (e) => (e.type = "consent.denied"),
    (e) => (e.outcome = "fail"),
    (e) => (e.actor.ref = "01X"),
    (e) => (e.actor.kind = "person"),
    (e) => (e.origin = "viewer"),
    (e) => (e.monoMs += 1),
    (e) => (e.data = { grant: "control" }),
    (e) => (e.personal = { technician: "Eve" }),
    (e) => (e.time = "2001-01-01T00:00:00Z"),
    (e) => (e.leaf = "AAAA"),
    (e) => (e.index = 999),
  ];
  for (const change of changes) {
    const events = shown(r);
    const e = events[4];
    if (e === undefined) throw new Error("too few");
    const at = e.index;
    change(e);
    expect(unlike(events, r.lines)[0], String(change)).toMatchObject({ code: "shown", index: at });
  }
  expect(unlike(shown(r).toSpliced(4, 1), r.lines)).toHaveLength(1);
  // Lines that came after the page was loaded are no fault of it.
  expect(unlike(shown(r).slice(0, -1), r.lines)).toEqual([]);
});

test("a verdict is told in plain words, in both languages", async () => {
  const key = vectors.keys["first"] ?? "";
  expect(verdictText(await report("plain", key))).toContain("by the key that you gave");
  expect(verdictText(await report("plain", vectors.keys["root"]))).toMatch(/^Up to line 14,/);
  expect(verdictText(await report("plain"))).toContain("nobody vouches");
  expect(facts(await report("purged")).join()).toContain("purged under policy ours: 1");
  expect(facts(await report("gap")).join()).toContain("a count of 4 events, and 3 are in the log");
  expect(facts(await report("open")).join()).toContain("still open");
  const dropped = await report("dropped");
  expect(verdictText(dropped)).toBe("Line 6: the host counted 4 events and signed that; 3 are here.");
  expect(facts(dropped)).toEqual([]);
  use("fr");
  expect(verdictText(dropped)).toBe(
    "Ligne 6\u00a0: l’application a compté 4 événements et l’a signé\u202f; il y en a 3.",
  );
  expect(problemText({ code: "stranger", index: -1, values: {} })).toMatch(/^La signature/);
});

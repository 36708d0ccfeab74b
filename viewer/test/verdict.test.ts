// Why the picture is late, from what was measured.
import { describe, expect, test } from "vitest";
import { countersOf } from "../src/stats";
import { measure, verdict, type Cause, type Counters, type HostFigures, type Measured } from "../src/verdict";
import { causeText } from "../src/view/causes";
import { textsFor } from "../src/view/texts";

const calm: Measured = {
  took: { capture: 1, encode: 4, line: 8, wait: 1, paint: 3 },
  rate: 20,
  film: null,
  filmed: false,
  traffic: 120,
  rtt: 6,
  loss: null,
  waits: 12,
  held: 0,
};
const nothing = { ...calm, rate: 0, took: { capture: 0, encode: 0, line: 0, wait: 0, paint: 0 }, waits: 0 };
const took = (part: Partial<Measured["took"]>): Measured => ({ ...calm, took: { ...calm.took, ...part } });

describe("the verdict", () => {
  test.each<[string, Measured | null, Cause, number]>([
    ["nothing measured", null, "unknown", 0],
    ["nothing changes", nothing, "still", 0],
    ["all that changes is video", { ...nothing, film: 25, filmed: true }, "film", 0],
    ["video that was", { ...nothing, film: 0 }, "still", 0],
    ["video of which no picture comes through", { ...nothing, film: 0, filmed: true }, "narrow", 1000],
    ["video that is lost", { ...nothing, film: 0, filmed: true, loss: 8 }, "loss", 1000],
    ["all is quick", calm, "good", 17],
    ["just quick enough", took({ line: 111 }), "good", 120],
    ["the screen is read slowly", took({ capture: 400 }), "capture", 400],
    ["a busy processor", took({ capture: 90, encode: 250 }), "encode", 250],
    ["a narrow line", { ...took({ line: 600 }), held: 80_000, rtt: 40 }, "narrow", 600],
    ["a long way", { ...took({ line: 160 }), rtt: 300 }, "far", 160],
    ["a long way that is narrow too", { ...took({ line: 900 }), rtt: 300 }, "narrow", 900],
    ["a line that loses", { ...took({ line: 300 }), rtt: 50, loss: 4.2 }, "loss", 300],
    ["a line that loses next to nothing", { ...took({ line: 300 }), rtt: 50, loss: 0.4 }, "narrow", 300],
    ["a browser with other work", took({ wait: 350, paint: 40 }), "wait", 350],
    ["a slow computer here", took({ wait: 60, paint: 280 }), "paint", 280],
    ["stands still on the line", { ...calm, waits: 2400, held: 1 }, "narrow", 2400],
    ["arrived, and nobody paints it", { ...calm, waits: 2400, held: 0 }, "wait", 2400],
    ["under way, as always", { ...calm, waits: 999, held: 5000 }, "good", 17],
  ])("%s", (_, measured, cause, ms) => {
    expect(verdict(measured)).toEqual({ cause, ms });
  });

  test.each(["en", "fr"] as const)("is one sentence without a hole (%s)", (lang) => {
    const t = textsFor(lang);
    const causes: Cause[] = [
      "unknown",
      "still",
      "film",
      "good",
      "capture",
      "encode",
      "narrow",
      "far",
      "loss",
      "wait",
      "paint",
    ];
    for (const cause of causes) {
      const text = causeText({ cause, ms: 1234.5 }, { ...calm, loss: 2.25 }, t);
      expect(text).toMatch(/[.…]$/);
      expect(text).not.toMatch(/[{}]/);
    }
    const said = causeText({ cause: "narrow", ms: 1234 }, { ...calm, traffic: 250 }, t);
    expect(said).toContain(lang === "fr" ? "1\u202f234" : "1,234");
    expect(said).toContain("2 Mbit/s".replace(" ", lang === "fr" ? "\u00a0" : " "));
  });
});

const host: HostFigures = {
  ms: 1000,
  updates: 20,
  captureUs: 700,
  encodeUs: 2_000,
  wayUs: 60_000,
  lateUs: 0,
  acked: 20,
  waitingBytes: 1_000,
  waitingMs: 30,
  rttUs: 21_000,
};
const painted = { updates: 20, work: 100, wait: 40 };
const before: Counters = { at: 5_000, bytes: 10_000, film: null, rtt: 20 };

describe("what is measured", () => {
  test("every station has its own share of the way", () => {
    const got = measure(host, painted, before, { at: 7_000, bytes: 210_000, film: null, rtt: 20 });
    expect(got).toEqual({
      took: { capture: 0.7, encode: 2, line: 60 - 5 - 2 - 10, wait: 2, paint: 5 },
      rate: 10,
      film: null,
      filmed: false,
      traffic: 100,
      rtt: 20,
      loss: null,
      waits: 30,
      held: 1_000,
    });
  });

  test("what waited where the browser cannot say so, the host saw", () => {
    const { took } = measure({ ...host, lateUs: 40_000 }, painted, before, { ...before, at: 6_000 });
    expect(took).toMatchObject({ wait: 35, paint: 5, line: 60 - 40 - 10 });
  });

  test("the channel's own round trip serves where the browser has none", () => {
    expect(measure(host, painted, before, { ...before, at: 6_000, rtt: null }).rtt).toBe(21);
    expect(
      measure({ ...host, rttUs: 0 }, painted, before, { ...before, at: 6_000, rtt: null }).rtt,
    ).toBeNull();
  });

  test("nothing painted and nothing acknowledged divides by nothing", () => {
    const got = measure(
      { ...host, updates: 0, acked: 0, wayUs: 0 },
      { updates: 0, work: 0, wait: 0 },
      before,
      before,
    );
    expect(Object.values(got.took).every(Number.isFinite)).toBe(true);
    expect([got.rate, got.traffic, got.took.line]).toEqual([0, 0, 0]);
  });

  test("a look at the screen without a change to send is no picture", () => {
    const idle = { ...host, updates: 0, acked: 0, wayUs: 0, encodeUs: 0, waitingMs: 0 };
    const got = measure(idle, { updates: 0, work: 0, wait: 0 }, before, { ...before, at: 6_000 });
    expect(verdict(got).cause).toBe("still");
  });

  test("no share is less than nothing, whatever the clocks say", () => {
    expect(measure({ ...host, wayUs: 1 }, painted, before, { ...before, at: 6_000 }).took.line).toBe(0);
  });

  test("video has its own rate, and tells what the line loses", () => {
    const film = (frames: number, packets: number, lost: number) => ({ frames, packets, lost });
    const got = measure(
      host,
      painted,
      { ...before, film: film(10, 100, 3) },
      { ...before, at: 6_000, film: film(40, 195, 8) },
    );
    expect([got.film, got.filmed]).toEqual([30, true]);
    expect(got.loss).toBe(5);
    const few = measure(
      host,
      painted,
      { ...before, film: film(0, 0, 0) },
      { ...before, film: film(1, 5, 5) },
    );
    expect([few.loss, few.filmed]).toEqual([null, false]); // of ten packets nobody can tell
  });

  test("the browser's counters are those of the pair in use and of the video", () => {
    const stats = new Map<string, unknown>([
      ["t", { type: "transport", selectedCandidatePairId: "p2" }],
      ["p1", { type: "candidate-pair", bytesReceived: 5, currentRoundTripTime: 9 }],
      ["p2", { type: "candidate-pair", bytesReceived: 77, currentRoundTripTime: 0.0124 }],
      ["a", { type: "inbound-rtp", kind: "audio", framesDecoded: 1 }],
      ["v", { type: "inbound-rtp", kind: "video", framesDecoded: 12, packetsReceived: 30, packetsLost: 2 }],
    ]);
    expect(countersOf(stats, 42)).toEqual({
      at: 42,
      bytes: 77,
      rtt: 12,
      film: { frames: 12, packets: 30, lost: 2 },
    });
    expect(countersOf(new Map(), 1)).toEqual({ at: 1, bytes: 0, rtt: null, film: null });
  });
});

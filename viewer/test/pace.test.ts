// How fast this browser paints, and how a connection goes: what is told about them.
import { describe, expect, test } from "vitest";
import { Pace } from "../src/picture/pace";
import { routeOf } from "../src/stats";

describe("a browser", () => {
  /** Paints an update every 100 ms; returns what it said, with its time. */
  const run = (pace: Pace, from: number, to: number, ms: number) => {
    const said: string[] = [];
    for (let at = from; at < to; at += 100) {
      const change = pace.painted(at, ms);
      if (change) said.push(`${at} ${change.slow ? "slow" : "good"} ${change.ms}`);
    }
    return said;
  };

  test("is slow when the median of 2 s is above 250 ms, and says so once", () => {
    const pace = new Pace();
    expect(run(pace, 0, 5000, 250)).toEqual([]);
    expect(run(pace, 5000, 9000, 400)).toEqual(["6000 slow 400"]);
  });

  test("is good again, at the earliest 5 s later", () => {
    const pace = new Pace();
    expect(run(pace, 0, 1000, 300)).toEqual(["200 slow 300"]);
    expect(run(pace, 1000, 10_000, 20)).toEqual(["5200 good 20"]);
  });

  test("between the two limits stays what it was", () => {
    const pace = new Pace();
    run(pace, 0, 1000, 300);
    expect(run(pace, 1000, 20_000, 200)).toEqual([]);
  });

  test("one slow picture is no slow browser", () => {
    const pace = new Pace();
    run(pace, 0, 2000, 10);
    expect(pace.painted(2000, 3000)).toBe(undefined);
    expect(pace.painted(60_000, 3000)).toBe(undefined); // nor is one alone
  });
});

describe("the way of a connection", () => {
  const stats = (local: object, remote: object, pair: object = { currentRoundTripTime: 0.0123 }) =>
    new Map<string, unknown>([
      ["T", { type: "transport", selectedCandidatePairId: "P" }],
      ["P", { type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", ...pair }],
      ["L", { type: "local-candidate", ...local }],
      ["R", { type: "remote-candidate", ...remote }],
    ]);
  const host = { candidateType: "host" };

  test.each([
    ["direct", host, { candidateType: "prflx" }],
    ["udp", { candidateType: "relay", relayProtocol: "udp" }, host],
    ["tcp", { candidateType: "relay", relayProtocol: "tcp" }, host],
    ["tls", { candidateType: "relay", relayProtocol: "tls" }, host],
    ["theirs", host, { candidateType: "relay" }],
  ] as const)("%s", (way, local, remote) => {
    expect(routeOf(stats(local, remote))).toEqual({ way, rtt: 12 });
  });

  test("is not made up where nothing is measured", () => {
    expect(routeOf(new Map())).toBe(null);
    expect(routeOf(stats(host, host, {}))).toEqual({ way: "direct", rtt: null });
  });

  test("is the pair that works where the transport names none", () => {
    const firefox = stats(host, host, { nominated: true, state: "succeeded", currentRoundTripTime: 0.002 });
    firefox.set("T", { type: "transport" });
    expect(routeOf(firefox)).toEqual({ way: "direct", rtt: 2 });
  });
});

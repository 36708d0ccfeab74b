import { describe, expect, it } from "vitest";

import { delay, Scavenger } from "../src/files/scavenger";

// A line of rate bytes a ms and a queue without end, in simulated time; acks wait in none.
function pipe(rate: number, rtt: number) {
  let free = 0;
  return {
    carry(now: number, bytes: number): number {
      free = Math.max(free, now) + bytes / rate;
      return free + rtt;
    },
    wait: (now: number) => Math.max(0, free - now),
  };
}

function run(mbit: number, rtt: number, length: number) {
  const rate = mbit * 125;
  const line = pipe(rate, rtt);
  const flow = new Scavenger(0);
  const acks: { at: number; acked: number }[] = [];
  let [now, acked, before, wait] = [0, 0, 0, 0];
  while (now < length) {
    while (flow.room()) {
      const bytes = flow.piece(16 << 10);
      flow.sends(now, bytes);
      acks.push({ at: line.carry(now, bytes), acked: flow.sent });
    }
    if (now > length / 2) {
      wait = Math.max(wait, line.wait(now));
      before ||= acked;
    }
    const ack = acks.shift();
    if (ack === undefined) throw new Error("nothing is on its way");
    now = ack.at;
    acked = ack.acked;
    flow.hears(now, acked);
  }
  return { share: (acked - before) / (rate * length) / 0.5, wait };
}

describe("a file on its way", () => {
  for (const mbit of [2, 8, 20, 100])
    for (const rtt of [1, 20, 50, 100])
      it(`takes a line of ${mbit} Mbit/s and ${rtt} ms, and no queue`, () => {
        const { share, wait } = run(mbit, rtt, 100_000);
        expect(share).toBeGreaterThan(0.9);
        expect(wait).toBeLessThan(2 * delay + 8192 / (mbit * 125));
      });

  it("does not take more where something else holds it up", () => {
    const flow = new Scavenger(0);
    const piece = flow.piece(1 << 20);
    for (let now = 1; now < 1000; now++) {
      flow.sends(now - 1, 100);
      flow.hears(now, flow.sent);
    }
    expect(flow.piece(1 << 20)).toBe(piece);
  });
});

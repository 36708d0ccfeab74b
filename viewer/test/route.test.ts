// What is done about an interrupted way: the cheapest first, and each within its bound.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Reason } from "../src/gen/signaling_pb";
import { reasonWait, Route } from "../src/route";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

function setup() {
  const log: string[] = [];
  const began = Date.now();
  const at = () => `${(Date.now() - began) / 1000}s`;
  const world = { sealable: true, reachable: true };
  const route = new Route(
    600_000,
    {
      sealable: () => world.sealable,
      reachable: () => world.reachable,
      attach: (keep) => log.push(`${at()} attach${keep ? " keep" : ""}`),
      offer: () => log.push(`${at()} offer`),
      suspect: () => log.push(`${at()} suspect`),
      changed: (since) => log.push(`${at()} ${since === null ? "up" : "down"}`),
      gaveUp: (reason) => log.push(`${at()} ${Reason[reason]}`),
    },
    () => 0.5,
  );
  route.begin();
  /** Up to a connection that stands. */
  const stands = () => {
    route.attached(false);
    route.answered();
    route.proven();
    log.length = 0;
  };
  return { route, log, world, stands };
}

describe("while both lines stand", () => {
  test("an interruption is given 1 s to pass by itself", () => {
    const { route, log, stands } = setup();
    stands();
    route.path("interrupted");
    vi.advanceTimersByTime(999);
    route.path("up");
    vi.advanceTimersByTime(60_000);
    expect(log).toEqual(["0s down", "0.999s up"]);
  });

  test("a way that failed is not waited for", () => {
    const { route, log, stands } = setup();
    stands();
    route.path("failed");
    expect(log).toEqual(["0s down", "0s offer"]);
  });

  test("restarts come after 1, 2, 4 s; after 8 s there is a new connection", () => {
    const { route, log, stands } = setup();
    stands();
    route.path("interrupted");
    for (let i = 0; i < 100; i++) {
      vi.advanceTimersByTime(100);
      route.answered();
    }
    expect(log).toEqual(["0s down", "1s offer", "2s offer", "4s offer", "8s offer", "9s attach"]);
  });

  test("an offer that is not answered is made again under a new epoch", () => {
    const { route, log, stands } = setup();
    stands();
    route.path("failed");
    vi.advanceTimersByTime(3_000);
    expect(log).toEqual(["0s down", "0s offer", "3s attach keep"]);
    route.attached(true);
    expect(log.at(-1)).toBe("3s offer");
  });

  test("an attach that is not answered says that our own line may be dead", () => {
    const { route, log, world, stands } = setup();
    stands();
    world.sealable = false;
    route.path("failed");
    vi.advanceTimersByTime(6_000);
    expect(log.slice(0, 3)).toEqual(["0s down", "0s attach keep", "3s suspect"]);
  });

  test("a host takes 16 offers an epoch: ours stay below", () => {
    const { route, log, stands } = setup();
    stands();
    for (let i = 0; i < 20; i++) {
      route.moved();
      route.answered();
    }
    expect(log.filter((l) => l.endsWith("offer"))).toHaveLength(14); // and the first
    expect(log.at(-1)).toBe("0s attach keep");
    route.attached(true);
    expect(log.at(-1)).toBe("0s offer"); // what was wanted meanwhile
  });

  test("a connection that the host closed is followed by another at once", () => {
    const { route, log, stands } = setup();
    stands();
    vi.advanceTimersByTime(10_000);
    route.lost(false);
    vi.advanceTimersByTime(0);
    expect(log).toEqual(["10s down", "10s attach"]);
  });

  test("a connection that the host could not keep is away until the next one is proven", () => {
    const { route, log, world, stands } = setup();
    stands();
    world.sealable = false;
    route.linesBack();
    world.sealable = true;
    route.attached(false);
    vi.advanceTimersByTime(500);
    route.proven();
    expect(log).toEqual(["0s attach keep", "0s down", "0.5s up"]);
  });

  test("a new connection that fails is followed by others, apart, until the grace time is over", () => {
    const { route, log, stands } = setup();
    stands();
    route.lost(false);
    const attaches = () => log.filter((l) => l.endsWith("attach")).length;
    let failed = 0;
    for (let i = 0; i < 599; i++) {
      vi.advanceTimersByTime(1000);
      if (attaches() > failed) {
        failed = attaches();
        route.attached(false);
        route.lost(false);
      }
    }
    expect(attaches()).toBeGreaterThan(100);
    expect(attaches()).toBeLessThan(400); // 1 to 2 s apart
    vi.advanceTimersByTime(1000);
    expect(log.at(-1)).toBe("600s NO_ROUTE");
    vi.advanceTimersByTime(600_000);
    expect(log.at(-1)).toBe("600s NO_ROUTE");
  });
});

describe("while a line is away", () => {
  test("nothing is tried; when it is back the connection that stands gets fresh keys, and no restart", () => {
    const { route, log, world, stands } = setup();
    stands();
    world.reachable = world.sealable = false;
    route.lineBroke();
    vi.advanceTimersByTime(5000);
    world.reachable = true;
    route.linesBack();
    world.sealable = true;
    route.attached(true);
    vi.advanceTimersByTime(60_000);
    expect(log).toEqual(["5s attach keep"]);
  });

  test("an interruption waits for it, then restarts get their time once more", () => {
    const { route, log, world, stands } = setup();
    stands();
    world.reachable = world.sealable = false;
    route.lineBroke();
    route.path("failed");
    vi.advanceTimersByTime(30_000);
    expect(log).toEqual(["0s down"]);
    world.reachable = true;
    route.linesBack();
    world.sealable = true;
    route.attached(true);
    expect(log.slice(1)).toEqual(["30s attach keep", "30s offer"]);
  });

  test("a new network is remembered until then", () => {
    const { route, log, world, stands } = setup();
    stands();
    world.reachable = world.sealable = false;
    route.lineBroke();
    route.moved();
    expect(log).toEqual([]);
    world.reachable = true;
    route.linesBack();
    world.sealable = true;
    route.attached(true);
    expect(log).toEqual(["0s attach keep", "0s offer"]);
  });

  test("an offer that it swallowed is made again, though the way stands", () => {
    const { route, log, world, stands } = setup();
    stands();
    route.moved(); // the host may have taken it, and uses other credentials now
    world.reachable = world.sealable = false;
    route.lineBroke();
    world.reachable = true;
    route.linesBack();
    world.sealable = true;
    route.attached(true);
    expect(log).toEqual(["0s offer", "0s attach keep", "0s offer"]);
  });

  test("a connection that is lost while the host agrees to keep it is replaced (C46)", () => {
    const { route, log, world, stands } = setup();
    stands();
    world.sealable = false;
    route.linesBack();
    route.lost(false);
    route.attached(true);
    expect(log).toEqual(["0s attach keep", "0s down", "0s attach"]);
  });
});

describe("the first connection", () => {
  test("has 30 s", () => {
    const { log } = setup();
    vi.advanceTimersByTime(30_000);
    expect(log).toEqual(["0s attach", "30s NO_ROUTE"]);
  });

  test("that fails is the end; a relay that refused is the reason if nothing else was there", () => {
    for (const [refused, reason] of [
      [true, "RELAY_REFUSED"],
      [false, "NO_ROUTE"],
    ] as const) {
      const { route, log } = setup();
      route.attached(false);
      route.lost(refused);
      vi.advanceTimersByTime(reasonWait - 1);
      expect(log.at(-1)).toBe("0s attach");
      vi.advanceTimersByTime(1);
      expect(log.at(-1)).toBe(`1.5s ${reason}`);
    }
  });

  test("that fails leaves the host time to say why", () => {
    const { route, log } = setup();
    route.attached(false);
    route.lost(false);
    vi.advanceTimersByTime(reasonWait - 1);
    route.close(); // the server said why, and the session is over
    vi.advanceTimersByTime(60_000);
    expect(log.at(-1)).toBe("0s attach");
  });

  test("later ones: one that found no relay refusing speaks against the relay as the reason", () => {
    const { route, log, stands } = setup();
    stands();
    route.lost(true);
    vi.advanceTimersByTime(2000);
    route.attached(false);
    route.lost(false);
    vi.advanceTimersByTime(600_000);
    expect(log.at(-1)).toBe("600s NO_ROUTE");
  });
});

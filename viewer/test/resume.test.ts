// A line or a connection that breaks in a session comes back without a new code.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Reason } from "../src/gen/signaling_pb";
import { reasonWait } from "../src/route";
import { claimId, session as id, settle, token } from "./fakes";
import { attached, ended, live, paired, setup, type Setup } from "./rig";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** Our line breaks, is dialled again and resumes; the host's stood all the time. */
async function resumed(s: Setup, hostToo = true): Promise<void> {
  s.socket().break();
  vi.advanceTimersByTime(500);
  s.socket().greet();
  s.socket().push({ case: "host", value: { connected: hostToo } });
  await settle();
}

const attaches = (s: Setup) =>
  s.socket().sent.flatMap(({ body }) => (body.case === "attach" ? [body.value] : []));

describe("a line that breaks in a session", () => {
  test("is dialled again with the session's token; the picture goes on, the keys are new", async () => {
    const s = await live();
    s.socket().break();
    expect(s.session.view).toMatchObject({ state: "live", serverAway: Date.now(), pathUp: true });
    vi.advanceTimersByTime(500);
    expect(s.sockets).toHaveLength(2);
    s.socket().greet();
    expect(s.socket().cases()).toEqual(["hello", "resume"]);
    expect(Buffer.from(s.socket().last("resume").token)).toEqual(Buffer.from(token));
    s.socket().push({ case: "host", value: { connected: true } });
    expect(s.socket().last("attach")).toMatchObject({ epoch: 2, keep: true, participant: "" });
    await s.host.attach(s.socket(), true);
    await settle();
    expect(s.session.view).toMatchObject({ state: "live", serverAway: null, hostAway: null });
    expect(s.connections).toHaveLength(1);
    expect(s.connection().log.at(-1)).toBe("kept"); // and no ICE restart: the way stands
    expect(s.socket().cases()).toEqual(["hello", "resume", "attach"]);
  });

  test("waits for the host's own line before it attaches", async () => {
    const s = await live();
    await resumed(s, false);
    expect(s.session.view.hostAway).toBe(Date.now());
    expect(attaches(s)).toEqual([]);
    vi.advanceTimersByTime(3000);
    s.socket().push({ case: "host", value: { connected: true } });
    expect(attaches(s)).toHaveLength(1);
    expect(s.session.view).toMatchObject({ hostAway: null, news: { kind: "hostBack", seconds: 3 } });
  });

  test("of the host too begins an epoch that keeps the connection", async () => {
    const s = await live();
    s.socket().push({ case: "host", value: { connected: false } });
    expect(s.session.view).toMatchObject({ state: "live", hostAway: Date.now() });
    s.socket().push({ case: "host", value: { connected: true } });
    expect(s.socket().last("attach")).toMatchObject({ epoch: 2, keep: true });
  });

  test("is no end for a host that cannot keep the connection: there is a new one", async () => {
    const s = await live();
    await resumed(s);
    await s.host.attach(s.socket()); // without keep
    await settle();
    expect(s.connections).toHaveLength(2);
    expect(s.connections[0]?.log.at(-1)).toBe("close");
    expect(s.session.view.state).toBe("live"); // the old picture, until the new one begins
  });

  test("before the connection stood begins a new epoch with a new connection", async () => {
    const s = await attached();
    await resumed(s);
    expect(s.socket().last("attach")).toMatchObject({ epoch: 2, keep: false });
    await s.host.attach(s.socket(), true); // that the host would keep it does not make it one
    await settle();
    expect(s.connections).toHaveLength(2);
    expect(s.connections[0]?.log.at(-1)).toBe("close");
    expect(s.socket().last("sealed").epoch).toBe(2);
  });

  test("while an attach is under way says the same attach again", async () => {
    const s = paired();
    s.socket().push({ case: "opened", value: { session: id, resumeToken: token, claim: claimId } });
    const first = s.socket().last("attach");
    await resumed(s);
    expect(s.socket().last("attach")).toEqual(first);
  });

  test("again while the answer to an attach is opened leaves that epoch broken", async () => {
    const s = await live();
    await resumed(s);
    await s.host.attach(s.socket(), true); // taken, not yet opened
    s.socket().push({ case: "host", value: { connected: false } });
    await settle();
    s.connection().events.seal({ case: "candidate", value: { candidate: "lost" } });
    await settle();
    expect(s.socket().cases()).not.toContain("sealed");
    s.socket().push({ case: "host", value: { connected: true } });
    expect(s.socket().last("attach").epoch).toBe(3);
  });

  test("for how long is told when it is back", async () => {
    const s = await live();
    s.socket().break();
    vi.advanceTimersByTime(500);
    const away = s.socket();
    vi.advanceTimersByTime(3500);
    away.greet();
    expect(s.session.view).toMatchObject({ serverAway: null, news: { kind: "serverBack", seconds: 4 } });
    vi.advanceTimersByTime(6000);
    expect(s.session.view.news).toBe(null);
  });

  test("is given up after the server's grace time", async () => {
    const s = await live();
    for (let t = 0; t < 70 && s.session.view.state === "live"; t++) {
      if (!s.socket().closed) s.socket().break();
      vi.advanceTimersByTime(1000);
    }
    expect(ended(s)).toEqual({ state: "ended", reason: "SERVER_GONE" });
    expect(s.sockets.length).toBeGreaterThan(6);
  });

  test("ends with the server's word when the resume does not stand", async () => {
    const s = await live();
    s.socket().break();
    vi.advanceTimersByTime(500);
    s.socket().open();
    s.socket().push({ case: "end", value: { reason: Reason.SUPERVISOR_ENDED } });
    expect(ended(s)).toEqual({ state: "ended", reason: "SUPERVISOR_ENDED" });
    expect(s.session.view.says).toBe(null);
  });
});

describe("an interrupted connection", () => {
  test("is offered another way after 1 s, under the same epoch, and told until it is back", async () => {
    const s = await live();
    const since = Date.now();
    s.connection().events.path("interrupted");
    expect(s.session.view).toMatchObject({ state: "live", pathUp: false, interrupted: since });
    vi.advanceTimersByTime(1000);
    await settle();
    expect(s.connection().log.at(-1)).toBe("restart");
    expect(s.socket().last("sealed").epoch).toBe(1);
    expect(attaches(s)).toHaveLength(1);
    vi.advanceTimersByTime(3000);
    s.connection().events.path("up");
    expect(s.session.view).toMatchObject({
      pathUp: true,
      interrupted: null,
      news: { kind: "pathBack", seconds: 4 },
    });
  });

  test("after a line broke is offered another way under a new epoch", async () => {
    const s = await live();
    await resumed(s);
    s.connection().events.path("failed");
    await s.host.attach(s.socket(), true);
    await settle();
    expect(s.connection().log.slice(-2)).toEqual(["kept", "restart"]);
    expect(s.socket().last("sealed").epoch).toBe(2);
  });

  test("of a host whose addresses changed is not waited for: RouteChanged restarts at once", async () => {
    const s = await live();
    s.socket().push({ case: "sealed", value: await s.host.seal({ case: "routeChanged", value: {} }) });
    await settle();
    expect(s.connection().log.at(-1)).toBe("restart");
    expect(s.session.view.cause).toBe("host moved");
    vi.advanceTimersByTime(10_000);
    expect(s.session.view.cause).toBe(null);
  });

  test("here: a new network restarts at once and dials the server anew", async () => {
    const s = await live();
    s.session.offline();
    expect(s.session.view.cause).toBe("offline");
    s.session.moved(true);
    expect(s.session.view.cause).toBe(null);
    expect(s.sockets).toHaveLength(2);
    s.socket().greet();
    s.socket().push({ case: "host", value: { connected: true } });
    expect(s.socket().last("attach").keep).toBe(true);
    await s.host.attach(s.socket(), true);
    await settle();
    expect(s.connection().log.at(-1)).toBe("restart");
  });

  test("a new estimate of the line changes nothing while everything stands", async () => {
    const s = await live();
    const log = [...s.connection().log];
    s.session.moved(false);
    expect(s.connection().log).toEqual(log);
    expect(s.sockets).toHaveLength(1);
    s.connection().events.path("interrupted");
    s.session.moved(false); // now it may be the way back
    expect(s.connection().log.at(-1)).toBe("restart");
  });

  test("that no restart helps gets a new connection, and the picture begins anew", async () => {
    const s = await live();
    s.connection().events.path("failed");
    for (let t = 0; t < 9; t++) {
      s.connection().events.answered();
      vi.advanceTimersByTime(1000);
      await settle();
    }
    expect(s.connection().log.filter((l) => l === "restart").length).toBeGreaterThan(2);
    expect(s.socket().last("attach")).toMatchObject({ epoch: 2, keep: false });
    await s.host.attach(s.socket());
    await settle();
    expect(s.connections).toHaveLength(2);
    s.connection().events.proven();
    s.connection().events.toolsUp();
    expect(s.session.view).toMatchObject({ state: "live", pathUp: true, interrupted: null });
  });

  test("that is lost comes back by another attach, for as long as the server's grace time", async () => {
    const s = await live();
    s.connection().events.lost(false);
    expect(s.session.view).toMatchObject({ state: "live", pathUp: false });
    vi.advanceTimersByTime(2000);
    expect(s.socket().last("attach")).toMatchObject({ epoch: 2, keep: false });
    await s.host.attach(s.socket());
    await settle();
    s.connection().events.proven();
    s.connection().events.toolsUp();
    expect(s.session.view.pathUp).toBe(true);
    vi.advanceTimersByTime(120_000);
    expect(s.session.view.state).toBe("live");
    s.connection().events.lost(false);
    vi.advanceTimersByTime(59_999);
    expect(s.session.view.state).toBe("live");
    vi.advanceTimersByTime(1);
    expect(ended(s)).toEqual({ state: "ended", reason: "NO_ROUTE" });
  });

  test("takes what stood on it along: its notices are said again on the next", async () => {
    const s = await live();
    s.connection().events.lost(false);
    vi.advanceTimersByTime(2000);
    await s.host.attach(s.socket());
    await settle();
    expect(s.session.view).toMatchObject({ held: null, screen: null, slowLine: null });
  });
});

describe("relays", () => {
  const relay = (...urls: string[]) => ({
    case: "relay" as const,
    value: { servers: [{ urls, username: "u", credential: "c" }] },
  });

  test("are known before the first connection, and the newest count for the one that stands", async () => {
    const s = paired();
    s.socket().push({ case: "opened", value: { session: id, resumeToken: token, claim: claimId } });
    s.socket().push(relay("turn:a.example.org"));
    await s.host.attach(s.socket());
    await settle();
    expect(s.connection().relayed).toEqual([
      { urls: ["turn:a.example.org"], username: "u", credential: "c" },
    ]);
    s.socket().push(relay("turns:b.example.org:443?transport=tcp"));
    expect(s.connection().log.at(-1)).toBe("relays turns:b.example.org:443?transport=tcp");
  });

  test("are nothing before a session", () => {
    const s = paired();
    s.socket().push(relay("turn:a.example.org"));
    expect(ended(s)).toEqual({ state: "code", reason: "PROTOCOL" });
  });

  test("that refuse, where there is no direct way, are the reason that is given", async () => {
    const s = await attached();
    s.connection().events.lost(true);
    vi.advanceTimersByTime(reasonWait);
    expect(ended(s)).toEqual({ state: "ended", reason: "RELAY_REFUSED" });
  });
});

describe("nobody waits for ever", () => {
  test("for a claim that nobody answers", () => {
    const s = setup();
    s.socket().greet();
    vi.advanceTimersByTime(30_000);
    expect(ended(s)).toEqual({ state: "code", reason: "HOST_GONE" });
  });

  test("for an attach that nobody answers", () => {
    const s = paired();
    s.socket().push({ case: "opened", value: { session: id, resumeToken: token, claim: claimId } });
    expect(s.session.view.state).toBe("asking");
    vi.advanceTimersByTime(30_000);
    expect(ended(s)).toEqual({ state: "ended", reason: "NO_ROUTE" });
  });

  test("for a server that never says Welcome", () => {
    const s = setup();
    s.socket().open();
    vi.advanceTimersByTime(10_000);
    expect(ended(s)).toEqual({ state: "code", reason: "SERVER_GONE" });
  });
});

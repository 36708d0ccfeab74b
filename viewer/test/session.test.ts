// A session against a server and a host that may lie: nothing is believed that
// was not proven, nothing leaves that must not, and every end has its reason.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { create, toBinary } from "@bufbuild/protobuf";
import type { ConnectionEvents, HostConnection } from "../src/connection";
import { GrantState, NoticeCode } from "../src/gen/session_pb";
import { Kind, Reason, ServerToViewerSchema } from "../src/gen/signaling_pb";
import { Session, type View } from "../src/session";
import { claimId, FakeHost, FakeSocket, publicHost, session as id, settle, token } from "./fakes";

class FakeConnection implements HostConnection {
  log: string[] = [];
  events: ConnectionEvents;
  sender = { open: false, motion() {}, button() {}, wheel() {}, key() {}, text() {}, release() {} };
  constructor(events: ConnectionEvents) {
    this.events = events;
  }
  async start() {
    this.log.push("start");
    this.events.seal({ case: "description", value: { type: "offer", sdp: "v=0 offer" } });
  }
  description(d: { type: string; sdp: string }) {
    this.log.push(`description ${d.type} ${d.sdp}`);
  }
  candidate(c: { candidate: string }) {
    this.log.push(`candidate ${c.candidate}`);
  }
  send(body: { case?: string | undefined; value?: unknown }) {
    this.log.push(`send ${body.case} ${JSON.stringify(body.value)}`);
  }
  close(reason?: Reason) {
    if (this.log.at(-1)?.startsWith("close")) return;
    this.log.push(`close${reason === undefined ? "" : ` ${Reason[reason]}`}`);
  }
}

function setup(typed = "482 913 706", host = new FakeHost("913706", "482")) {
  const sockets: FakeSocket[] = [];
  const connections: FakeConnection[] = [];
  const views: View[] = [];
  const picture = { log: [] as string[], blank: () => {}, unblank: () => {}, close: () => {} };
  for (const name of ["blank", "unblank", "close"] as const)
    picture[name] = () => void picture.log.push(name);
  const session = new Session({
    dial() {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    async connect(_, events) {
      const connection = new FakeConnection(events);
      connections.push(connection);
      return connection;
    },
    picture,
    lang: "en",
    changed: (view) => views.push(view),
    cursor: () => {},
  });
  session.start(typed, "ticket-1");
  const socket = () => {
    const last = sockets.at(-1);
    if (last === undefined) throw new Error("no line");
    return last;
  };
  const connection = () => {
    const last = connections.at(-1);
    if (last === undefined) throw new Error("no connection");
    return last;
  };
  return { session, sockets, socket, connections, connection, views, host, picture };
}

type Setup = ReturnType<typeof setup>;

/** Up to Confirm. */
function paired(s: Setup = setup()): Setup {
  s.socket().greet();
  s.socket().push({ case: "pakeReply", value: s.host.claimed(s.socket().last("claim")) });
  return s;
}

/** Up to the first epoch. */
async function attached(s: Setup = paired()): Promise<Setup> {
  s.socket().push({ case: "opened", value: { session: id, resumeToken: token, claim: claimId } });
  await s.host.attach(s.socket());
  await settle();
  return s;
}

const grants = (view: GrantState, control = GrantState.UNSPECIFIED) => ({
  case: "grants" as const,
  value: {
    $typeName: "mf.v1.Grants" as const,
    grants: [
      { $typeName: "mf.v1.Grant" as const, name: "view", state: view, since: 0n },
      { $typeName: "mf.v1.Grant" as const, name: "control", state: control, since: 0n },
    ],
  },
});

/** Up to the first picture. */
async function live(): Promise<Setup> {
  const s = await attached();
  s.connection().events.proven();
  s.connection().events.control(grants(GrantState.ALLOWED));
  s.session.painted({ kind: "size", width: 800, height: 600 });
  s.session.painted({ kind: "painted" });
  expect(s.session.view.state).toBe("live");
  return s;
}

const ended = (s: Setup) => ({ state: s.session.view.state, reason: Reason[s.session.view.reason ?? -1] });

describe("the code", () => {
  test("only the nameplate leaves the browser; no byte of any frame holds the secret", async () => {
    const s = await attached();
    expect(s.socket().last("claim").nameplate).toBe("482");
    expect(s.socket().last("claim").ticketId).toBe("ticket-1");
    const frames = Buffer.concat(s.sockets.flatMap((socket) => socket.raw));
    expect(frames.includes("913706")).toBe(false);
    expect(frames.includes("913")).toBe(false);
  });

  test("what is no code opens no line", () => {
    const s = setup("482 913");
    expect(s.sockets).toEqual([]);
    expect(ended(s)).toEqual({ state: "code", reason: "MALFORMED_CODE" });
  });

  test.each([
    "48-29-13-706",
    "\uff14\uff18\uff12\uff19\uff11\uff13\uff17\uff10\uff16",
    "482913706 ",
    "482.913.706",
  ])("%j is the same code", (typed) => {
    const s = paired(setup(typed));
    expect(s.host.knows(s.socket().last("confirm").tag)).toBe(true);
  });

  test("the same code at a server of another name does not pair", () => {
    const s = paired(setup("482913706", new FakeHost("913706", "482", "evil.example.org")));
    expect(ended(s)).toEqual({ state: "code", reason: "WRONG_CODE" });
  });
});

describe("pairing", () => {
  test("an honest host pairs, and the viewer's tag is right", () => {
    const s = paired();
    expect(s.socket().cases()).toEqual(["hello", "claim", "confirm"]);
    expect(s.host.knows(s.socket().last("confirm").tag)).toBe(true);
    expect(s.session.view.state).toBe("pairing");
  });

  const lies: [string, (s: Setup) => Record<string, Uint8Array>, string][] = [
    ["a wrong tag (C21)", (s) => ({ tag: s.host.tag.map((b, i) => (i === 0 ? b ^ 1 : b)) }), "WRONG_CODE"],
    ["an empty tag", () => ({ tag: new Uint8Array(0) }), "WRONG_CODE"],
    ["our own share reflected (C17)", (s) => ({ share: s.socket().last("claim").share }), "PROTOCOL"],
    ["an invalid share (C18)", () => ({ share: new Uint8Array(32).fill(255) }), "PROTOCOL"],
    ["the neutral share (C18)", () => ({ share: new Uint8Array(32) }), "PROTOCOL"],
    ["our own role (C20)", (s) => ({ ad: s.socket().last("claim").ad }), "PROTOCOL"],
    [
      "another signing key",
      (s) => ({ ad: s.host.claimed(s.socket().last("claim")).ad.map((b, i) => (i === 20 ? b ^ 1 : b)) }),
      "WRONG_CODE",
    ],
  ];
  test.each(lies)("%s gets a verdict and no tag", (_, lie, reason) => {
    const s = setup();
    s.socket().greet();
    const honest = s.host.claimed(s.socket().last("claim"));
    s.socket().push({ case: "pakeReply", value: { ...honest, ...lie(s) } });
    expect(s.socket().cases()).toEqual(["hello", "claim", "verdict"]);
    expect(Reason[s.socket().last("verdict").reason]).toBe(reason);
    expect(ended(s)).toEqual({ state: "code", reason });
    expect(s.socket().closed).toBe(true);
  });

  test("our own share, role and tag echoed as a whole do not pair", () => {
    const s = setup();
    s.socket().greet();
    const { share, ad } = s.socket().last("claim");
    s.socket().push({ case: "pakeReply", value: { claim: claimId, share, ad, tag: s.host.tag } });
    expect(s.socket().cases()).not.toContain("confirm");
    expect(s.session.view.state).toBe("code");
  });

  test("a second reply is out of order", () => {
    const s = paired();
    s.socket().push({ case: "pakeReply", value: s.host.claimed(s.socket().last("claim")) });
    expect(ended(s)).toEqual({ state: "code", reason: "PROTOCOL" });
  });

  test.each(["NO_SUCH_CODE", "TOO_MANY_TRIES", "RATE_LIMITED", "TICKET_CLOSED"] as const)(
    "a refusal says why: %s",
    (name) => {
      const s = setup();
      s.socket().greet();
      s.socket().push({ case: "claimResult", value: { reason: Reason[name] } });
      expect(ended(s)).toEqual({ state: "code", reason: name });
    },
  );

  test.each([
    ["another claim", { session: id, resumeToken: token, claim: new Uint8Array(16) }],
    ["no session", { session: "", resumeToken: token, claim: claimId }],
    ["a short token", { session: id, resumeToken: token.subarray(1), claim: claimId }],
  ])("Opened for %s is refused", (_, value) => {
    const s = paired();
    s.socket().push({ case: "opened", value });
    expect(ended(s)).toEqual({ state: "code", reason: "PROTOCOL" });
  });

  test("Opened before the host proved anything is refused", () => {
    const s = setup();
    s.socket().greet();
    s.socket().push({ case: "opened", value: { session: id, resumeToken: token, claim: claimId } });
    expect(ended(s)).toEqual({ state: "code", reason: "PROTOCOL" });
  });

  test("a line that breaks in mid-claim is not dialled again: nothing is retried", () => {
    const s = paired();
    s.socket().break();
    expect(ended(s)).toEqual({ state: "code", reason: "SERVER_GONE" });
    expect(s.sockets).toHaveLength(1);
  });

  test("giving up tells the host", () => {
    const s = paired();
    s.session.end();
    expect(s.socket().cases().at(-1)).toBe("verdict");
    expect(ended(s)).toEqual({ state: "code", reason: "TECHNICIAN_ENDED" });
  });
});

describe("the line", () => {
  test.each([
    ["a text frame", "hello", "PROTOCOL"],
    ["a frame over 64 KiB", new ArrayBuffer(64 * 1024 + 1), "TOO_LARGE"],
    ["rubbish", Uint8Array.of(255, 255, 255).buffer, "PROTOCOL"],
    ["an unknown message", unknown(false), "UNKNOWN_MESSAGE"],
  ])("%s ends it", (_, frame, reason) => {
    const s = setup();
    s.socket().greet();
    s.socket().frame(frame);
    expect(ended(s)).toEqual({ state: "code", reason });
    expect(s.socket().closed).toBe(true);
  });

  test("an unknown optional message is skipped", () => {
    const s = setup();
    s.socket().greet();
    s.socket().frame(unknown(true));
    s.socket().push({ case: "pakeReply", value: s.host.claimed(s.socket().last("claim")) });
    expect(s.socket().cases().at(-1)).toBe("confirm");
  });

  test("nothing but Hello is sent before the server's Welcome", () => {
    const s = setup();
    s.socket().open();
    s.socket().push({ case: "hello", value: { minVersion: 1, maxVersion: 1, kind: Kind.SERVER } });
    expect(s.socket().cases()).toEqual(["hello"]);
  });

  test.each([
    [
      "Welcome before Hello",
      (x: FakeSocket) => x.push({ case: "welcome", value: { publicHost } }),
      "PROTOCOL",
    ],
    [
      "a host as the server",
      (x: FakeSocket) => x.push({ case: "hello", value: { minVersion: 1, maxVersion: 1, kind: Kind.HOST } }),
      "PROTOCOL",
    ],
    [
      "a newer server only",
      (x: FakeSocket) =>
        x.push({ case: "hello", value: { minVersion: 2, maxVersion: 9, kind: Kind.SERVER } }),
      "VERSION",
    ],
    [
      "a refusal",
      (x: FakeSocket) => x.push({ case: "end", value: { reason: Reason.SIGNED_OUT } }),
      "SIGNED_OUT",
    ],
  ])("%s", (_, say, reason) => {
    const s = setup();
    s.socket().open();
    say(s.socket());
    expect(ended(s)).toEqual({ state: "code", reason });
  });

  test("a second Welcome is out of order", () => {
    const s = setup();
    s.socket().greet();
    s.socket().push({ case: "welcome", value: { publicHost } });
    expect(ended(s)).toEqual({ state: "code", reason: "PROTOCOL" });
  });

  test.each(["attach", "sealed", "host"] as const)("%s before a session is out of order", (which) => {
    const s = paired();
    s.socket().push({ case: which, value: {} } as never);
    expect(ended(s)).toEqual({ state: "code", reason: "PROTOCOL" });
  });
});

describe("sealed messages", () => {
  test("the offer goes out sealed, and the answer and candidates come back by the host's key", async () => {
    const s = await attached();
    expect(s.session.view.state).toBe("asking");
    expect(s.socket().cases()).toEqual(["hello", "claim", "confirm", "attach", "sealed"]);
    expect(Buffer.concat(s.socket().raw).includes("v=0 offer")).toBe(false);
    const offer = Buffer.from((await s.host.link?.open(s.socket().last("sealed"))) ?? []);
    expect(offer.includes("v=0 offer")).toBe(true);
    s.socket().push({
      case: "sealed",
      value: await s.host.seal({ case: "description", value: { type: "answer", sdp: "v=0" } }),
    });
    s.socket().push({
      case: "sealed",
      value: await s.host.seal({ case: "candidate", value: { candidate: "candidate:1" } }),
    });
    await settle();
    expect(s.connection().log).toEqual(["start", "description answer v=0", "candidate candidate:1"]);
  });

  const body = { case: "candidate", value: { candidate: "candidate:1" } } as const;
  test.each([
    [
      "changed (C24)",
      async (s: Setup) => {
        const m = await s.host.seal(body);
        m.box[3] = (m.box[3] ?? 0) ^ 1;
        return [m];
      },
      "TAMPERED",
    ],
    [
      "repeated (C23)",
      async (s: Setup) => {
        const m = await s.host.seal(body);
        return [m, m];
      },
      "TAMPERED",
    ],
    [
      "left out (C23)",
      async (s: Setup) => {
        await s.host.seal(body);
        return [await s.host.seal(body)];
      },
      "TAMPERED",
    ],
    ["of another epoch (C22)", async (s: Setup) => [{ ...(await s.host.seal(body)), epoch: 2 }], "OLD_EPOCH"],
    ["reflected", async (s: Setup) => [s.socket().last("sealed")], "TAMPERED"],
  ])("one that was %s ends the session, and the host is told", async (_, make, reason) => {
    const s = await attached();
    for (const message of await make(s)) s.socket().push({ case: "sealed", value: message });
    await settle();
    expect(ended(s)).toEqual({ state: "ended", reason });
    expect(Reason[s.socket().last("end").reason]).toBe(reason);
    expect(s.connection().log.at(-1)).toBe(`close ${reason}`);
  });

  test.each([
    ["of the same epoch again", 1],
    ["two epochs higher", 3],
  ])("an attach %s is refused (C22)", async (_, epoch) => {
    const s = await attached();
    s.socket().push({ case: "attach", value: { epoch, nonce: new Uint8Array(16) } });
    await settle();
    expect(ended(s)).toEqual({ state: "ended", reason: "OLD_EPOCH" });
  });

  test("an attach that nobody asked for is refused", async () => {
    const s = await attached();
    s.socket().push({ case: "attach", value: { epoch: 2, nonce: new Uint8Array(16) } });
    await settle();
    expect(ended(s)).toEqual({ state: "ended", reason: "PROTOCOL" });
  });

  test("a sealed goodbye ends the session with the host's reason", async () => {
    const s = await attached();
    s.socket().push({
      case: "sealed",
      value: await s.host.seal({ case: "bye", value: { reason: Reason.PERSON_DENIED } }),
    });
    await settle();
    expect(ended(s)).toEqual({ state: "ended", reason: "PERSON_DENIED" });
  });
});

describe("grants", () => {
  test("the person is asked, allows, and the first picture makes it live", async () => {
    const s = await attached();
    s.connection().events.proven();
    s.connection().events.control(grants(GrantState.ASKED));
    expect(s.session.view.state).toBe("asking");
    s.session.painted({ kind: "painted" }); // of a host that does not wait for its person
    expect(s.session.view.state).toBe("asking");
    s.connection().events.control(grants(GrantState.ALLOWED));
    expect(s.session.view.state).toBe("connecting");
    s.session.painted({ kind: "painted" });
    expect(s.session.view.state).toBe("live");
  });

  test("a view that is taken back blanks the picture at once and closes the hands", async () => {
    const s = await live();
    s.connection().events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    expect(s.connection().sender.open).toBe(true);
    s.picture.log = [];
    s.connection().events.control(grants(GrantState.REVOKED, GrantState.ALLOWED));
    expect(s.picture.log).toEqual(["blank"]);
    expect(s.session.view.state).toBe("asking");
    expect(s.connection().sender.open).toBe(false);
    s.session.askView();
    expect(s.connection().log.at(-1)).toContain('"name":"view"');
    s.connection().events.control(grants(GrantState.ALLOWED));
    expect(s.picture.log).toEqual(["blank", "unblank"]);
    expect(s.session.view.state).toBe("connecting");
  });

  test("hands open with the control grant only, and close when it goes or the path breaks", async () => {
    const s = await live();
    const { events, sender } = s.connection();
    expect(sender.open).toBe(false);
    s.session.askControl();
    expect(s.connection().log.at(-1)).toContain('"name":"control"');
    events.control(grants(GrantState.ALLOWED, GrantState.ASKED));
    expect(sender.open).toBe(false);
    events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    expect(sender.open).toBe(true);
    events.path(false);
    expect(sender.open).toBe(false);
    events.path(true);
    expect(sender.open).toBe(true);
    events.control(grants(GrantState.ALLOWED, GrantState.REVOKED));
    expect(sender.open).toBe(false);
    expect(s.session.view.news).toBe("revoked");
    events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    s.session.giveBack();
    expect(sender.open).toBe(false);
  });

  test("notices stand until they are resumed; an untyped key is told for a moment", async () => {
    const s = await live();
    const notice = (code: NoticeCode) =>
      s.connection().events.control({ case: "notice", value: { $typeName: "mf.v1.Notice", code, value: 0 } });
    notice(NoticeCode.INPUT_HELD_QUESTION);
    expect(s.session.view.held).toBe("question");
    notice(NoticeCode.INPUT_HELD_OWN_WINDOW);
    expect(s.session.view.held).toBe("own window");
    notice(NoticeCode.INPUT_RESUMED);
    expect(s.session.view.held).toBe(null);
    vi.useFakeTimers();
    notice(NoticeCode.KEY_NOT_TYPED);
    expect(s.session.view.news).toBe("untyped");
    vi.advanceTimersByTime(6000);
    expect(s.session.view.news).toBe(null);
    vi.useRealTimers();
  });
});

describe("the end", () => {
  test("by the technician reaches host and server", async () => {
    const s = await live();
    s.session.end();
    expect(s.connection().log.at(-1)).toBe("close TECHNICIAN_ENDED");
    expect(s.socket().cases().at(-1)).toBe("end");
    expect(s.picture.log).toContain("close");
    expect(ended(s)).toEqual({ state: "ended", reason: "TECHNICIAN_ENDED" });
  });

  test("by the person comes over the connection", async () => {
    const s = await live();
    s.connection().events.control({
      case: "bye",
      value: { $typeName: "mf.v1.Bye", reason: Reason.PERSON_STOPPED },
    });
    expect(ended(s)).toEqual({ state: "ended", reason: "PERSON_STOPPED" });
  });

  test("by the server is an end too", async () => {
    const s = await live();
    s.socket().push({ case: "end", value: { reason: Reason.SUPERVISOR_ENDED } });
    expect(ended(s)).toEqual({ state: "ended", reason: "SUPERVISOR_ENDED" });
  });

  test("nothing changes after it", async () => {
    const s = await live();
    s.session.end();
    const view = s.session.view;
    s.socket().push({ case: "end", value: { reason: Reason.INTERNAL } });
    s.connection().events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    s.connection().events.failed(Reason.PROTOCOL);
    s.session.painted({ kind: "painted" });
    await settle();
    expect(s.session.view).toEqual(view);
    expect(s.connection().sender.open).toBe(false);
  });

  test("no way to the host is said as that", async () => {
    const s = await attached();
    s.connection().events.lost();
    expect(ended(s)).toEqual({ state: "ended", reason: "NO_ROUTE" });
  });
});

describe("a line that breaks in a session", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
  afterEach(() => void vi.useRealTimers());

  test("is dialled again with the session's token, and the live picture goes on", async () => {
    const s = await live();
    s.socket().break();
    expect(s.session.view).toMatchObject({ state: "live", serverAway: true });
    vi.advanceTimersByTime(500);
    expect(s.sockets).toHaveLength(2);
    s.socket().greet();
    expect(s.socket().cases()).toEqual(["hello", "resume"]);
    expect(Buffer.from(s.socket().last("resume").token)).toEqual(Buffer.from(token));
    s.socket().push({ case: "host", value: { connected: true } });
    await settle();
    expect(s.session.view).toMatchObject({ state: "live", serverAway: false, hostAway: false });
    expect(s.socket().cases()).toEqual(["hello", "resume"]); // what is connected needs no attach
    expect(s.connections).toHaveLength(1);
  });

  test("before the connection stood begins a new epoch with fresh keys", async () => {
    const s = await attached();
    s.socket().break();
    vi.advanceTimersByTime(500);
    s.socket().greet();
    s.socket().push({ case: "host", value: { connected: true } });
    expect(s.socket().last("attach").epoch).toBe(2);
    await s.host.attach(s.socket());
    await settle();
    expect(s.connections).toHaveLength(2);
    expect(s.connections[0]?.log.at(-1)).toBe("close");
    expect(s.socket().last("sealed").epoch).toBe(2);
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
    s.socket().push({ case: "end", value: { reason: Reason.PERSON_STOPPED } });
    expect(ended(s)).toEqual({ state: "ended", reason: "PERSON_STOPPED" });
  });

  test("a connection that is lost comes back by another attach, or ends after 30 s", async () => {
    const s = await live();
    s.connection().events.path(false);
    s.connection().events.lost();
    expect(s.session.view).toMatchObject({ state: "live", pathUp: false });
    vi.advanceTimersByTime(1000);
    expect(s.socket().last("attach").epoch).toBe(2);
    await s.host.attach(s.socket());
    await settle();
    s.connection().events.proven();
    expect(s.session.view.pathUp).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(s.session.view.state).toBe("live");
    s.connection().events.lost();
    vi.advanceTimersByTime(30_000);
    expect(ended(s)).toEqual({ state: "ended", reason: "NO_ROUTE" });
  });

  test("a claim that nobody answers does not wait for ever", () => {
    const s = setup();
    s.socket().greet();
    vi.advanceTimersByTime(30_000);
    expect(ended(s)).toEqual({ state: "code", reason: "HOST_GONE" });
  });

  test("an attach that nobody answers does not wait for ever", () => {
    const s = paired();
    s.socket().push({ case: "opened", value: { session: id, resumeToken: token, claim: claimId } });
    expect(s.session.view.state).toBe("asking");
    vi.advanceTimersByTime(30_000);
    expect(ended(s)).toEqual({ state: "ended", reason: "NO_ROUTE" });
  });

  test("a server that never says Welcome does not hold us for ever", () => {
    const s = setup();
    s.socket().open();
    vi.advanceTimersByTime(10_000);
    expect(ended(s)).toEqual({ state: "code", reason: "SERVER_GONE" });
  });
});

/** A message with a body of number 99, which nobody knows. */
function unknown(optional: boolean): ArrayBuffer {
  const known = toBinary(ServerToViewerSchema, create(ServerToViewerSchema, { optional }));
  return Uint8Array.from([...known, 0x9a, 0x06, 1, 0]).buffer;
}

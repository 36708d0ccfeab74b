// The code and the sealed messages of a session, against a server and a host
// that may lie: nothing is believed that was not proven, nothing leaves that must not.
import { describe, expect, test } from "vitest";
import { Reason } from "../src/gen/signaling_pb";
import { FakeHost, settle } from "./fakes";
import { attached, ended, paired, setup, type Setup } from "./rig";

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

// The claim, and the line that it goes by, against a server and a host that may lie.
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Kind, Reason, ServerToViewerSchema } from "../src/gen/signaling_pb";
import { claimId, publicHost, session as id, token, type FakeSocket } from "./fakes";
import { ended, paired, setup, type Setup } from "./rig";

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
    [
      "a ticket of another size",
      { session: id, resumeToken: token, claim: claimId, ticket: { id: "t".repeat(129) } },
    ],
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

/** A message with a body of number 99, which nobody knows. */
function unknown(optional: boolean): ArrayBuffer {
  const known = toBinary(ServerToViewerSchema, create(ServerToViewerSchema, { optional }));
  return Uint8Array.from([...known, 0x9a, 0x06, 1, 0]).buffer;
}

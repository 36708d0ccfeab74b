// Several participants: who is there, who may do what, and the codes that bring more.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { GrantState, InviteSchema, ParticipantsSchema } from "../src/gen/session_pb";
import { ParticipantKind, Reason } from "../src/gen/signaling_pb";
import { heir, invite, members, otherHands } from "../src/participants";
import { WireError } from "../src/wire/codec";
import { settle } from "./fakes";
import { attached, ended, grants, live, paired, say } from "./rig";

const { LEAD, EXPERT, OBSERVER } = ParticipantKind;
type Init = MessageInitShape<typeof ParticipantsSchema>["participants"];
const list = (participants: Init) => members(create(ParticipantsSchema, { participants } as never));
const us = { id: "1", name: "Anaïs", kind: LEAD, you: true, connected: true };
const marie = { id: "2", name: "Marie", kind: EXPERT, connected: true };
const paul = { id: "3", name: "Paul", kind: OBSERVER, connected: true };

describe("the list", () => {
  test("says who has what; names are cleaned", () => {
    const hands = [{ name: "control", state: GrantState.ALLOWED }];
    const got = list([us, { ...marie, name: "Marie\u202e\n<b>", grants: hands }]);
    expect(got[1]).toEqual({
      id: "2",
      name: "Marie <b>",
      kind: EXPERT,
      you: false,
      connected: true,
      view: GrantState.UNSPECIFIED,
      control: GrantState.ALLOWED,
    });
    expect(otherHands(got)?.id).toBe("2");
    expect(otherHands(list([{ ...us, grants: hands }, marie]))).toBe(undefined);
  });

  test.each([
    ["two of one id", [us, { ...marie, id: "1" }]],
    ["no id", [{ ...us, id: "" }]],
    ["a long id", [{ ...us, id: "1".repeat(17) }]],
    ["us twice", [us, { ...marie, you: true }]],
    ["a crowd", Array.from({ length: 17 }, (_, i) => ({ id: String(i) }))],
  ])("with %s is refused", (_, participants) => {
    expect(() => list(participants)).toThrow(WireError);
  });

  test("the first expert leads when the lead leaves; an observer never does", () => {
    expect(heir(list([us, paul, marie]))?.id).toBe("2");
    expect(heir(list([us, paul]))).toBe(undefined);
  });
});

describe("a session of several", () => {
  test("shows who joined its ticket and what they are", async () => {
    const s = await attached(paired(), {
      participant: "2",
      kind: EXPERT,
      ticket: { id: "t-9", number: "4711", subject: "Imprimante\u0000" },
    });
    expect(s.session.view).toMatchObject({
      kind: EXPERT,
      ticket: { id: "t-9", number: "4711", subject: "Imprimante" },
    });
  });

  test("of before there were several is led by its only technician", async () => {
    expect((await attached()).session.view).toMatchObject({ kind: LEAD, ticket: null, members: [] });
  });

  test("tells who comes after a lead that left", async () => {
    const s = await live({ kind: EXPERT });
    say(s, {
      case: "participants",
      value: {
        participants: [
          { ...us, you: false },
          { ...marie, you: true },
        ],
      },
    });
    expect(s.session.view).toMatchObject({ kind: EXPERT, news: null });
    say(s, { case: "participants", value: { participants: [{ ...marie, you: true, kind: LEAD }] } });
    expect(s.session.view).toMatchObject({ kind: LEAD, news: { kind: "lead" } });
  });

  test("hands control over by name; the hands close when the host says so", async () => {
    const s = await live();
    say(s, { case: "participants", value: { participants: [us, marie] } });
    s.connection().events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    s.session.handOver("2");
    expect(s.connection().log.at(-1)).toBe('send handOver {"participant":"2"}');
    expect(s.connection().sender.open).toBe(true); // the person has not answered yet
    s.connection().events.control(grants(GrantState.ALLOWED, GrantState.HANDED_OVER));
    expect(s.connection().sender.open).toBe(false);
    expect(s.session.view.news).toEqual({ kind: "handedOver" });
  });

  test("a list that cannot be one ends it", async () => {
    const s = await live();
    say(s, { case: "participants", value: { participants: [us, us] } });
    expect(ended(s)).toEqual({ state: "ended", reason: "PROTOCOL" });
  });
});

describe("an invite code", () => {
  const asked = async () => {
    const s = await live();
    s.session.askInvite(EXPERT);
    expect(s.connection().log.at(-1)).toBe('send askInvite {"kind":2}');
    expect(s.session.view.invite).toMatchObject({ state: "asked", kind: EXPERT });
    return s;
  };
  const code = { kind: EXPERT, code: "482913706", expires: BigInt(Date.now() + 600_000) };

  test("comes from the host, by the channel that the server cannot read", async () => {
    const s = await asked();
    say(s, { case: "invite", value: code });
    expect(s.session.view.invite).toMatchObject({ state: "open", code: "482 913 706" });
    await settle();
    const frames = Buffer.concat(s.sockets.flatMap((socket) => socket.raw));
    expect(frames.includes("482913706") || frames.includes("482 913 706")).toBe(false);
  });

  test.each([
    ["was used", Reason.UNSPECIFIED, "used"],
    ["is too old", Reason.CODE_EXPIRED, "ended"],
    ["was guessed at", Reason.TOO_MANY_TRIES, "ended"],
  ])("that %s shows nothing any more", async (_, reason, state) => {
    const s = await asked();
    say(s, { case: "invite", value: code });
    say(s, { case: "invite", value: { kind: EXPERT, code: "", reason } });
    expect(s.session.view.invite).toMatchObject({ state, code: "", reason });
  });

  test("may be refused", async () => {
    const s = await asked();
    say(s, { case: "invite", value: { kind: EXPERT, code: "", reason: Reason.TOO_MANY_PARTICIPANTS } });
    expect(s.session.view.invite).toMatchObject({ state: "ended", reason: Reason.TOO_MANY_PARTICIPANTS });
  });

  test("that is put away becomes worthless, and a late answer does not open it again", async () => {
    const s = await asked();
    s.session.closeInvite();
    expect(s.connection().log.at(-1)).toBe("send cancelInvite {}");
    say(s, { case: "invite", value: code });
    expect(s.session.view.invite).toBe(null);
  });

  test("that was used is only put away", async () => {
    const s = await asked();
    say(s, { case: "invite", value: code });
    say(s, { case: "invite", value: { kind: EXPERT, code: "" } });
    const { log } = s.connection();
    const before = log.length;
    s.session.closeInvite();
    expect(log).toHaveLength(before);
  });

  test("the end of an earlier one is not the answer to the next", async () => {
    const s = await asked();
    say(s, { case: "invite", value: { kind: EXPERT, code: "" } });
    expect(s.session.view.invite).toMatchObject({ state: "asked" });
  });

  test("that is none ends the session", async () => {
    const s = await asked();
    say(s, { case: "invite", value: { ...code, code: "call 555" } });
    expect(ended(s)).toEqual({ state: "ended", reason: "PROTOCOL" });
  });

  test.each([
    ["right", 120_000, 120_000],
    ["three days fast", 3 * 86_400_000, 600_000],
    ["three days slow", -3 * 86_400_000, 600_000],
  ])("lives no longer than 10 minutes by our clock when the host's is %s", (_, off, left) => {
    const now = 1_000_000_000_000;
    const message = create(InviteSchema, { kind: EXPERT, code: "482913706", expires: BigInt(now + off) });
    expect(invite(message, now).until - now).toBe(left);
  });
});

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";

import { GrantState } from "../src/gen/session_pb";
import { TalkKind, TalkMessageSchema, TalkRefusal, TalkTrouble, type TalkMessage } from "../src/gen/talk_pb";
import { facts } from "../src/talk/sheet";
import { cleanText, Talk } from "../src/talk/talk";
import { textsFor } from "../src/view/texts";

function scene() {
  const sent: TalkMessage[] = [];
  const outlet = {
    waiting: 0,
    send: (b: Uint8Array) => (sent.push(fromBinary(TalkMessageSchema, b)), true),
    drained: () => Promise.resolve(),
  };
  const talk = new Talk(() => undefined);
  const hear = (body: Parameters<typeof create<typeof TalkMessageSchema>>[1]) =>
    talk.heard(toBinary(TalkMessageSchema, create(TalkMessageSchema, body)).buffer as ArrayBuffer);
  return { sent, outlet, talk, hear };
}

describe("the chat", () => {
  test("says again on another connection what was not taken, and shows nothing twice", () => {
    const { sent, outlet, talk, hear } = scene();
    talk.connected(outlet);
    talk.say(" one ");
    talk.say("two");
    hear({ body: { case: "line", value: { id: 1n, text: "one", from: "1", name: "Ana", yours: 1n } } });
    talk.disconnected();
    sent.length = 0;
    talk.connected(outlet);
    expect(sent.map((m) => m.body)).toMatchObject([{ case: "line", value: { id: 2n, text: "two" } }]);
    hear({ body: { case: "line", value: { id: 1n, text: "one", from: "1", name: "Ana", yours: 1n } } });
    hear({ body: { case: "line", value: { id: 2n, text: "two", from: "1", name: "Ana", yours: 2n } } });
    expect(talk.lines.map(({ text, state, mine }) => [text, state, mine])).toEqual([
      ["one", "sent", true],
      ["two", "sent", true],
    ]);
  });

  test("begins anew with a host that was restarted", () => {
    const { sent, outlet, talk, hear } = scene();
    talk.connected(outlet);
    for (const text of ["one", "two", "three"]) talk.say(text);
    hear({ body: { case: "line", value: { id: 1n, text: "one", from: "1", name: "Ana", yours: 1n } } });
    hear({ body: { case: "line", value: { id: 2n, text: "yes?", from: "", name: "" } } });
    talk.disconnected();
    talk.anew();
    sent.length = 0;
    talk.connected(outlet);
    expect(sent.map((m) => m.body)).toMatchObject([
      { case: "line", value: { id: 1n, text: "two" } },
      { case: "line", value: { id: 2n, text: "three" } },
    ]);
    hear({ body: { case: "refused", value: { id: 1n, why: TalkRefusal.EARLY } } });
    hear({ body: { case: "line", value: { id: 1n, text: "hello again", from: "", name: "" } } });
    hear({ body: { case: "line", value: { id: 2n, text: "three", from: "1", name: "Ana", yours: 2n } } });
    expect(talk.lines.map(({ text, state }) => [text, state])).toEqual([
      ["two", TalkRefusal.EARLY],
      ["one", "sent"],
      ["yes?", "sent"],
      ["hello again", "sent"],
      ["three", "sent"],
    ]);
    talk.say("four");
    expect(sent.at(-1)?.body).toMatchObject({ case: "line", value: { id: 3n, text: "four" } });
  });

  test("counts what nobody read, and says why a line was refused", () => {
    const { outlet, talk, hear } = scene();
    talk.connected(outlet);
    hear({ body: { case: "line", value: { id: 1n, text: "a\u202eb\n\n\n\nc", from: "", name: "" } } });
    expect([talk.unread, talk.lines[0]?.text]).toEqual([1, "ab\n\nc"]);
    talk.reading = true;
    hear({ body: { case: "line", value: { id: 2n, text: "d", from: "2", name: "Sam\u202e" } } });
    expect([talk.unread, talk.lines[1]?.name]).toEqual([1, "Sam"]);
    talk.say("x");
    hear({ body: { case: "refused", value: { id: 1n, why: TalkRefusal.QUICK } } });
    expect(talk.lines.at(-1)?.state).toBe(TalkRefusal.QUICK);
    for (const id of [3n, 4n])
      hear({ body: { case: "line", value: { id, text: "y".repeat(9000), from: "", name: "" } } });
    expect(talk.lines.at(-1)?.text).toHaveLength(4000);
  });

  test("what only a viewer says ends the session", () => {
    const { hear } = scene();
    expect(() => hear({ body: { case: "ask", value: { id: 1, kind: TalkKind.PICTURE } } })).toThrow();
  });
});

describe("a thing", () => {
  test("comes in parts and is held to its hash; one that is too large ends the session", async () => {
    const { outlet, talk, hear } = scene();
    talk.connected(outlet);
    talk.granted({ sysinfo: GrantState.ALLOWED });
    const data = new TextEncoder().encode("{}");
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
    for (const good of [true, false]) {
      talk.ask("system", 0);
      const id = good ? 1 : 2;
      hear({
        body: {
          case: "thing",
          value: { id, kind: TalkKind.SYSTEM, size: 2, sha256: good ? sha256 : sha256.slice(1) },
        },
      });
      hear({ body: { case: "part", value: { id, data: data.slice(0, 1) } } });
      hear({ body: { case: "part", value: { id, data: data.slice(1) } } });
      await expect.poll(() => talk.things.system.state).toBe(good ? "here" : "failed");
    }
    talk.ask("system", 0);
    hear({ body: { case: "thing", value: { id: 3, kind: TalkKind.SYSTEM, trouble: TalkTrouble.DENIED } } });
    expect(talk.things.system).toEqual({ state: "failed", why: TalkTrouble.DENIED });
    talk.ask("system", 0);
    expect(() =>
      hear({ body: { case: "thing", value: { id: 4, kind: TalkKind.SYSTEM, size: 1 << 20, sha256 } } }),
    ).toThrow();
  });
});

test("a sheet of a hostile host is text of bounded length", () => {
  const t = textsFor("fr");
  const rows = [
    { key: "os", text: ["<b>x</b>\u202e", 7, null] },
    { key: "nothing", text: ["x"] },
    { key: "memory", size: 16e9, free: -1 },
    { key: "disk", missing: "late" },
    null,
  ];
  const list = facts(new TextEncoder().encode(JSON.stringify({ rows })), t);
  expect(list.map(({ value }) => value)).toEqual([
    "<b>x</b>",
    "16\u00a0Go, dont 0\u00a0Go libres",
    "lecture trop longue",
  ]);
  expect(facts(new TextEncoder().encode("[]"), t)).toEqual([]);
  expect(cleanText("a ".repeat(300), 4000)).toBe("a ".repeat(300).trim());
});

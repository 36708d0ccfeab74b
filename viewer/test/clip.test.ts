// The clipboard: what goes before which key, and what the host may say.
import { describe, expect, test, vi } from "vitest";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { createHash } from "node:crypto";
import { Clip, type Content } from "../src/clip/clip";
import { ClipKind, ClipMessageSchema, ClipWhy } from "../src/gen/clip_pb";
import { Holding, isCopy, isPaste } from "../src/input/paste";
import { decode } from "../src/wire/codec";
import { maxTool } from "../src/wire/limits";

type Body = NonNullable<MessageInitShape<typeof ClipMessageSchema>["body"]>;

const message = (body: Body) =>
  toBinary(ClipMessageSchema, create(ClipMessageSchema, { body })).slice().buffer as ArrayBuffer;

function setup() {
  const sent: ReturnType<typeof decode<typeof ClipMessageSchema>>["body"][] = [];
  const arrived: Content[] = [];
  const clip = new Clip({ changed: () => undefined, arrived: (content) => void arrived.push(content) });
  clip.connected({
    waiting: 0,
    send: (m) => {
      sent.push(decode(ClipMessageSchema, m, maxTool).body);
      return true;
    },
    drained: () => Promise.resolve(),
  });
  return { clip, sent, arrived };
}

const text = (s: string): Content => ({ kind: ClipKind.TEXT, data: new TextEncoder().encode(s) });

describe("what is sent", () => {
  test("is taken when the host's hash is that of what went", async () => {
    const { clip, sent } = setup();
    const content = text("é € 🦊 ".repeat(3000));
    const result = clip.send(content);
    await vi.waitFor(() => {
      expect(sent.length).toBe(1 + Math.ceil(content.data.byteLength / 16384));
    });
    const sha256 = new Uint8Array(createHash("sha256").update(content.data).digest());
    clip.heard(message({ case: "taken", value: { id: 1n, sha256 } }));
    expect(await result).toBe(null);
    expect(clip.last).toEqual({ way: "in", kind: ClipKind.TEXT, size: content.data.byteLength });
  });

  test("is not when it is another hash, is refused, or the connection goes", async () => {
    const { clip } = setup();
    const first = clip.send(text("a"));
    clip.heard(message({ case: "taken", value: { id: 1n, sha256: new Uint8Array(32) } }));
    expect(await first).toBe("unreadable");
    const second = clip.send(text("b"));
    clip.heard(message({ case: "refused", value: { id: 2n, why: ClipWhy.NOT_ALLOWED } }));
    expect(await second).toBe("notAllowed");
    const third = clip.send(text("c"));
    clip.disconnected();
    expect(await third).toBe("lost");
    expect(await clip.send(text("d"))).toBe("lost");
  });

  test("is bounded here already", async () => {
    const { clip, sent } = setup();
    expect(await clip.send(text("x".repeat((1 << 20) + 1)))).toBe("tooLarge");
    expect(sent).toEqual([]);
  });
});

describe("what comes", () => {
  const offer = (size: number, kind = ClipKind.TEXT) =>
    message({ case: "offer", value: { id: 1n, kind, size } });
  const chunk = (data: Uint8Array) => message({ case: "chunk", value: { id: 1n, data } });
  const news = message({ case: "news", value: { id: 3n, kind: ClipKind.TEXT } });

  test("comes when it is asked for", () => {
    const { clip, sent, arrived } = setup();
    clip.heard(news);
    expect(sent).toEqual([]);
    clip.fetch();
    expect(sent[0]).toMatchObject({ case: "fetch", value: { id: 3n } });
    const { data } = text("à vous €");
    clip.heard(offer(data.byteLength));
    clip.heard(chunk(data.slice(0, 2)));
    clip.heard(chunk(data.slice(2)));
    expect(arrived).toEqual([{ kind: ClipKind.TEXT, data }]);
  });

  test("is nothing when nobody asked, or the grant went meanwhile", () => {
    const { clip, arrived } = setup();
    clip.heard(offer(1));
    clip.heard(chunk(new Uint8Array(1)));
    clip.heard(news);
    clip.fetch();
    clip.heard(offer(2));
    clip.heard(chunk(new Uint8Array(1)));
    clip.forget();
    clip.heard(chunk(new Uint8Array(1)));
    expect(arrived).toEqual([]);
  });

  test.each([
    ["a size over the limit", () => [offer((1 << 20) + 1)]],
    ["no size", () => [offer(0)]],
    ["an unknown kind", () => [offer(1, 9 as ClipKind)]],
    ["more than it said", () => [offer(1), chunk(new Uint8Array(2))]],
    ["an empty chunk", () => [offer(1), chunk(new Uint8Array(0))]],
    ["a viewer's word", () => [message({ case: "fetch", value: { id: 1n } })]],
  ])("ends the session with %s", (_, bad) => {
    const { clip } = setup();
    clip.heard(news);
    clip.fetch();
    expect(() => {
      for (const m of bad()) clip.heard(m);
    }).toThrow();
  });
});

describe("keys", () => {
  const key = (code: string, name: string, held: string[] = []) => ({
    code,
    key: name,
    keyCode: 0,
    repeat: false,
    isComposing: false,
    getModifierState: (m: string) => held.includes(m),
  });

  test("that paste and copy", () => {
    expect(isPaste(key("KeyV", "v", ["Control"]))).toBe(true);
    expect(isPaste(key("KeyV", "v", ["Meta"]))).toBe(true);
    expect(isPaste(key("Insert", "Insert", ["Shift"]))).toBe(true);
    expect(isPaste(key("KeyV", "v"))).toBe(false);
    expect(isPaste({ ...key("KeyV", "v", ["Control"]), repeat: true })).toBe(false);
    expect(isPaste(key("KeyV", "v", ["Control", "Alt"]))).toBe(false);
    expect(isCopy(key("KeyC", "c", ["Control"]))).toBe(true);
    expect(isCopy(key("KeyX", "x", ["Meta"]))).toBe(true);
    expect(isCopy(key("KeyC", "c"))).toBe(false);
  });

  test("wait in order, and are dropped when everything goes up", () => {
    vi.useFakeTimers();
    const log: string[] = [];
    const holding = new Holding({
      key: ({ usage, down }) => void log.push(`${down ? "+" : "-"}${usage}`),
      text: (s) => void log.push(s),
      release: () => void log.push("release"),
    });
    const press = (usage: number, down: boolean) =>
      holding.key({ usage, down, modifiers: 0, locks: 0, key: "" });
    press(1, true);
    holding.hold();
    press(2, true);
    holding.text("t");
    press(1, false);
    expect(log).toEqual(["+1"]);
    holding.resume();
    expect(log).toEqual(["+1", "+2", "t", "-1"]);
    holding.hold();
    press(3, true);
    vi.advanceTimersByTime(300); // no paste event came: the keys go on
    expect(log.at(-1)).toBe("+3");
    holding.hold();
    holding.keep();
    press(4, true);
    vi.advanceTimersByTime(10_000);
    holding.release();
    holding.resume();
    expect(log.at(-1)).toBe("release");
    vi.useRealTimers();
  });
});

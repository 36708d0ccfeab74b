// What the host wrote once must show the same pixels for ever, in the browser too.
import { beforeAll, describe, expect, test } from "vitest";
import { Pace } from "../src/picture/pace";
import type { Report } from "../src/picture/painter";
import { compileZstd } from "../src/picture/unzstd";
import { scenes, FakeChannel, open, messages, restart, isLast, unpackers, start } from "./canvas";

beforeAll(compileZstd);

describe.each(unpackers)("golden updates by $by", ({ unpacker }) => {
  test.each(scenes)("$name paints the host's pixels and acknowledges every update", ({ file, steps }) => {
    const { channel, canvas, reports } = open(true, new Pace(), undefined, unpacker);
    const left = [...steps];
    for (const message of messages(file)) {
      channel.receive(message);
      if (!isLast(message)) continue;
      const step = left.shift();
      expect({ width: canvas.width, height: canvas.height, sha256: canvas.hash() }).toEqual({
        width: step?.width,
        height: step?.height,
        sha256: step?.sha256,
      });
      const ack = Buffer.from(channel.sent.at(-1) ?? []);
      expect([ack[0], ack.readUInt32LE(4)]).toEqual([2, step?.update]);
    }
    expect(left).toEqual([]);
    expect(reports.some((report) => report.kind === "failed")).toBe(false);
    expect(channel.sent).toHaveLength(steps.length);
  });

  test("only damage is painted", () => {
    const { channel, canvas } = open();
    let updates = 0;
    for (const message of messages("text.bin")) {
      canvas.painted = 0;
      channel.receive(message);
      if (isLast(message) && ++updates > 1) expect(canvas.painted).toBeLessThanOrEqual(3 * 3 * 256);
    }
  });
});

describe("the painter", () => {
  test("says hello only when it is told to, once, and when the channel is open", () => {
    const { channel, painter } = open(false);
    expect(channel.sent).toEqual([]);
    channel.readyState = "connecting";
    painter.begin();
    expect(channel.sent).toEqual([]);
    channel.readyState = "open";
    channel.onopen?.({} as Event);
    painter.begin();
    expect(channel.sent).toEqual([[1, 1, 0, 0]]);
  });

  test("believes nothing before its hello: no proof has passed yet (C25)", () => {
    const { channel, canvas, reports } = open(false);
    const before = canvas.hash();
    for (const message of messages("text.bin")) channel.receive(message);
    expect(canvas.hash()).toBe(before);
    expect(channel.sent).toEqual([]);
    expect(reports).toEqual([{ kind: "failed", why: "protocol" }]);
  });

  test("asks for a restart after a bad update, ignores the rest, and goes on with the next start", () => {
    const { channel, canvas, reports } = open();
    const all = [...messages("scroll.bin")];
    const [start, ...pieces] = all;
    if (start === undefined) throw new Error("no scene");
    channel.receive(start);
    const broken = new Uint8Array(pieces[0]?.slice(0) ?? new ArrayBuffer(0));
    broken[8] = (broken[8] ?? 0) ^ 0xff; // the zstd magic
    channel.receive(broken.buffer);
    for (const piece of pieces) channel.receive(piece);
    expect(channel.sent).toEqual([restart]);
    for (const message of all) channel.receive(message);
    expect(canvas.hash()).toBe(scenes.find((s) => s.file === "scroll.bin")?.steps.at(-1)?.sha256);
    expect(reports.filter((r) => r.kind === "failed")).toEqual([]);
  });

  test("gives up when restarts do not help", () => {
    const { channel, reports } = open();
    const [start] = [...messages("scroll.bin")];
    const bad = Uint8Array.of(2, 1, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7);
    for (let i = 0; i < 6; i++) {
      channel.receive(start);
      channel.receive(bad.buffer.slice(0));
    }
    expect(channel.sent).toEqual([restart, restart, restart, restart]);
    expect(reports.at(-1)).toEqual({ kind: "failed", why: "protocol" });
  });

  test.each([
    ["a text message", "hello", "restart"],
    ["an unknown message", Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0).buffer, "failed"],
    ["an unknown optional message", Uint8Array.of(9, 0x80, 0, 0, 0, 0, 0, 0).buffer, "nothing"],
    ["a message over its limit", new ArrayBuffer(16385), "failed"],
    ["a picture of more pixels than we hold", start(16384, 16384), "failed"],
  ])("%s", (_, data, want) => {
    const { channel, reports } = open();
    channel.receive(data);
    const got = reports.some((r) => r.kind === "failed")
      ? "failed"
      : channel.sent.length > 0
        ? "restart"
        : "nothing";
    expect(got).toBe(want);
  });

  test("a view that is taken back leaves nothing on the canvas, and comes back by a new picture", () => {
    const { channel, canvas, painter } = open();
    const all = [...messages("photo.bin")];
    for (const message of all) channel.receive(message);
    const shown = canvas.hash();
    channel.sent = [];
    painter.blank();
    expect(canvas.pixels.every((byte, i) => byte === (i % 4 === 3 ? 255 : 0))).toBe(true);
    const black = canvas.hash();
    for (const message of all) channel.receive(message); // overtook the word that the view is allowed again
    expect(canvas.hash()).toBe(black);
    painter.unblank();
    expect(channel.sent).toEqual([restart]);
    for (const message of all) channel.receive(message);
    expect(canvas.hash()).toBe(shown);
  });
});

describe("a host that sends rubbish", () => {
  const last = scenes.find((s) => s.file === "menu.bin")?.steps.at(-1)?.sha256;

  test("does not get an update shown twice", () => {
    const { channel, canvas } = open();
    const all = [...messages("menu.bin")];
    for (const message of all) channel.receive(message);
    channel.sent = [];
    channel.receive(all.at(-1));
    expect(channel.sent).toEqual([]);
    expect(canvas.hash()).toBe(last);
  });

  // Every message cut, changed, doubled or left out: refused, and never an exception, a picture
  // of another size, or an answer that is none; then a new picture is as good as the first.
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("is refused, and a new picture is exact (%i)", (seed) => {
    let random = seed * 2654435761;
    const below = (n: number) => {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      return Math.floor((random / 2 ** 32) * n);
    };
    const { channel, canvas, reports } = open();
    const all = [...messages("menu.bin")];
    for (const message of all) {
      let bytes = new Uint8Array(message.slice(0));
      switch (below(6)) {
        case 0:
          bytes = bytes.slice(0, below(bytes.length));
          break;
        case 1:
          for (let n = 1 + below(4); n > 0; n--) bytes[below(bytes.length)] = below(256);
          break;
        case 2:
          channel.receive(bytes.slice().buffer);
          break;
        case 3:
          continue;
      }
      channel.receive(bytes.buffer);
      expect((canvas.width ?? 0) * (canvas.height ?? 0)).toBeLessThanOrEqual(1 << 26);
    }
    for (const sent of channel.sent) expect([2, 3]).toContain(sent[0]);
    if (reports.some((r) => r.kind === "failed")) return; // it ended the session, with a reason
    for (const message of all) channel.receive(message);
    expect(canvas.hash()).toBe(last);
  });
});

describe("what the video track shows", () => {
  const video = (timestamp: number, area: number[], ...rects: number[][]) => {
    const view = new DataView(new ArrayBuffer(16 + 8 * rects.length));
    view.setUint8(0, 3);
    view.setUint16(2, rects.length, true);
    view.setUint32(4, timestamp, true);
    [...area, ...rects.flat()].forEach((n, i) => view.setUint16(8 + 2 * i, n, true));
    return view.buffer;
  };
  const place = ([x, y, width, height]: number[]) => ({ x, y, width, height });
  const whole = [0, 0, 240, 220];
  const filmed = (reports: Report[]) => reports.filter((r) => r.kind === "video");

  test("is told as it came, and needs no answer", () => {
    const { channel, reports } = open();
    channel.receive([...messages("scroll.bin")][0]);
    channel.receive(video(0xfedcba98, whole, [16, 32, 64, 48]));
    channel.receive(video(9, [0, 0, 0, 0]));
    expect(filmed(reports)).toEqual([
      { kind: "video", timestamp: 0xfedcba98, area: place(whole), rects: [place([16, 32, 64, 48])] },
      { kind: "video", timestamp: 9, area: place([0, 0, 0, 0]), rects: [] },
    ]);
    expect(channel.sent).toEqual([]);
  });

  test("ends with its picture, and with the view", () => {
    const { channel, reports, painter } = open();
    const first = [...messages("scroll.bin")][0] as ArrayBuffer;
    channel.receive(first);
    channel.receive(video(1, whole, whole));
    channel.receive(first);
    expect(filmed(reports).at(-1)).toMatchObject({ rects: [] });
    channel.receive(video(2, whole, whole));
    painter.blank();
    channel.receive(video(3, whole, whole)); // overtook the word that nothing may be shown
    expect(filmed(reports)).toHaveLength(4);
    expect(filmed(reports).at(-1)).toMatchObject({ rects: [] });
  });

  test("may not lie outside the picture", () => {
    const { channel, reports } = open();
    channel.receive([...messages("scroll.bin")][0]);
    channel.receive(video(1, [0, 0, 241, 220], [0, 0, 16, 16]));
    expect(filmed(reports)).toEqual([]);
    expect(reports.at(-1)).toEqual({ kind: "failed", why: "protocol" });
  });
});

describe("a picture that nobody looks at", () => {
  const acks = (channel: FakeChannel) => channel.sent.filter((m) => m[0] === 2);

  test("is painted and not acknowledged, so that the host stops; seen again, one word brings the rest", () => {
    const { channel, canvas, painter } = open();
    const all = [...messages("photo.bin")];
    for (const message of all) channel.receive(message);
    const seen = acks(channel).at(-1);
    const shown = canvas.hash();
    channel.sent = [];
    painter.hold();
    for (const message of all) channel.receive(message);
    expect(canvas.hash()).toBe(shown);
    expect(channel.sent).toEqual([]);
    painter.resume();
    expect(channel.sent).toEqual([seen]); // the newest: it stands for all before it
    painter.resume();
    expect(channel.sent).toHaveLength(1);
  });

  test("that did not change meanwhile needs no word", () => {
    const { channel, painter } = open();
    painter.hold();
    painter.resume();
    expect(acks(channel)).toEqual([]);
  });
});

describe("a browser that paints slowly", () => {
  test("is found by what each update takes here, its wait included", () => {
    let now = 0;
    const { channel, reports } = open(true, new Pace(), () => (now += 300)); // every look at the clock is 300 ms later
    for (let i = 0; i < 3; i++) for (const message of messages("photo.bin")) channel.receive(message);
    expect(reports.filter((r) => r.kind === "pace")).toEqual([
      expect.objectContaining({ kind: "pace", slow: true }),
    ]);
  });

  test("is found good again on the next connection too", () => {
    const pace = new Pace();
    let now = 0;
    const slow = open(true, pace, () => (now += 300));
    for (let i = 0; i < 3; i++) for (const message of messages("photo.bin")) slow.channel.receive(message);
    now += 10_000;
    const next = open(true, pace, () => (now += 10));
    for (let i = 0; i < 3; i++) for (const message of messages("photo.bin")) next.channel.receive(message);
    expect(next.reports.filter((r) => r.kind === "pace")).toEqual([
      expect.objectContaining({ kind: "pace", slow: false }),
    ]);
  });

  test("is not found while nobody looks", () => {
    let now = 0;
    const { channel, reports, painter } = open(true, new Pace(), () => (now += 300));
    painter.hold();
    for (let i = 0; i < 3; i++) for (const message of messages("photo.bin")) channel.receive(message);
    expect(reports.filter((r) => r.kind === "pace")).toEqual([]);
  });
});

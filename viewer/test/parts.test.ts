// Small updates come a second time on tiles-fast, in parts.
import { beforeAll, describe, expect, test, vi } from "vitest";
import { compileZstd } from "../src/picture/unzstd";
import { scenes, open, messages, isLast, type Scene } from "./canvas";

beforeAll(compileZstd);

/** Parts that repeat the whole update which a piece is. */
function parts(piece: ArrayBuffer, generation: number, size = 100): ArrayBuffer[] {
  const bytes = new Uint8Array(piece);
  const update = new DataView(piece).getUint32(4, true);
  const data = bytes.subarray(8);
  const all: ArrayBuffer[] = [];
  for (let at = 0; at < data.length; at += size) {
    const chunk = data.subarray(at, at + size);
    const message = new Uint8Array(12 + chunk.length);
    const view = new DataView(message.buffer);
    message.set([4, at + size >= data.length ? 1 : 0]);
    view.setUint16(2, at, true);
    view.setUint32(4, update, true);
    view.setUint32(8, generation, true);
    message.set(chunk, 12);
    all.push(message.buffer);
  }
  return all;
}

describe("parts on tiles-fast", () => {
  const scene = scenes.find(({ steps }) => steps.length > 3) as Scene;

  /** The first picture of a scene, then each update of it as the test wants. */
  function play(each: (update: ArrayBuffer, generation: number, to: ReturnType<typeof open>) => void) {
    const to = open();
    let generation = 0;
    let first = true;
    for (const message of messages(scene.file)) {
      if (new Uint8Array(message)[0] === 1) {
        generation = new DataView(message).getUint32(4, true);
        first = true;
        to.channel.receive(message);
      } else if (first || !isLast(message)) {
        to.channel.receive(message);
        if (isLast(message)) first = false;
      } else {
        each(message, generation, to);
      }
    }
    return to;
  }

  const last = scene.steps.at(-1);

  test("show an update before its pieces come, and the pieces change nothing", () => {
    const { canvas, channel } = play((update, generation, { channel, fast, canvas }) => {
      for (const part of parts(update, generation).reverse()) fast.receive(part);
      const shown = canvas.hash();
      channel.receive(update);
      expect(canvas.hash()).toBe(shown);
    });
    expect(canvas.hash()).toBe(last?.sha256);
    expect(channel.sent.some((ack) => ack[0] === 2 && ack[1] === 1)).toBe(true);
    expect(channel.sent.filter((ack) => ack[0] === 3)).toEqual([]);
  });

  test("fill what is missing, whatever comes, in any order", () => {
    let seed = 7;
    const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const late: ArrayBuffer[] = []; // pieces on their way
    const { canvas, channel } = play((update, generation, { channel, fast }) => {
      late.push(update);
      for (const part of parts(update, generation, 1 + Math.floor(random() * 300)).sort(() => random() - 0.5))
        if (random() < 0.7) fast.receive(part);
      while (late.length > 3 * random()) channel.receive(late.shift() as ArrayBuffer);
    });
    for (const update of late) channel.receive(update);
    expect(canvas.hash()).toBe(last?.sha256);
    expect(channel.sent.filter((ack) => ack[0] === 3)).toEqual([]);
  });

  test("of another picture count for nothing", () => {
    const { canvas } = play((update, generation, { channel, fast, canvas }) => {
      const shown = canvas.hash();
      for (const part of parts(update, generation + 1)) fast.receive(part);
      expect(canvas.hash()).toBe(shown);
      channel.receive(update);
    });
    expect(canvas.hash()).toBe(last?.sha256);
  });

  test("of a picture that has not begun, or before the proof, are not looked at (C25)", () => {
    for (const begun of [true, false]) {
      const { fast, channel, reports } = open(begun);
      fast.receive(Uint8Array.of(9).buffer);
      expect(channel.sent).toEqual([]);
      expect(reports).toEqual([]);
    }
  });

  test("that are malformed end the picture", () => {
    const { fast, channel, reports } = open();
    for (const message of messages(scene.file)) {
      channel.receive(message);
      if (isLast(message)) break;
    }
    fast.receive(Uint8Array.of(4, 0, 0, 0).buffer);
    expect(reports.at(-1)).toEqual({ kind: "failed", why: "protocol" });
  });

  test("make acks go by both channels, as long as they come", () => {
    vi.useFakeTimers();
    let now = 0;
    const { fast, channel } = open(true, undefined, () => now);
    const updates = [...messages(scene.file)];
    let sent = 0;
    for (const message of updates.slice(0, 3)) {
      channel.receive(message);
      if (isLast(message)) sent++;
    }
    vi.advanceTimersByTime(100);
    expect(fast.sent).toEqual([]);
    const next = updates[3] as ArrayBuffer;
    const generation = new DataView(updates[0] as ArrayBuffer).getUint32(4, true);
    for (const part of parts(next, generation)) fast.receive(part);
    expect(channel.sent.length).toBe(sent + 1);
    vi.advanceTimersByTime(100);
    expect(fast.sent).toEqual([channel.sent.at(-1)]);
    now += 10_000;
    channel.receive(next);
    channel.receive(updates[4] as ArrayBuffer);
    vi.advanceTimersByTime(100);
    expect(fast.sent.length).toBe(1);
    vi.useRealTimers();
  });
});

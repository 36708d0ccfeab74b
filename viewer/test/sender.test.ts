// No key is lost, none is doubled by us, and the pointer never lags behind itself.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Sender, split } from "../src/input/sender";

class FakeChannel {
  readyState = "open";
  bufferedAmount = 0;
  sent: { at: number; kind: number; seq: number; bytes: Buffer }[] = [];
  send(data: Uint8Array<ArrayBuffer>) {
    const bytes = Buffer.from(Uint8Array.from(data));
    this.sent.push({ at: performance.now() - began, kind: bytes[0] ?? 0, seq: bytes.readUInt32LE(4), bytes });
  }
  seqs(kind: number) {
    return this.sent.filter((m) => m.kind === kind).map((m) => m.seq);
  }
}

const motion = 1,
  button = 2,
  key = 4,
  text = 5,
  release = 6,
  alive = 7;
const a = { usage: 4, down: true, modifiers: 0, locks: 0, key: "a" };
let began = 0;
let reliable: FakeChannel;
let fast: FakeChannel;
let sender: Sender;

beforeEach(() => {
  vi.useFakeTimers();
  began = performance.now();
  reliable = new FakeChannel();
  fast = new FakeChannel();
  sender = new Sender(reliable, fast);
  sender.open = true;
});
afterEach(() => {
  sender.close();
  vi.useRealTimers();
});

test("a key goes on both channels at once and is repeated at 15 and 45 ms", () => {
  sender.key(a);
  expect(reliable.sent.map((m) => m.at)).toEqual([0]);
  vi.advanceTimersByTime(400);
  expect(fast.sent.filter((m) => m.kind === key).map((m) => m.at)).toEqual([0, 15, 45]);
  expect(reliable.seqs(key)).toEqual([1]);
});

test("an acknowledgement stops the repeats of all events up to it, and of no later one", () => {
  sender.key(a);
  sender.key({ ...a, down: false });
  vi.advanceTimersByTime(5);
  sender.acked(1);
  vi.advanceTimersByTime(100);
  expect(fast.seqs(key)).toEqual([1, 2, 2, 2]);
});

test("an acknowledgement of what was never sent is ignored", () => {
  sender.key(a);
  sender.acked(7);
  vi.advanceTimersByTime(100);
  expect(fast.seqs(key)).toEqual([1, 1, 1]);
});

test("a late timer repeats once, not twice", () => {
  let now = 0;
  const late = new Sender(reliable, fast, () => now);
  late.open = true;
  late.key(a);
  now = 60;
  vi.advanceTimersByTime(60);
  expect(fast.seqs(key)).toEqual([1, 1]);
  late.close();
});

test("text goes on the reliable channel only and shares the sequence", () => {
  sender.key(a);
  sender.text("é");
  sender.key({ ...a, down: false });
  expect(reliable.sent.map((m) => [m.kind, m.seq])).toEqual([
    [key, 1],
    [text, 2],
    [key, 3],
  ]);
  vi.advanceTimersByTime(100);
  expect(fast.seqs(text)).toEqual([]);
});

test("a long text is cut between characters, and nothing of it is lost", () => {
  const long = "añ€🙂".repeat(300) + "\ud83d";
  const parts = split(long, 1024);
  expect(parts.join("")).toBe(long.slice(0, -1) + "\ufffd");
  for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(1024);
  expect(parts.length).toBe(Math.ceil(3003 / 1022));
  sender.text(long);
  expect(reliable.seqs(text)).toEqual(parts.map((_, i) => i + 1));
});

test("motion goes at most every 8 ms, the latest wins, on the unreliable channel", () => {
  for (let i = 0; i < 30; i++) {
    sender.motion(i, 2 * i);
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(20);
  const sent = fast.sent.filter((m) => m.kind === motion);
  expect(sent.map((m) => m.at)).toEqual([0, 8, 16, 24, 32]);
  expect(sent.map((m) => m.bytes.readUInt16LE(8))).toEqual([0, 7, 15, 23, 29]);
  expect(sent.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5]);
  expect(reliable.sent).toEqual([]);
});

test("a button carries its own place and the newest motion, and no older motion follows it", () => {
  sender.motion(1, 1);
  vi.advanceTimersByTime(2);
  sender.motion(2, 2); // waits
  sender.button(3, 4, 0, true);
  vi.advanceTimersByTime(50);
  expect(fast.seqs(motion)).toEqual([1]);
  const bytes = reliable.sent[0]?.bytes;
  expect([
    bytes?.readUInt32LE(8),
    bytes?.readUInt16LE(12),
    bytes?.readUInt16LE(14),
    bytes?.[16],
    bytes?.[17],
  ]).toEqual([1, 3, 4, 0, 1]);
  expect(reliable.seqs(button)).toEqual([1]);
});

test("says that it is alive every 500 ms while a key or a button is down, and only then", () => {
  sender.key(a);
  sender.button(0, 0, 0, true);
  vi.advanceTimersByTime(1100);
  expect(reliable.sent.filter((m) => m.kind === alive).map((m) => [m.at, m.seq])).toEqual([
    [500, 0],
    [1000, 0],
  ]);
  sender.key({ ...a, down: false });
  vi.advanceTimersByTime(500);
  expect(reliable.seqs(alive)).toHaveLength(3);
  sender.button(0, 0, 0, false);
  vi.advanceTimersByTime(5000);
  expect(reliable.seqs(alive)).toHaveLength(3);
});

test("release lets everything go, and is not sent when nothing is down", () => {
  sender.release();
  expect(reliable.sent).toEqual([]);
  sender.key(a);
  sender.release();
  sender.release();
  expect(reliable.seqs(release)).toEqual([2]);
  vi.advanceTimersByTime(5000);
  expect(reliable.seqs(alive)).toEqual([]);
});

test("closed hands send nothing, and what was under way is forgotten", () => {
  sender.key(a);
  sender.motion(1, 1);
  sender.motion(2, 2);
  sender.open = false;
  const before = fast.sent.length;
  expect(reliable.sent.map((m) => m.kind)).toEqual([key, release]);
  sender.key(a);
  sender.text("a");
  sender.motion(3, 3);
  sender.button(0, 0, 0, true);
  sender.wheel(0, 0, 0, 120);
  vi.advanceTimersByTime(5000);
  expect(fast.sent.length).toBe(before);
  expect(reliable.sent).toHaveLength(2);
});

test("numbers go on when the hands open again", () => {
  sender.key(a);
  sender.open = false;
  sender.open = true;
  sender.key(a);
  expect(reliable.sent.map((m) => m.seq)).toEqual([1, 2, 3]);
});

test("a full unreliable channel is left alone", () => {
  fast.bufferedAmount = 1 << 20;
  sender.motion(1, 1);
  sender.key(a);
  vi.advanceTimersByTime(100);
  expect(fast.sent).toEqual([]);
  expect(reliable.seqs(key)).toEqual([1]);
});

test("what cannot stand on the wire takes no number", () => {
  expect(() => sender.key({ ...a, usage: 1 })).toThrow(RangeError);
  sender.key(a);
  expect(reliable.seqs(key)).toEqual([1]);
});

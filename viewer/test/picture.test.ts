// What the host wrote once must show the same pixels for ever, in the browser too.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Decompress } from "fzstd";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { Pace } from "../src/picture/pace";
import { Painter, type Report, type TileChannel } from "../src/picture/painter";
import { Strips, stripsOf, type Strip } from "../src/picture/strips";
import { BadUpdate, Picture } from "../src/picture/tiles";
import { compileZstd, unzstd } from "../src/picture/unzstd";
import { BadStream, ZstdStream, type MakeUnpacker } from "../src/picture/zstd";

const golden = new URL("../../host/picture/testdata/golden/", import.meta.url);

interface Scene {
  name: string;
  file: string;
  steps: { update: number; generation: number; width: number; height: number; sha256: string }[];
}

const scenes = JSON.parse(readFileSync(new URL("index.json", golden), "utf8")) as Scene[];

class FakeImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}
Object.assign(globalThis, { ImageData: globalThis.ImageData ?? FakeImageData });

/** A canvas that holds what was painted, and nothing of what was not. */
class FakeCanvas implements Strip {
  #width = 0;
  #height = 0;
  painted = 0;
  pixels = new Uint8ClampedArray(0);

  get width() {
    return this.#width;
  }
  set width(width: number) {
    this.#width = width;
    this.#clear();
  }
  get height() {
    return this.#height;
  }
  set height(height: number) {
    this.#height = height;
    this.#clear();
  }
  #clear() {
    this.pixels = new Uint8ClampedArray(this.#width * this.#height * 4);
    this.fillRect();
  }
  fillRect() {
    for (let i = 0; i < this.pixels.length; i++) this.pixels[i] = i % 4 === 3 ? 255 : 0;
  }
  getContext() {
    return {
      fillRect: () => this.fillRect(),
      putImageData: (image: ImageData, dx: number, dy: number, x = 0, y = 0, w = 0, h = 0) => {
        expect(dx).toBe(0);
        expect([y + dy >= 0, y + h + dy <= this.#height, image.width]).toEqual([true, true, this.#width]);
        this.painted += w * h;
        for (let row = y; row < y + h; row++) {
          const at = (row * image.width + x) * 4;
          this.pixels.set(image.data.subarray(at, at + w * 4), at + dy * this.#width * 4);
        }
      },
    };
  }
}

/** All strips of a picture, as they stand one below the other. */
class FakeSurface {
  readonly strips: FakeCanvas[];
  constructor(count = 6) {
    this.strips = Array.from({ length: count }, () => new FakeCanvas());
  }
  get width() {
    return this.strips[0]?.width;
  }
  get height() {
    return this.strips.reduce((sum, { height }) => sum + height, 0);
  }
  get painted() {
    return this.strips.reduce((sum, { painted }) => sum + painted, 0);
  }
  set painted(pixels: number) {
    for (const strip of this.strips) strip.painted = pixels;
  }
  get pixels() {
    return Buffer.concat(this.strips.map(({ pixels }) => new Uint8Array(pixels.buffer)));
  }
  hash(): string {
    return createHash("sha256").update(this.pixels).digest("hex");
  }
}

class FakeChannel implements TileChannel {
  readyState = "open";
  binaryType = "blob";
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  sent: number[][] = [];
  closed = false;
  send(data: Uint8Array) {
    this.sent.push([...data]);
  }
  close() {
    this.closed = true;
  }
  receive(data: unknown) {
    this.onmessage?.({ data } as MessageEvent);
  }
}

/** A painter that asked for pictures, or did not yet. */
function open(
  begun = true,
  pace = new Pace(),
  now?: () => number,
  unpacker: MakeUnpacker | undefined = unzstd,
) {
  const channel = new FakeChannel();
  const canvas = new FakeSurface();
  const fast = new FakeChannel();
  const reports: Report[] = [];
  const painter = new Painter(
    channel,
    fast,
    new Strips(canvas.strips),
    (report) => reports.push(report),
    pace,
    unpacker,
    now,
  );
  if (begun) painter.begin();
  channel.sent = [];
  return { channel, fast, canvas, reports, painter };
}

function* messages(file: string): Generator<ArrayBuffer> {
  const bytes = readFileSync(new URL(file, golden));
  for (let at = 0; at < bytes.length;) {
    const size = bytes.readUInt32LE(at);
    yield new Uint8Array(bytes.subarray(at + 4, at + 4 + size)).buffer;
    at += 4 + size;
  }
}

const restart = [3, 0, 0, 0];
const isLast = (message: ArrayBuffer) =>
  new Uint8Array(message)[0] === 2 && (new Uint8Array(message)[1] ?? 0) & 1;

beforeAll(compileZstd);

/** What unpacks, with and without WebAssembly. */
const unpackers: { by: string; unpacker: MakeUnpacker }[] = [
  { by: "libzstd", unpacker: unzstd },
  { by: "fzstd", unpacker: () => undefined },
];

test("the decoder of libzstd is there", () => {
  expect(unzstd(() => undefined)).toBeDefined();
});

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

describe("the decoder bounds every field", () => {
  const bytes = (...values: number[]) => Uint8Array.from(values);
  // 32 × 32 pixels: two by two tiles.
  test.each([
    ["nothing", bytes()],
    ["too many copies", bytes(17)],
    ["a copy over the right edge", bytes(1, 0, 20, 0, 16, 8, 0, 0, 0, 0)],
    ["a copy from above the picture", bytes(1, 0, 0, 0, 8, 8, 0, 1, 0, 0)],
    ["a copy from below the picture", bytes(1, 0, 0, 16, 8, 16, 0, 2, 0, 0)],
    ["an unknown copy flag", bytes(1, 2, 0, 0, 8, 8, 0, 0, 0, 0)],
    ["a run over two rows of tiles", bytes(0, 1, (2 << 2) | 1, 0, 0)],
    ["a run behind the last tile", bytes(0, 4, (1 << 2) | 1, 0, 0)],
    ["an unknown mode", bytes(0, 0, (1 << 2) | 3, 0, 0)],
    ["a skip at the end", bytes(0, 1, 0)],
    ["a number without end", bytes(0x80, 0x80, 0x80, 0x80, 0x80)],
    ["planes too short", bytes(0, 0, 1 << 2, 0, 0, ...new Uint8Array(3 * 256 - 1))],
    ["planes too long", bytes(0, 0, 1 << 2, 0, 0, ...new Uint8Array(3 * 256 + 1))],
  ])("%s", (_, update) => {
    expect(() => new Picture(32, 32).apply(update)).toThrow(BadUpdate);
  });

  test("an update that changes nothing is good", () => {
    expect(new Picture(32, 32).apply(bytes(0, 0, 0))).toEqual([]);
  });

  test("damage that goes on downwards is one rectangle", () => {
    const swap = (1 << 2) | 1;
    expect(new Picture(32, 32).apply(bytes(0, 0, swap, 1, swap, 0, 0))).toEqual([
      { x: 0, y: 0, width: 16, height: 32 },
    ]);
  });
});

describe.each(unpackers)("the zstd stream by $by", ({ unpacker }) => {
  const frame = (window = 0x40, descriptor = 0) => [0x28, 0xb5, 0x2f, 0xfd, descriptor, window];
  const raw = (...data: number[]) => [data.length << 3, 0, 0, ...data];
  const push = (data: number[], limit = 1 << 20, log = 18) => {
    const stream = new ZstdStream(log, unpacker);
    stream.push(Uint8Array.from(data), limit);
    return [...stream.take()];
  };

  test("a first update of a few bytes comes out at once", () => {
    expect(push([...frame(), ...raw(0, 0, 0)])).toEqual([0, 0, 0]);
  });

  test("pieces may cut anywhere", () => {
    const data = [...frame(), ...raw(1, 2, 3), ...raw(4), ...raw(5, 6)];
    for (let cut = 1; cut < data.length; cut++) {
      const stream = new ZstdStream(18, unpacker);
      stream.push(Uint8Array.from(data.slice(0, cut)), 100);
      stream.push(Uint8Array.from(data.slice(cut)), 100);
      expect([...stream.take()]).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });

  test.each([
    ["another magic", [0x28, 0xb5, 0x2f, 0xfe, 0, 0x40, ...raw(1)]],
    ["a window larger than announced", [...frame(0x48), ...raw(1)]],
    ["a window of two gigabytes", [...frame(0xff), ...raw(1)]],
    ["a dictionary", [...frame(0x40, 1), 0, ...raw(1)]],
    ["a checksum", [...frame(0x40, 4), ...raw(1)]],
    ["a single segment", [...frame(0x40, 0x20), ...raw(1)]],
    ["the end of the stream", [...frame(), 9, 0, 0, 1]],
    ["a reserved block", [...frame(), 6 | (1 << 3), 0, 0, 1]],
    ["a run of two megabytes", [...frame(), 2 | (7 << 3), 0xff, 0xff, 1]],
    ["an update that ends inside a block", [...frame(), ...raw(1, 2, 3).slice(0, 5)]],
    ["a compressed block of rubbish", [...frame(), 4 | (4 << 3), 0, 0, 255, 255, 255, 255]],
  ])("refuses %s", (_, data) => {
    expect(() => push(data)).toThrow(BadStream);
  });

  test("refuses to unpack more than the picture can need", () => {
    const run = (n: number) => [2 | ((n << 3) & 0xf8), (n >> 5) & 0xff, n >> 13, 7];
    expect(push([...frame(), ...run(1000)], 1000)).toHaveLength(1000);
    expect(() => push([...frame(), ...run(1000), ...run(1)], 1000)).toThrow(BadStream);
  });

  test("an update of many blocks, and one as large as a block can be", () => {
    const run = (n: number, byte: number) => [2 | ((n << 3) & 0xf8), (n >> 5) & 0xff, n >> 13, byte];
    const all = [...run(128 * 1024, 1), ...run(128 * 1024, 2), ...run(1, 3), ...run(70_000, 4)];
    const got = push([...frame(), ...all], 1 << 20);
    expect(got).toHaveLength(2 * 128 * 1024 + 70_001);
    for (const [at, byte] of [
      [0, 1],
      [131_071, 1],
      [131_072, 2],
      [262_143, 2],
      [262_144, 3],
      [262_145, 4],
      [332_144, 4],
    ])
      expect(got[at as number]).toBe(byte);
  });
});

test("fzstd keeps no queue, however many updates come", () => {
  const push = vi.spyOn(Decompress.prototype, "push");
  const stream = new ZstdStream(18);
  stream.push(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x40), 100);
  for (let i = 0; i < 1000; i++) {
    stream.push(Uint8Array.of(4 << 3, 0, 0, i & 255, 1, 2, 3), 100);
    expect([...stream.take()]).toEqual([i & 255, 1, 2, 3]);
  }
  const inside = push.mock.contexts[0] as unknown as { c: Uint8Array[] }; // fzstd's own queue
  push.mockRestore();
  expect(inside.c.length).toBeLessThanOrEqual(1);
});

function start(width: number, height: number): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint8(0, 1);
  view.setUint32(4, 1, true);
  view.setUint16(8, width, true);
  view.setUint16(10, height, true);
  view.setUint8(12, 1);
  view.setUint8(13, 20);
  return view.buffer;
}

test("strips cover a picture of any height, each row once", () => {
  for (const count of [1, 6]) {
    for (const height of [1, 15, 16, 17, 95, 96, 97, 533, 768, 1080, 2160, 16384]) {
      const strips = stripsOf(height, count);
      expect(strips).toHaveLength(count);
      let row = 0;
      for (const { top, rows } of strips) {
        expect(top).toBe(row);
        row += rows;
      }
      expect(row).toBe(height);
    }
  }
});

test("one canvas and several show the same", () => {
  const pixels = Uint8ClampedArray.from({ length: 40 * 100 * 4 }, (_, i) => (i * 7) % 251);
  const image = new ImageData(pixels, 40, 100);
  const hashes = [1, 2, 6].map((count) => {
    const surface = new FakeSurface(count);
    const strips = new Strips(surface.strips);
    strips.begin(40, 100);
    strips.paint(image, [
      { x: 3, y: 10, width: 30, height: 75 },
      { x: 0, y: 98, width: 40, height: 2 },
    ]);
    return surface.hash();
  });
  expect(new Set(hashes).size).toBe(1);
});

test("the canvas that changes most is painted first", () => {
  const order: number[] = [];
  const strips = new Strips(
    Array.from({ length: 6 }, (_, i) => ({
      width: 0,
      height: 0,
      getContext: () => ({ fillRect: () => undefined, putImageData: () => order.push(i) }),
    })),
  );
  strips.begin(1000, 1152); // 192 rows each
  const image = new ImageData(1, 1);
  strips.paint(image, [{ x: 100, y: 340, width: 256, height: 256 }]);
  expect(order).toEqual([2, 1, 3]); // 192, 44 and 20 rows
  order.length = 0;
  strips.paint(image, [
    { x: 0, y: 0, width: 64, height: 16 },
    { x: 0, y: 1136, width: 10, height: 16 },
    { x: 500, y: 1000, width: 100, height: 16 },
  ]);
  expect(order).toEqual([5, 5, 0]);
});

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

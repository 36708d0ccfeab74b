// One zstd stream over many updates, by either unpacker.
import { Decompress } from "fzstd";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { compileZstd, unzstd } from "../src/picture/unzstd";
import { BadStream, ZstdStream } from "../src/picture/zstd";
import { unpackers } from "./canvas";

beforeAll(compileZstd);

test("the decoder of libzstd is there", () => {
  expect(unzstd(() => undefined)).toBeDefined();
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

test("where WebAssembly gets no memory, fzstd unpacks", () => {
  const instance = vi.spyOn(WebAssembly, "Instance").mockImplementation(function () {
    throw new RangeError("could not allocate memory");
  });
  const said = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const stream = new ZstdStream(18, unzstd);
  stream.push(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x40, 3 << 3, 0, 0, 7, 8, 9), 100);
  expect([...stream.take()]).toEqual([7, 8, 9]);
  expect(said).toHaveBeenCalledOnce();
  instance.mockRestore();
  said.mockRestore();
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

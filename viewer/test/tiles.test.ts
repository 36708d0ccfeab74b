// Updates that no host of ours writes.
import { describe, expect, test } from "vitest";
import { BadUpdate, Picture } from "../src/picture/tiles";

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

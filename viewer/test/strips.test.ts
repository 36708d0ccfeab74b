// Several canvases are one picture.
import { expect, test } from "vitest";
import { Strips, stripsOf } from "../src/picture/strips";
import { FakeSurface } from "./canvas";

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

// Where the picture lies in its box, how large, and what a place on it means.
import { describe, expect, test } from "vitest";
import { toPicture } from "../src/input/pointer";
import {
  common,
  firstLook,
  keepLook,
  layAxis,
  parseLook,
  rendering,
  scaleOf,
  step,
  type Look,
} from "../src/view/lens";
import { edges } from "../src/view/pan";

const fit: Look = { mode: "fit", percent: 100 };
const zoom = (percent: number): Look => ({ mode: "zoom", percent });
const whole = { x: 0, y: 0, width: 1920, height: 1080 };

describe("the scale", () => {
  test("one picture pixel takes one device pixel, whatever the window", () => {
    expect(scaleOf(firstLook, whole, { width: 640, height: 480 })).toBe(1);
  });

  test("fitted, the whole of it is in the window, and as large as it can be", () => {
    expect(scaleOf(fit, whole, { width: 960, height: 900 })).toBe(0.5);
    expect(scaleOf(fit, whole, { width: 3000, height: 540 })).toBe(0.5);
    expect(scaleOf(fit, whole, { width: 3840, height: 2160 })).toBe(2);
    expect(scaleOf(fit, { ...whole, width: 1, height: 1 }, { width: 900, height: 900 })).toBe(4);
  });

  test("a window of no size breaks nothing", () => {
    const scale = scaleOf(fit, whole, { width: 0, height: 0 });
    expect(scale).toBeGreaterThan(0);
    expect(scaleOf(zoom(150), whole, { width: 0, height: 0 })).toBe(1.5);
  });

  test("steps go up and down, meet one to one, and end", () => {
    let look = zoom(50);
    const up = [];
    for (let i = 0; i < 20; i++) up.push(keepLook((look = step(look.percent / 100, 1))));
    expect(up.slice(0, 12)).toEqual([
      "67",
      "75",
      "90",
      "actual",
      "110",
      "125",
      "150",
      "175",
      "200",
      "250",
      "300",
      "400",
    ]);
    expect(up.at(-1)).toBe("400");
    expect(step(0.5, -1)).toEqual(zoom(50));
    expect(step(0.72, 1)).toEqual(zoom(75)); // from fitted
    expect(step(0.72, -1)).toEqual(zoom(67));
    expect(step(1.1, -1)).toEqual(firstLook);
  });

  test("pixels are squares at whole factors and smooth in between", () => {
    expect([1, 2, 3, 4].map(rendering)).toEqual(Array(4).fill("pixelated"));
    expect([0.5, 0.999, 1.25, 1.5, 3.5].map(rendering)).toEqual(Array(5).fill("auto"));
  });
});

describe("what is kept of a look", () => {
  test("comes back", () => {
    for (const look of [firstLook, fit, zoom(50), zoom(67), zoom(400)])
      expect(parseLook(keepLook(look))).toEqual(look);
  });

  test.each([null, "", "49", "401", "1e3", "100", "FIT", "075", "{}"])("%j is the first look", (kept) => {
    expect(parseLook(kept)).toEqual(kept === "075" ? zoom(75) : firstLook);
  });
});

describe("the layout", () => {
  // What Chromium makes of a length: it cuts at 1/64, and paints at the nearest device pixel.
  const painted = (css: number, ratio: number) => Math.round((Math.trunc(css * 64 + 1e-6) / 64) * ratio);

  test.each([1, 1.1, 1.25, 1.5, 1.75, 2, 3])("whole device pixels at ratio %d", (ratio) => {
    for (const size of [1, 427, 949, 1280, 1366, 1920, 3440])
      for (const edge of [0, 48.1875, 51.2, 60]) {
        const axis = layAxis(0, size, size, 1, ratio, edge, 700);
        expect(painted(axis.size, ratio)).toBe(size);
        expect(axis.whole).toBe(axis.size);
        const begins = (edge + axis.gap) * ratio;
        expect(Math.abs(begins - Math.round(begins))).toBeLessThan(0.05);
      }
  });

  test.each([1, 1.25, 2])("a part begins on a whole device pixel at ratio %d", (ratio) => {
    const axis = layAxis(1920, 1280, 3200, 1, ratio, 0, 500);
    expect(painted(axis.size, ratio)).toBe(1280);
    expect(painted(-axis.shift, ratio)).toBe(1920);
    expect(painted(axis.whole, ratio)).toBe(3200);
    expect(axis.gap).toBe(0);
  });

  test("a small picture stands in the middle, a large one at the beginning", () => {
    expect(layAxis(0, 100, 100, 1, 1, 0, 700).gap).toBe(300);
    expect(layAxis(0, 100, 100, 2, 2, 0, 700).gap).toBe(300);
    expect(layAxis(0, 900, 900, 1, 1, 0, 700).gap).toBe(0);
  });

  test("a part is cut to the picture, and nothing is left of one outside", () => {
    expect(common({ x: 1800, y: -5, width: 400, height: 20 }, whole)).toEqual({
      x: 1800,
      y: 0,
      width: 120,
      height: 15,
    });
    expect(common({ x: 1920, y: 0, width: 400, height: 20 }, whole)).toBeUndefined();
  });
});

describe("a place on the picture", () => {
  // The pointer rests in the middle of a device pixel. The whole picture is laid out at its scale,
  // so that an offset in it is a place in the picture at any of them.
  test.each(
    [1, 1.25, 2].flatMap((ratio) => [1, 0.5, 0.703125, 0.9, 1.5, 2, 4].map((scale) => ({ ratio, scale }))),
  )("is the pixel under the pointer at ratio $ratio and scale $scale", ({ ratio, scale }) => {
    const size = 1920;
    for (const pixel of [0, 1, 7, 119, 120, 481, 1279, 1918, 1919]) {
      // The device pixel that shows it, or the first of them where it has several, or the one it shares.
      const device = Math.floor(pixel * scale + (scale < 1 ? 0.5 : 0)) + (scale < 1 ? 0 : 0.5);
      const offset = device / ratio;
      const got = toPicture(offset, ratio / scale, size);
      expect(Math.abs(got - pixel)).toBeLessThanOrEqual(scale < 1 ? Math.ceil(0.5 / scale) : 0);
    }
  });

  test("outside is the nearest one inside", () => {
    expect(toPicture(-4, 0.5, 100)).toBe(0);
    expect(toPicture(1e6, 0.5, 100)).toBe(99);
  });
});

describe("the edges of the box", () => {
  const box = { width: 800, height: 600 };
  test.each([
    [400, 300, 0, 0],
    [3, 300, -1, 0],
    [799, 300, 1, 0],
    [400, 590, 0, 1],
    [10, 10, -1, -1],
    [805, 300, 0, 0], // on the scroll bar
    [-1, 300, 0, 0],
  ])("at %d, %d ask for %d, %d", (x, y, dx, dy) => {
    expect(edges(x, y, box)).toEqual({ dx, dy });
  });

  test("a box that is all edge asks for nothing", () => {
    expect(edges(5, 5, { width: 60, height: 60 })).toEqual({ dx: 0, dy: 0 });
  });
});

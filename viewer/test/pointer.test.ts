// Places, buttons and the wheel.
import { describe, expect, test } from "vitest";
import { Buttons, toPicture, Wheel } from "../src/input/pointer";

describe("a place", () => {
  test.each([
    [0, 1, 100, 0],
    [10.9, 1, 100, 10],
    [99.9, 1, 100, 99],
    [109.0909, 1.1, 200, 120],
    [100, 1, 100, 99],
    [-3, 1, 100, 0],
    [50, 2, 200, 100],
    [33.4, 1.5, 200, 50],
  ])("%d CSS pixels at ratio %d in %d are pixel %d", (offset, ratio, size, want) => {
    expect(toPicture(offset, ratio, size)).toBe(want);
  });
});

test("buttons follow the mask, in the order of the wire", () => {
  const buttons = new Buttons();
  expect(buttons.change(1)).toEqual([{ button: 0, down: true }]);
  expect(buttons.change(1 | 2)).toEqual([{ button: 2, down: true }]); // a chord has no pointerdown
  expect(buttons.change(1 | 2)).toEqual([]);
  expect(buttons.change(4 | 8 | 16)).toEqual([
    { button: 0, down: false },
    { button: 1, down: true },
    { button: 2, down: false },
    { button: 3, down: true },
    { button: 4, down: true },
  ]);
  expect(buttons.change(0).every(({ down }) => !down)).toBe(true);
});

describe("the wheel", () => {
  const turn = (delta: number, legacy?: number, mode = 0) =>
    new Wheel().turn({
      deltaX: 0,
      deltaY: delta,
      deltaMode: mode,
      ...(legacy === undefined ? {} : { wheelDeltaX: 0, wheelDeltaY: legacy }),
    }).dy;

  test("one notch is 120, whatever the browser calls it", () => {
    expect(turn(100, -120)).toBe(120); // Chromium on Windows
    expect(turn(120, -120)).toBe(120); // Chromium on Linux
    expect(turn(-53, 120)).toBe(-120); // older Chromium on Linux
    expect(turn(3, undefined, 1)).toBe(120); // lines
    expect(turn(100)).toBe(120);
  });

  test("small turns add up and lose nothing", () => {
    const wheel = new Wheel();
    let sum = 0;
    for (let i = 0; i < 1000; i++) sum += wheel.turn({ deltaX: 0, deltaY: 0.3, deltaMode: 0 }).dy;
    expect(sum).toBe(360);
  });

  test("a turn beyond the wire's range is cut, not wrapped", () => {
    expect(turn(1e9)).toBe(0x7fff);
    expect(turn(-1e9)).toBe(-0x7fff);
  });

  test("both axes", () => {
    expect(new Wheel().turn({ deltaX: -1, deltaY: 2, deltaMode: 1 })).toEqual({ dx: -40, dy: 80 });
  });
});

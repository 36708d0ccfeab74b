// Fingers and pen.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Touch, type Contact } from "../src/input/touch";

function setup() {
  const lines: string[] = [];
  let time = 0;
  const touch = new Touch(
    {
      motion: (x, y) => lines.push(`to ${x},${y}`),
      button: (x, y, button, down) => lines.push(`${down ? "+" : "-"}${button} ${x},${y}`),
      wheel: (x, y, dx, dy) => lines.push(`wheel ${x},${y} ${dx},${dy}`),
    },
    () => time,
  );
  return {
    touch,
    lines,
    wait: (ms: number) => {
      time += ms;
      vi.advanceTimersByTime(ms);
    },
  };
}

// The picture at twice its size, so that its pixels are not those of the page.
function at(id: number, pageX: number, pageY: number, size = 20): Contact {
  return { id, x: pageX / 2, y: pageY / 2, pageX, pageY, size };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("one finger", () => {
  test("that taps clicks where it came down", () => {
    const { touch, lines, wait } = setup();
    touch.down(at(1, 100, 60));
    wait(200);
    touch.move(at(1, 104, 66));
    touch.up(at(1, 104, 66));
    wait(1000);
    expect(lines).toEqual(["+0 50,30", "-0 50,30"]);
  });

  test("that stays clicks the right button, once, and not the left one", () => {
    const { touch, lines, wait } = setup();
    touch.down(at(1, 100, 60));
    wait(499);
    expect(lines).toEqual([]);
    wait(1);
    touch.move(at(1, 300, 300));
    touch.up(at(1, 300, 300));
    expect(lines).toEqual(["+2 50,30", "-2 50,30"]);
  });

  test("that moves drags from where it came down", () => {
    const { touch, lines, wait } = setup();
    touch.down(at(1, 100, 60));
    touch.move(at(1, 120, 60));
    touch.move(at(1, 140, 80));
    wait(1000);
    touch.up(at(1, 144, 80));
    expect(lines).toEqual(["+0 50,30", "to 60,30", "to 70,40", "-0 72,40"]);
  });

  test("that the system takes away leaves no button down and clicks nothing", () => {
    const { touch, lines, wait } = setup();
    touch.down(at(1, 100, 60));
    touch.cancel(1);
    wait(1000);
    expect(lines).toEqual([]);
    touch.down(at(2, 100, 60));
    touch.move(at(2, 200, 60));
    touch.cancel(2);
    expect(lines).toEqual(["+0 50,30", "to 100,30", "-0 100,30"]);
  });
});

describe("two fingers", () => {
  test("scroll, and the content goes with them", () => {
    const { touch, lines, wait } = setup();
    touch.down(at(1, 100, 100));
    wait(50);
    touch.down(at(2, 200, 100));
    touch.move(at(1, 100, 50));
    touch.move(at(2, 200, 50));
    touch.up(at(1, 100, 50));
    touch.move(at(2, 200, 10));
    touch.up(at(2, 200, 10));
    wait(1000);
    expect(lines).toEqual(["wheel 50,50 0,30", "wheel 50,50 0,30"]);
  });

  test("lose nothing of small movements", () => {
    const { touch, lines } = setup();
    touch.down(at(1, 100, 100));
    touch.down(at(2, 200, 100));
    for (let i = 1; i <= 100; i++) touch.move(at(2, 200 + i, 100 - i));
    const sum = lines.map((l) => l.split(" ")[2]?.split(",").map(Number) ?? []);
    // The middle goes half as far; less than one unit is still to come.
    expect(Math.abs(sum.reduce((s, [x]) => s + (x ?? 0), 0) + 60)).toBeLessThanOrEqual(1);
    expect(Math.abs(sum.reduce((s, [, y]) => s + (y ?? 0), 0) - 60)).toBeLessThanOrEqual(1);
  });

  test("end a drag, and a third finger ends everything", () => {
    const { touch, lines } = setup();
    touch.down(at(1, 100, 100));
    touch.move(at(1, 200, 100));
    touch.down(at(2, 300, 100));
    touch.move(at(1, 220, 100));
    touch.up(at(1, 220, 100));
    touch.up(at(2, 300, 100));
    expect(lines).toEqual(["+0 50,50", "to 100,50", "-0 100,50"]);
    lines.length = 0;
    for (const id of [1, 2, 3]) touch.down(at(id, 100 * id, 100));
    touch.move(at(1, 100, 300));
    for (const id of [1, 2, 3]) touch.up(at(id, 100 * id, 100));
    expect(lines).toEqual([]);
    touch.down(at(1, 100, 60));
    touch.up(at(1, 100, 60));
    expect(lines).toEqual(["+0 50,30", "-0 50,30"]);
  });
});

describe("a hand", () => {
  test("that is as large as a palm does nothing", () => {
    const { touch, lines, wait } = setup();
    touch.down(at(1, 100, 100, 90));
    wait(1000);
    touch.up(at(1, 100, 100, 90));
    expect(lines).toEqual([]);
  });

  test("beside a pen does nothing, and a second later it may", () => {
    const { touch, lines, wait } = setup();
    touch.down(at(1, 100, 100));
    touch.pen();
    touch.up(at(1, 100, 100));
    touch.down(at(2, 100, 100));
    wait(999);
    touch.up(at(2, 100, 100));
    expect(lines).toEqual([]);
    wait(1);
    touch.down(at(3, 100, 100));
    touch.up(at(3, 100, 100));
    expect(lines).toEqual(["+0 50,50", "-0 50,50"]);
  });
});

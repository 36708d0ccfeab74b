// Keys pressed from the toolbar.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { combos, press, type Combo } from "../src/input/combos";
import { usages } from "../src/input/usage";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function pressed(combo: Combo): string[] {
  const lines: string[] = [];
  press(
    {
      key: ({ usage, down, modifiers, locks, key }) => {
        expect([locks, key]).toEqual([0, ""]);
        lines.push(`${down ? "+" : "-"}${usage.toString(16)} ${modifiers}`);
      },
    },
    combo,
  );
  expect(lines).toHaveLength(combos[combo].length); // all are down together for a while
  vi.runAllTimers();
  return lines;
}

test("a combination goes down in order and up the other way round, with what is held", () => {
  expect(pressed("ctrlAltDel")).toEqual(["+e0 2", "+e2 6", "+4c 6", "-4c 6", "-e2 2", "-e0 0"]);
  expect(pressed("super")).toEqual(["+e3 8", "-e3 0"]);
  expect(pressed("printScreen")).toEqual(["+46 0", "-46 0"]);
});

test("every combination is of keys that go over the wire, and leaves nothing down", () => {
  for (const combo of Object.keys(combos) as Combo[]) {
    for (const code of combos[combo]) expect(usages.has(code), code).toBe(true);
    const lines = pressed(combo);
    const of = (way: string) => lines.filter((l) => l.startsWith(way)).map((l) => l.slice(1).split(" ")[0]);
    expect(of("-").toReversed()).toEqual(of("+"));
    expect(lines.at(-1)).toMatch(/ 0$/);
  }
});

// What is drawn and taught, as far as no page is needed for it.
import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { MarkKind, MarkMessageSchema } from "../src/gen/marks_pb";
import { pathOf } from "../src/marks/ink";
import { messageOf } from "../src/marks/marks";
import { batches, stepLimit, stepsOf } from "../src/marks/steps";

test("marks are lines from place to place", () => {
  const from = { x: 10, y: 20 };
  const to = { x: 110, y: 20 };
  expect(pathOf("pen", from, to, [from])).toBe("M10 20h0");
  expect(pathOf("pen", from, to, [from, to])).toBe("M10 20L110 20");
  expect(pathOf("box", from, { x: 110, y: 70 }, [])).toBe("M10 20H110V70H10Z");
  expect(pathOf("ellipse", { x: 110, y: 70 }, from, [])).toBe("M10 45a50 25 0 1 0 100 0a50 25 0 1 0 -100 0Z");
  expect(pathOf("arrow", from, to, [])).toBe("M10 20L110 20M90.9 9.0L110 20L90.9 31.0");
  expect(pathOf("laser", from, to, [])).toBe("");
});

test("what was pasted becomes steps, a line each, without the numbers of another list", () => {
  expect(
    stepsOf("1. Ouvrez le menu\r\n\n 2) Cliquez\n- puis attendez\n\u202e\n3.5 Go suffisent\u2028fin"),
  ).toEqual(["Ouvrez le menu", "Cliquez", "puis attendez", "3.5 Go suffisent", "fin"]);
  expect(stepsOf(" \n ")).toEqual([]);
  expect(stepsOf("é".repeat(600))[0]).toHaveLength(stepLimit);
  expect(stepsOf("a\n".repeat(99))).toHaveLength(50);
});

test("many steps go in several messages that each fit", () => {
  const texts = Array.from({ length: 50 }, (_, i) => `${i} ${"😀".repeat(480)}`);
  const all = batches(texts, 14 * 1024);
  expect(all.flat()).toEqual(texts);
  for (const some of all) expect(() => messageOf({ case: "addSteps", value: { texts: some } })).not.toThrow();
  expect(all.length).toBeLessThan(10);
});

test("a message says what was drawn", () => {
  const points = [1, 2, 3, 4];
  const m = fromBinary(MarkMessageSchema, messageOf({ case: "draw", value: { kind: MarkKind.BOX, points } }));
  expect(m.body).toMatchObject({ case: "draw", value: { kind: MarkKind.BOX, points, more: false } });
  expect(m.optional).toBe(false);
});

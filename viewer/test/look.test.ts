// Which monitor is looked at, and the figures of who asks for them: what goes
// to the host, and what of its answers is believed.
import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test, vi } from "vitest";
import { displays } from "../src/displays";
import { DisplaysSchema } from "../src/gen/session_pb";
import { WireError } from "../src/wire/codec";
import { lookKey, neighbour } from "../src/view/looking";
import { ended, live, say, type Setup } from "./rig";
import { settle } from "./fakes";

afterEach(() => void vi.useRealTimers());

const left = { id: 7, name: "DP-1", x: 0, y: 0, width: 500, height: 600 };
const right = { id: 9, name: "HDMI\u0007-1", x: 500, y: 0, width: 300, height: 600 };
const two = { case: "displays" as const, value: { displays: [right, left] } };
const hints = (s: Setup) => s.connection().log.filter((line) => line.startsWith("hint"));

describe("a list of displays", () => {
  const parse = (list: object[]) => displays(create(DisplaysSchema, { displays: list }));

  test("is sorted from the left, with names that can be shown", () => {
    expect(parse([right, left])).toEqual([left, { ...right, name: "HDMI-1" }]);
    expect(parse([])).toEqual([]);
  });

  test.each([
    ["two of one id", [left, { ...right, id: 7 }]],
    ["one without a width", [{ ...left, width: 0 }]],
    ["one as large as a house", [{ ...left, height: 16385 }]],
    ["too many", Array.from({ length: 33 }, (_, id) => ({ ...left, id }))],
  ])("with %s is none", (_, list) => {
    expect(() => parse(list)).toThrow(WireError);
  });
});

describe("the monitor that is looked at", () => {
  test("is told to the host, and to the host of the next connection", async () => {
    const s = await live();
    say(s, two);
    s.session.watch(9);
    s.session.watch(9);
    expect(hints(s)).toEqual(['hint watch {"display":9}']);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    s.connection().events.lost(false);
    vi.advanceTimersByTime(2000);
    await s.host.attach(s.socket());
    await settle();
    s.connection().events.answered();
    s.connection().events.proven();
    s.connection().events.toolsUp();
    expect(hints(s)).toEqual(['hint watch {"display":9}']);
    s.session.watch(null);
    expect(hints(s).at(-1)).toBe("hint watch {}");
  });

  test("that is unplugged gives way to all of them, and that is told", async () => {
    const s = await live();
    say(s, two);
    s.session.watch(9);
    say(s, { case: "displays", value: { displays: [left] } });
    expect(s.session.view).toMatchObject({ watched: null, news: { kind: "displayGone", name: "HDMI-1" } });
    expect(hints(s).at(-1)).toBe("hint watch {}");
  });

  test("stays when another one is unplugged, or moves", async () => {
    const s = await live();
    say(s, two);
    s.session.watch(9);
    say(s, { case: "displays", value: { displays: [{ ...right, x: 0 }] } });
    expect(s.session.view).toMatchObject({ watched: 9, news: null });
  });

  test("of a list that is none: the session ends", async () => {
    const s = await live();
    say(s, { case: "displays", value: { displays: [left, left] } });
    expect(ended(s)).toEqual({ state: "ended", reason: "PROTOCOL" });
  });

  test("follows the keys around: all, one after the other, and all again", () => {
    const list = [left, right];
    const round = [null];
    for (let i = 0; i < 3; i++) round.push(neighbour(list, round.at(-1) ?? null, 1) as null);
    expect(round).toEqual([null, 7, 9, null]);
    expect(neighbour(list, null, -1)).toBe(9);
    expect(neighbour(list, 4711, 1)).toBe(7);
    expect(neighbour([left], null, 1)).toBeNull();
  });

  test("keys with Control, Alt or Meta are not ours", () => {
    const key = (name: string, more = {}) =>
      lookKey({ key: name, ctrlKey: false, altKey: false, metaKey: false, ...more });
    expect(["1", "0", "+", "=", "-", "m", "M", "a", "Tab"].map((name) => key(name))).toEqual([
      "actual",
      "fit",
      "in",
      "in",
      "out",
      "next",
      "previous",
      undefined,
      undefined,
    ]);
    for (const held of ["ctrlKey", "altKey", "metaKey"]) expect(key("1", { [held]: true })).toBeUndefined();
  });
});

const figures = {
  case: "figures" as const,
  value: { ms: 1000, updates: 10, captureUs: 1000, encodeUs: 2000, wayUs: 30_000, acked: 10, rttUs: 12_000 },
};

describe("figures", () => {
  test("are asked for while somebody looks, and put together with what is counted here", async () => {
    const s = await live();
    s.session.measure(true);
    await settle();
    expect(s.session.view).toMatchObject({ route: { way: "direct", rtt: 12 }, measured: null });
    say(s, figures);
    await settle();
    expect(s.session.view.measured).toMatchObject({
      took: { capture: 1, encode: 2, line: 30 - 2 - 1 - 6, wait: 1, paint: 2 },
      rate: 10,
      traffic: 50,
    });
    s.session.measure(false);
    expect(hints(s)).toEqual(['hint measure {"on":true}', 'hint measure {"on":false}']);
    expect(s.session.view.measured).toBeNull();
    say(s, figures);
    await settle();
    expect(s.session.view.measured).toBeNull();
  });

  test("that stay away say that the line does not carry them", async () => {
    const s = await live();
    s.session.measure(true);
    await settle();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    say(s, figures);
    await settle();
    expect(s.session.view.measured?.waits).toBe(0);
    vi.advanceTimersByTime(3_000);
    expect(s.session.view.measured).toMatchObject({ waits: 3_000, held: 1 });
  });

  test("a host that is slow says so, and takes it back", async () => {
    const s = await live();
    say(s, { case: "notice", value: { code: 14, value: 310 } });
    expect(s.session.view.slowHost).toBe(310);
    say(s, { case: "notice", value: { code: 15 } });
    expect(s.session.view.slowHost).toBeNull();
  });
});

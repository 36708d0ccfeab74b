import { afterEach, describe, expect, test, vi } from "vitest";
import { listen, newsItem, type News } from "../src/lib/news";

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("an item of news", () => {
  test("is read as it was agreed", () => {
    expect(newsItem('{"ticket":"rt:7","kind":"closed","mine":false}')).toEqual({
      ticket: "rt:7",
      kind: "closed",
      mine: false,
    });
    expect(newsItem('{"ticket":"7","kind":"assigned","mine":true,"more":1}')?.mine).toBe(true);
  });

  test.each(["", "{", "null", "[]", '"x"', '{"ticket":7,"kind":"closed"}', '{"ticket":"7","kind":"burnt"}'])(
    "is not %j",
    (text) => {
      expect(newsItem(text)).toBeNull();
    },
  );
});

const lines: FakeSource[] = [];
class FakeSource {
  static readonly CLOSED = 2;
  onopen: () => void = () => undefined;
  onmessage: (e: { data: string }) => void = () => undefined;
  onerror: () => void = () => undefined;
  readyState = 0;
  constructor(readonly url: string) {
    lines.push(this);
  }
  close(): void {
    this.readyState = FakeSource.CLOSED;
  }
}

function theLine(): FakeSource {
  const line = lines.at(-1);
  if (line === undefined) throw new Error("no line");
  return line;
}

test("a line that was broken is told, its first opening is not", () => {
  vi.stubGlobal("EventSource", FakeSource);
  const heard: News[] = [];
  let missed = 0;
  const stop = listen(
    (n) => heard.push(n),
    () => missed++,
  );
  const line = theLine();
  expect(line.url).toBe("/api/v1/news");
  line.onopen();
  line.onmessage({ data: "nonsense" });
  line.onmessage({ data: '{"ticket":"7","kind":"opened","mine":false}' });
  expect([heard.length, missed]).toEqual([1, 0]);
  line.onopen();
  expect(missed).toBe(1);
  stop();
  expect(line.readyState).toBe(FakeSource.CLOSED);
});

test("a line that is away is told to whoever wants to know, and whether for good", () => {
  vi.stubGlobal("EventSource", FakeSource);
  const lost: boolean[] = [];
  let missed = 0;
  listen(
    () => undefined,
    () => missed++,
    (forGood) => lost.push(forGood),
  );
  const line = theLine();
  line.onopen();
  line.onerror();
  line.close();
  line.onerror();
  expect([lost, missed]).toEqual([[false, true], 0]);
});

test("who does not want to know looks once more when the line is away for good", () => {
  vi.stubGlobal("EventSource", FakeSource);
  let missed = 0;
  listen(
    () => undefined,
    () => missed++,
  );
  const line = theLine();
  line.onerror();
  expect(missed).toBe(0);
  line.close();
  line.onerror();
  expect(missed).toBe(1);
});

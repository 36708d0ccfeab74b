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

test("a line that was broken is told, its first opening is not", () => {
  const lines: FakeSource[] = [];
  class FakeSource {
    onopen: () => void = () => undefined;
    onmessage: (e: { data: string }) => void = () => undefined;
    closed = false;
    constructor(readonly url: string) {
      lines.push(this);
    }
    close(): void {
      this.closed = true;
    }
  }
  vi.stubGlobal("EventSource", FakeSource);
  const heard: News[] = [];
  let missed = 0;
  const stop = listen(
    (n) => heard.push(n),
    () => missed++,
  );
  const line = lines[0];
  if (line === undefined) throw new Error("no line");
  expect(line.url).toBe("/api/v1/news");
  line.onopen();
  line.onmessage({ data: "nonsense" });
  line.onmessage({ data: '{"ticket":"7","kind":"opened","mine":false}' });
  expect([heard.length, missed]).toEqual([1, 0]);
  line.onopen();
  expect(missed).toBe(1);
  stop();
  expect(line.closed).toBe(true);
});

// The script of the page of somebody who waits, in a page that is none.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";

const script = readFileSync(join(import.meta.dirname, "../static/waiting.js"), "utf8");

interface Line {
  onopen: () => void;
  onmessage: (e: { data: string }) => void;
  onerror: () => void;
}

function page() {
  const seen = { looks: 0, lines: 0, closed: 0, timers: new Set<number>() };
  let line: Line | undefined;
  let timers = 0;
  class EventSource {
    constructor() {
      seen.lines++;
      line = this as unknown as Line;
    }
    close(): void {
      seen.closed++;
    }
  }
  class XMLHttpRequest {
    open(): void {
      seen.looks++;
    }
    send(): void {
      // never answered
    }
  }
  runInNewContext(script, {
    EventSource,
    XMLHttpRequest,
    document: { body: { dataset: { live: "/wait/x/live" } } },
    location: { pathname: "/wait/x" },
    setInterval: () => {
      seen.timers.add(++timers);
      return timers;
    },
    clearInterval: (id: number) => seen.timers.delete(id),
  });
  if (line === undefined) throw new Error("no line");
  return { seen, line };
}

test("it looks when something changed, and by the clock while the line is away", () => {
  const { seen, line } = page();
  line.onopen();
  line.onmessage({ data: "changed" });
  expect(seen).toMatchObject({ looks: 2, closed: 0 });
  line.onerror();
  line.onerror();
  expect(seen.timers.size).toBe(1);
  line.onopen();
  expect(seen.timers.size).toBe(0);
});

test("a window whose place on the line another took does not take it back", () => {
  const { seen, line } = page();
  line.onopen();
  line.onmessage({ data: "over" });
  expect(seen).toMatchObject({ looks: 2, lines: 1, closed: 1 });
  expect(seen.timers.size).toBe(1);
});

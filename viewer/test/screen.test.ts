// The picture goes to a Worker; where the browser cannot transfer the channel,
// it is painted on the page, and nothing is lost on the way.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Screen } from "../src/picture/screen";

class FakeWorker {
  static all: FakeWorker[] = [];
  static refuse = false;
  posted: { kind: string; transfer: number }[] = [];
  terminated = false;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: (() => void) | null = null;
  constructor(readonly url: unknown) {
    FakeWorker.all.push(this);
  }
  postMessage(order: { kind: string }, transfer: unknown[] = []) {
    if (FakeWorker.refuse && transfer.length > 0) throw new DOMException("no", "DataCloneError");
    this.posted.push({ kind: order.kind, transfer: transfer.length });
  }
  terminate() {
    this.terminated = true;
  }
}

const channel = () => ({
  readyState: "open",
  binaryType: "",
  onopen: null,
  onmessage: null,
  send: vi.fn(),
  close: vi.fn(),
});
const canvas = () => ({
  transferControlToOffscreen: vi.fn(() => ({ width: 1, height: 1, getContext: () => null })),
});

function setup() {
  const reports: unknown[] = [];
  const page = canvas();
  const fast = channel();
  const screen = new Screen([page as unknown as HTMLCanvasElement], (report) => reports.push(report));
  const take = (c = channel()) => {
    screen.take(c as unknown as RTCDataChannel, fast as unknown as RTCDataChannel);
    return c;
  };
  return { screen, reports, page, take, fast };
}

beforeEach(() => {
  FakeWorker.all = [];
  FakeWorker.refuse = false;
  vi.stubGlobal("Worker", FakeWorker);
});
afterEach(() => void vi.unstubAllGlobals());

test("the Worker gets channels and canvases together; a new connection brings it only channels", () => {
  const { screen, page, take, reports } = setup();
  const first = take();
  screen.begin();
  take();
  screen.blank();
  screen.unblank();
  screen.close();
  expect(FakeWorker.all).toHaveLength(1);
  expect(String(FakeWorker.all[0]?.url)).toBe("/viewer/worker.js");
  expect(FakeWorker.all[0]?.posted).toEqual([
    { kind: "take", transfer: 3 },
    { kind: "begin", transfer: 0 },
    { kind: "take", transfer: 2 },
    { kind: "blank", transfer: 0 },
    { kind: "unblank", transfer: 0 },
    { kind: "close", transfer: 0 },
  ]);
  expect(page.transferControlToOffscreen).toHaveBeenCalledOnce();
  expect(first.send).not.toHaveBeenCalled();
  FakeWorker.all[0]?.onmessage?.({ data: { kind: "painted" } });
  FakeWorker.all[0]?.onerror?.();
  expect(reports).toEqual([{ kind: "painted" }, { kind: "failed", why: "worker" }]);
});

test("a browser that cannot transfer paints on the page, and still says hello only when told", () => {
  FakeWorker.refuse = true;
  const { screen, take } = setup();
  const first = take();
  expect(FakeWorker.all[0]?.terminated).toBe(true);
  expect(first.onmessage).not.toBeNull();
  expect(first.send).not.toHaveBeenCalled();
  screen.begin();
  expect(first.send).toHaveBeenCalledOnce();
  const second = take();
  expect(first.close).toHaveBeenCalledOnce();
  screen.begin();
  expect(second.send).toHaveBeenCalledOnce();
  screen.close();
  expect(second.close).toHaveBeenCalledOnce();
});

test("a picture that nobody looks at is held, also when it begins so", () => {
  const { screen, take } = setup();
  screen.held = true; // before there is a Worker
  take();
  screen.held = true;
  screen.held = false;
  screen.held = true;
  expect(FakeWorker.all[0]?.posted.map(({ kind }) => kind)).toEqual(["take", "hold", "resume", "hold"]);
});

test("without Workers at all it paints on the page", () => {
  vi.stubGlobal("Worker", undefined);
  const { take } = setup();
  expect(take().onmessage).not.toBeNull();
});

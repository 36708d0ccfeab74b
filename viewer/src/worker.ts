// The Worker of a session: receives the channels `tiles` and `tiles-fast` and the
// canvases, decodes and paints. Here no animation or layout of the page delays a picture.

import { Pace } from "./picture/pace";
import { Painter, type Report } from "./picture/painter";
import { Strips } from "./picture/strips";
import type { Painted } from "./picture/tally";
import { compileZstd, unzstd } from "./picture/unzstd";

/** What the page tells the Worker. The first is `take`, with all of them transferred; a new connection brings channels. */
export type Order =
  | { kind: "take"; channel: RTCDataChannel; fast: RTCDataChannel; canvases?: OffscreenCanvas[] }
  | { kind: "begin" }
  | { kind: "blank" }
  | { kind: "unblank" }
  | { kind: "hold" }
  | { kind: "resume" }
  | { kind: "figures" } // since they were asked for last
  | { kind: "close" };

export type { Report };
/** The answer to `figures`. */
export type Figures = { kind: "figures" } & Painted;

/** The Worker does without WebAssembly. */
export interface Slower {
  kind: "slower";
  why: string;
}

const scope = self as unknown as DedicatedWorkerGlobalScope;
const pace = new Pace();
let strips: Strips | undefined;
let painter: Painter | undefined;
let held = false;

// Before the first picture, most likely. Without it fzstd unpacks, more slowly.
compileZstd().catch((error: unknown) => {
  scope.postMessage({ kind: "slower", why: String(error) } satisfies Slower);
});

scope.onmessage = (event: MessageEvent<Order>) => {
  const order = event.data;
  switch (order.kind) {
    case "take":
      painter?.close();
      if (order.canvases) strips = new Strips(order.canvases);
      if (strips)
        painter = new Painter(
          order.channel,
          order.fast,
          strips,
          (report) => scope.postMessage(report),
          pace,
          unzstd,
        );
      if (held) painter?.hold();
      break;
    case "begin":
      painter?.begin();
      break;
    case "blank":
      painter?.blank();
      break;
    case "unblank":
      painter?.unblank();
      break;
    case "hold":
    case "resume":
      held = order.kind === "hold";
      painter?.[order.kind]();
      break;
    case "figures":
      if (painter) scope.postMessage({ kind: "figures", ...painter.tally.take() } satisfies Figures);
      break;
    case "close":
      painter?.close(); // terminate alone leaves the far end open in Chromium
      scope.close();
  }
};

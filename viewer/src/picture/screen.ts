// The page's end of the picture: gives the channels `tiles` and `tiles-fast` and the canvases to
// the Worker, or paints here where the browser cannot transfer a data channel.

import type { Figures, Order, Report, Slower } from "../worker";
import { Pace } from "./pace";
import { Painter } from "./painter";
import { Strips } from "./strips";
import type { Painted } from "./tally";

const workerUrl = "/viewer/worker.js";

interface TrustedUrl {
  toString(): string;
}
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): TrustedUrl };
}

let policy: { createScriptURL(url: string): TrustedUrl } | undefined;

/** The one URL that the Trusted Types policy mf-worker lets through. */
export function trustedWorkerUrl(url: string, trustedTypes: TrustedTypes | undefined): TrustedUrl {
  const rules = {
    createScriptURL(candidate: string): string {
      if (candidate !== workerUrl) throw new TypeError("mf-worker: not the Worker of the viewer");
      return workerUrl;
    },
  };
  policy ??= trustedTypes?.createPolicy("mf-worker", rules) ?? rules;
  return policy.createScriptURL(url);
}

function startWorker(): Worker {
  const trustedTypes = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  // The DOM's types know no TrustedScriptURL yet; at run time it must stay one.
  return new Worker(trustedWorkerUrl(workerUrl, trustedTypes) as string);
}

export class Screen {
  #canvases: HTMLCanvasElement[];
  #report: (report: Report) => void;
  #worker: Worker | undefined; // holds the canvases, once it took them
  #here: { strips: Strips; painter: Painter } | undefined;
  #pace = new Pace(); // of painting here; the Worker has its own
  #held = false;
  #counting: Promise<Painted> | undefined;
  #counted: ((painted: Painted) => void) | undefined;

  constructor(canvases: HTMLCanvasElement[], report: (report: Report) => void) {
    this.#canvases = canvases;
    this.#report = report;
  }

  /**
   * Takes the channels of a new connection; the picture of the last one stays
   * until the next begins. Call it in the task that created the channels, with
   * no await, timer or send in between: later the transfer fails.
   */
  take(channel: RTCDataChannel, fast: RTCDataChannel): void {
    if (this.#here) {
      this.#here.painter.close();
      this.#paintHere(channel, fast, this.#here.strips);
    } else if (this.#worker) {
      const order: Order = { kind: "take", channel, fast };
      this.#worker.postMessage(order, [transferable(channel), transferable(fast)]);
    } else {
      this.#first(
        channel,
        fast,
        this.#canvases.map((canvas) => canvas.transferControlToOffscreen()),
      );
    }
  }

  #first(channel: RTCDataChannel, fast: RTCDataChannel, canvases: OffscreenCanvas[]): void {
    let worker: Worker | undefined;
    try {
      worker = startWorker();
      const order: Order = { kind: "take", channel, fast, canvases };
      worker.postMessage(order, [transferable(channel), transferable(fast), ...canvases]);
    } catch {
      worker?.terminate();
      this.#paintHere(channel, fast, new Strips(canvases));
      return;
    }
    worker.onmessage = ({ data }: MessageEvent<Report | Figures | Slower>) => {
      if (data.kind === "figures") this.#counted?.(data);
      else if (data.kind === "slower") console.warn("pictures are unpacked without WebAssembly", data.why);
      else this.#report(data);
    };
    worker.onerror = () => this.#report({ kind: "failed", why: "worker" });
    this.#worker = worker;
    if (this.#held) this.#order("hold");
  }

  #paintHere(channel: RTCDataChannel, fast: RTCDataChannel, strips: Strips): void {
    const painter = new Painter(channel, fast, strips, this.#report, this.#pace);
    if (this.#held) painter.hold();
    this.#here = { strips, painter };
  }

  /** The connection is proven: the painter may say hello. */
  begin(): void {
    this.#order("begin");
  }

  /** Nothing of the picture may stay. */
  blank(): void {
    this.#order("blank");
  }

  unblank(): void {
    this.#order("unblank");
  }

  /** Whether somebody looks: a picture that nobody sees costs the line and this computer nothing. */
  set held(held: boolean) {
    if (held === this.#held) return;
    this.#held = held;
    this.#order(held ? "hold" : "resume");
  }

  /** What was painted since this was asked for last. A Worker that is busy answers when it is not. */
  figures(): Promise<Painted> {
    if (this.#here) return Promise.resolve(this.#here.painter.tally.take());
    this.#counting ??= new Promise((resolve) => {
      this.#counted = (painted) => {
        this.#counting = this.#counted = undefined;
        resolve(painted);
      };
      this.#worker?.postMessage({ kind: "figures" } satisfies Order);
    });
    return this.#counting;
  }

  close(): void {
    this.#order("close");
    this.#worker = undefined;
    this.#here = undefined;
  }

  #order(kind: "begin" | "blank" | "unblank" | "hold" | "resume" | "close"): void {
    this.#here?.painter[kind]();
    this.#worker?.postMessage({ kind } satisfies Order);
  }
}

/** The DOM's types do not list RTCDataChannel among what can be transferred; the standard does. */
function transferable(channel: RTCDataChannel): Transferable {
  return channel as unknown as Transferable;
}

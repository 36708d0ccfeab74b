// Receives picture messages (PROTOCOL.md §1.10) from the channels `tiles` and
// `tiles-fast`, decodes them and paints the strips, pixel for pixel. The same class runs in
// the Worker and, where a browser cannot transfer a data channel, on the page.

import {
  parsePart,
  parsePicture,
  tileAck,
  tileHello,
  tileRestart,
  type Piece,
  type Start,
  type Video,
} from "../wire/picture";
import { Assembly } from "./assembly";
import { Pace } from "./pace";
import type { Strips } from "./strips";
import { Tally } from "./tally";
import { BadUpdate, Picture } from "./tiles";
import { BadStream, ZstdStream, type MakeUnpacker } from "./zstd";

/** What the painter needs of an RTCDataChannel. */
export interface TileChannel {
  readonly readyState: string;
  binaryType: string;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** What the page learns from the painter. */
export type Report =
  | { kind: "size"; width: number; height: number } // a picture began
  | { kind: "painted" } // its first update is on the canvas
  | Video // what the video track shows now, above the canvas; never outside the picture
  | { kind: "pace"; slow: boolean; ms: number } // how long an update waits here to be painted
  | { kind: "failed"; why: "protocol" | "too large" | "worker" }; // nothing can be shown any more

/** The largest picture, pixels, as for the host: with what lies under it takes half a gigabyte. */
export const maxPixels = 1 << 26;
/** How long after a part acks are repeated, and after what time, ms. */
const lossyFor = 5000;
const ackAfter = 15;
/** Restarts without one good update between them, after which we give up. */
const maxRestarts = 4;

export class Painter {
  /** What painting costs, for whoever looks. */
  readonly tally = new Tally();
  #channel: TileChannel;
  #strips: Strips;
  #report: (report: Report) => void;
  #picture: Picture | undefined;
  #image: ImageData | undefined;
  #stream: ZstdStream | undefined;
  #generation = 0; // of the picture
  #update: number | undefined; // whose bytes are being collected
  #byPart = false; // some of them came by a part first
  #assembly = new Assembly((update, data, last, byPart) => this.#take(update, data, last, byPart));
  #fast: TileChannel | undefined; // tiles-fast
  #lossy = -Infinity; // when the newest part came: the line loses packets
  #acked: number | undefined;
  #restarts = 0;
  #fresh = false; // nothing of this picture was painted yet
  #said = false; // hello
  #filmed = false; // the newest Video named rectangles
  #blank = false;
  #missed = false; // a picture began while nothing was to be shown
  #held = false; // nobody looks
  #unsaid: number | undefined; // the newest update painted meanwhile
  #pace: Pace;
  #unpacker: MakeUnpacker | undefined;
  #now: () => number;
  #came = 0; // when the message in hand arrived
  #began = 0; // when we had time for it
  #busy = 0; // ms spent on the update whose pieces are being collected, before it

  /**
   * @param fast the channel tiles-fast
   * @param pace of this browser, over all connections of the session
   * @param unpacker makes what unpacks a picture's stream, if there is something quicker than fzstd
   * @param now milliseconds of the clock that also stamps events
   */
  constructor(
    channel: TileChannel,
    fast: TileChannel | undefined,
    strips: Strips,
    report: (report: Report) => void,
    pace = new Pace(),
    unpacker?: MakeUnpacker,
    now: () => number = () => performance.now(),
  ) {
    this.#channel = channel;
    this.#fast = fast;
    this.#strips = strips;
    this.#report = report;
    this.#pace = pace;
    this.#unpacker = unpacker;
    this.#now = now;
    channel.binaryType = "arraybuffer";
    // Set in the task that received the channel: a message that finds no handler is lost, reliable or not.
    channel.onmessage = (event) => this.#timed(event, (data) => this.#message(data));
    if (!fast) return;
    fast.binaryType = "arraybuffer";
    fast.onmessage = (event) => this.#timed(event, (data) => this.#part(data));
  }

  #timed(event: MessageEvent, handle: (data: unknown) => void): void {
    const began = this.#now();
    this.#began = began;
    // Browsers that stamp a message when it arrives say how long it waited for us; others when we take it.
    this.#came = event.timeStamp > 0 ? Math.min(event.timeStamp, began) : began;
    handle(event.data);
    this.#busy = this.#update === undefined ? 0 : this.#busy + this.#now() - began;
  }

  /** The connection is proven: asks the host for pictures. */
  begin(): void {
    const hello = () => {
      if (this.#said) return;
      this.#said = true;
      this.#channel.send(tileHello());
    };
    if (this.#channel.readyState === "open") hello();
    else this.#channel.onopen = hello;
  }

  /** The person took the view back: nothing of it stays, on the canvas or in memory. */
  blank(): void {
    this.#blank = true;
    this.#unfilm();
    this.#forget();
    this.#strips.clear();
  }

  /** The person allows the view again. The host begins a new picture; one that overtook this word is asked for anew. */
  unblank(): void {
    if (!this.#blank) return;
    this.#blank = false;
    if (this.#missed && this.#said) this.#channel.send(tileRestart());
    this.#missed = false;
  }

  /**
   * Nobody looks: what comes is painted, and not acknowledged, so that the host
   * stops after what it has on its way. Looked at again, one update brings
   * everything that changed meanwhile.
   */
  hold(): void {
    this.#held = true;
  }

  resume(): void {
    this.#held = false;
    const update = this.#unsaid;
    this.#unsaid = undefined;
    if (update !== undefined) this.#channel.send(tileAck(update));
  }

  close(): void {
    this.#channel.onmessage = null;
    this.#unfilm();
    this.#forget();
    this.#channel.close();
  }

  #message(data: unknown): void {
    try {
      // C25: the host sends nothing before our hello, and that goes out after its proof.
      if (!this.#said) {
        this.#fail("protocol");
        return;
      }
      if (!(data instanceof ArrayBuffer)) throw new BadStream("a text message");
      const message = parsePicture(data);
      if (this.#blank) this.#missed ||= message?.kind === "start";
      else if (message?.kind === "start") this.#start(message);
      else if (message?.kind === "piece") this.#piece(message);
      else if (message?.kind === "video") this.#video(message);
    } catch (error) {
      if (error instanceof BadUpdate || error instanceof BadStream) this.#restart();
      else this.#fail("protocol");
    }
  }

  #start(start: Start): void {
    const { width, height } = start;
    if (width * height > maxPixels) {
      this.#fail("too large");
      return;
    }
    this.#unfilm();
    this.#picture = new Picture(width, height);
    const bytes = new Uint8ClampedArray(this.#picture.pixels.buffer);
    this.#image = new ImageData(bytes, width, height, { colorSpace: "srgb" });
    this.#stream = new ZstdStream(start.windowLog, this.#unpacker);
    this.#update = undefined;
    this.#assembly.reset();
    this.#generation = start.generation;
    this.#fresh = true;
    this.#strips.begin(width, height);
    this.#report({ kind: "size", width, height });
  }

  #video(video: Video): void {
    const picture = this.#picture;
    if (picture === undefined) return; // after a bad update, until the next start
    const { x, y, width, height } = video.area;
    if (x + width > picture.width || y + height > picture.height) {
      this.#fail("protocol");
      return;
    }
    this.#filmed = video.rects.length > 0;
    this.#report(video);
  }

  // Nothing is video any more: of another picture, or not to be seen.
  #unfilm(): void {
    if (!this.#filmed) return;
    this.#filmed = false;
    this.#report({ kind: "video", timestamp: 0, area: { x: 0, y: 0, width: 0, height: 0 }, rects: [] });
  }

  #piece(piece: Piece): void {
    if (this.#picture === undefined) return; // after a bad update, until the next start
    this.#assembly.piece(piece);
  }

  // A message of tiles-fast: nothing waits for it, and it may be of a picture that is over.
  #part(data: unknown): void {
    if (!this.#said || this.#blank || this.#picture === undefined) return; // C25
    try {
      if (!(data instanceof ArrayBuffer)) throw new BadStream("a text message");
      const part = parsePart(data);
      if (part?.generation !== this.#generation) return;
      this.#lossy = this.#now();
      this.#assembly.part(part);
    } catch (error) {
      if (error instanceof BadUpdate || error instanceof BadStream) this.#restart();
      else this.#fail("protocol");
    }
  }

  // The next bytes of the stream.
  #take(update: number, data: Uint8Array<ArrayBuffer>, last: boolean, byPart: boolean): void {
    const picture = this.#picture;
    const stream = this.#stream;
    if (picture === undefined || stream === undefined) return;
    this.#update = update;
    this.#byPart ||= byPart;
    stream.push(data, picture.maxUpdate);
    if (!last) return;
    this.#update = undefined;
    this.#paint(picture.apply(stream.take()));
    if (this.#held) this.#unsaid = update;
    else this.#ack(update);
    this.#byPart = false;
    if (!this.#held) this.#judge();
    this.#restarts = 0;
    if (this.#fresh) {
      this.#fresh = false;
      this.#report({ kind: "painted" });
    }
  }

  // Where the line loses packets an ack that is lost would hold the host back.
  #ack(update: number): void {
    const ack = tileAck(update, this.#byPart);
    this.#channel.send(ack);
    if (!this.#fast || this.#now() - this.#lossy > lossyFor) return;
    const fast = this.#fast;
    this.#acked = update;
    setTimeout(() => {
      if (this.#acked === update && fast.readyState === "open") fast.send(ack);
    }, ackAfter);
  }

  // An update was painted: was it long after it arrived?
  #judge(): void {
    const now = this.#now();
    this.tally.painted(this.#busy + now - this.#began, this.#began - this.#came);
    const change = this.#pace.painted(now, this.#busy + now - this.#came);
    if (change) this.#report({ kind: "pace", ...change });
  }

  #paint(damage: { x: number; y: number; width: number; height: number }[]): void {
    const image = this.#image;
    if (image === undefined) return;
    this.#strips.paint(image, damage);
  }

  // The decoder no longer holds what the host believes it holds: begin again.
  #restart(): void {
    this.#unfilm();
    this.#forget();
    this.#restarts++;
    if (this.#restarts > maxRestarts) this.#fail("protocol");
    else this.#channel.send(tileRestart());
  }

  #fail(why: "protocol" | "too large"): void {
    this.#unfilm();
    this.#forget();
    this.#channel.onmessage = null;
    if (this.#fast) this.#fast.onmessage = null;
    this.#report({ kind: "failed", why });
  }

  #forget(): void {
    this.#picture = undefined;
    this.#image = undefined;
    this.#stream = undefined;
    this.#update = undefined;
    this.#byPart = false;
    this.#assembly.reset();
  }
}

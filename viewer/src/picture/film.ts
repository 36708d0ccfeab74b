// The video of what moves, above the canvas: one <video> element as large as the
// track's area, clipped to the rectangles that are video now (PROTOCOL.md §1.10,
// §1.11). The canvas below stays whole and exact, so showing and hiding is all
// there is to do. What is shown is said to the host: it sends no more than that.
//
// Browsers call requestVideoFrameCallback for frames that are put on the screen
// only, so the element must never be clipped to nothing while a frame is waited
// for: one pixel of it is shown then, where video is about to be anyway.

import type { Area, Video } from "../wire/picture";

/** What is needed of an HTMLVideoElement. */
export interface Player {
  srcObject: MediaProvider | null;
  hidden: boolean;
  readonly style: Pick<CSSStyleDeclaration, "left" | "top" | "width" | "height" | "clipPath">;
  play(): Promise<void>;
  requestVideoFrameCallback?(call: (now: number, frame: { rtpTimestamp?: number }) => void): number;
  cancelVideoFrameCallback?(handle: number): void;
}

/** What is needed of an RTCRtpReceiver. */
export interface Receiver {
  readonly track: MediaStreamTrack;
  getSynchronizationSources(): { rtpTimestamp: number }[];
}

/** Video messages that may wait for their frames; a host sends few. */
const maxWaiting = 8;
/** Without timestamps: what is presented this long after the message is what it meant, ms. */
const grace = 50;

/** Whether this browser says what it shows; without that there is no video. */
export function canFilm(): boolean {
  return "requestVideoFrameCallback" in HTMLVideoElement.prototype;
}

export class Film {
  #player: Player;
  #now: () => number;
  #width = 0; // of the picture, pixels
  #height = 0;
  #receiver: Receiver | undefined;
  #shown: ((timestamp: number) => void) | undefined;
  #waiting: { video: Video; came: number }[] = [];
  #filming = false; // there is video, shown or waited for
  #handle: number | undefined;

  /** @param now milliseconds */
  constructor(player: Player, now: () => number = () => performance.now()) {
    this.#player = player;
    this.#now = now;
    this.#hide();
  }

  /** The picture's size, pixels: what is video is a part of it. */
  size(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
  }

  /**
   * The track of a new connection.
   * @param shown takes the RTP timestamp of each frame that is on the screen
   */
  take(receiver: Receiver, shown: (timestamp: number) => void): void {
    this.close();
    this.#receiver = receiver;
    this.#shown = shown;
  }

  /** The host's newest word on what is video. */
  show(video: Video): void {
    if (video.rects.length === 0) {
      this.#hide();
      return;
    }
    if (this.#receiver === undefined) return; // a host that films without a track
    this.#waiting.push({ video, came: this.#now() });
    if (this.#waiting.length > maxWaiting) this.#waiting.shift();
    if (this.#filming) return;
    this.#filming = true;
    const first = video.rects[0];
    if (first) this.#lay(video.area, `inset(${this.#inset({ ...first, width: 1, height: 1 }, video.area)})`);
    this.#player.srcObject ??= new MediaStream([this.#receiver.track]);
    this.#player.hidden = false;
    this.#player.play().catch(() => undefined); // muted, it may always play
    this.#watch();
  }

  /** Nothing of it may stay. */
  close(): void {
    this.#hide();
    this.#receiver = undefined;
    this.#shown = undefined;
  }

  #watch(): void {
    this.#handle = this.#player.requestVideoFrameCallback?.((_, frame) => {
      if (!this.#filming) return;
      this.#watch();
      this.#presented(frame.rtpTimestamp);
    });
  }

  #presented(stamp: number | undefined): void {
    const now = this.#now();
    // Chromium and Firefox name the frame; where a browser does not, what was played out last is close.
    const at = stamp ?? this.#receiver?.getSynchronizationSources()[0]?.rtpTimestamp;
    if (at !== undefined) this.#shown?.(at);
    const due = (w: { video: Video; came: number }) =>
      stamp === undefined ? now - w.came >= grace : (stamp - w.video.timestamp) >>> 0 < 0x80000000;
    let newest: Video | undefined;
    while (this.#waiting[0] && due(this.#waiting[0])) newest = this.#waiting.shift()?.video;
    if (newest) this.#lay(newest.area, this.#clip(newest));
  }

  #hide(): void {
    this.#waiting = [];
    this.#filming = false;
    if (this.#handle !== undefined) this.#player.cancelVideoFrameCallback?.(this.#handle);
    this.#handle = undefined;
    this.#player.hidden = true;
    this.#player.srcObject = null; // no frame of it stays
  }

  // In parts of the picture: right at every scale.
  #lay(area: Area, clip: string): void {
    const { style } = this.#player;
    style.left = percent(area.x, this.#width);
    style.top = percent(area.y, this.#height);
    style.width = percent(area.width, this.#width);
    style.height = percent(area.height, this.#height);
    style.clipPath = clip;
  }

  // One rectangle is an inset, which browsers clip at no cost, or nothing at all.
  #clip({ area, rects }: Video): string {
    const [only, more] = rects;
    if (only && !more) {
      const same = only.width === area.width && only.height === area.height;
      return same ? "none" : `inset(${this.#inset(only, area)})`;
    }
    // Several are one line from the corner around each and back: what it encloses on the way has no width.
    const points: string[] = [];
    const point = (x: number, y: number) =>
      points.push(`${percent(x - area.x, area.width)} ${percent(y - area.y, area.height)}`);
    for (const { x, y, width, height } of rects) {
      point(area.x, area.y);
      point(x, y);
      point(x + width, y);
      point(x + width, y + height);
      point(x, y + height);
      point(x, y);
    }
    point(area.x, area.y);
    return `polygon(${points.join(",")})`;
  }

  #inset({ x, y, width, height }: Area, area: Area): string {
    return [
      percent(y - area.y, area.height),
      percent(area.x + area.width - x - width, area.width),
      percent(area.y + area.height - y - height, area.height),
      percent(x - area.x, area.width),
    ].join(" ");
  }
}

function percent(part: number, whole: number): string {
  return `${whole > 0 ? (part / whole) * 100 : 0}%`;
}

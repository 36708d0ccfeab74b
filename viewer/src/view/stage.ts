// The picture on the page: the canvas, and whatever lies exactly over it, in
// layers that carry its size; a frame that shows one part of them; and the box
// that scrolls. And the hidden text area that takes the keys while the
// technician has control.

import type { Sender } from "../input/sender";
import { attachKeyboard, Keyboard, systemOf } from "../input/keyboard";
import { Holding, type Paster } from "../input/paste";
import { attachPointer, type PointerSink } from "../input/pointer";
import { stripCount, stripsOf } from "../picture/strips";
import { handsOf, type View } from "../state";
import { h } from "./dom";
import { Ghost } from "./ghost";
import {
  common,
  css,
  firstLook,
  keepLook,
  layAxis,
  parseLook,
  rendering,
  scaleOf,
  step,
  type Look,
  type Part,
  type Point,
} from "./lens";
import { attachPan } from "./pan";
import type { T } from "./texts";

type Hands = Pick<Sender, "motion" | "button" | "wheel" | "key" | "text" | "release">;

/** Where the look is kept from one session to the next: it is the technician's, not the ticket's. */
const kept = "mf-look";

export interface StageEvents {
  /** The screen's device pixel ratio is another one. */
  ratioChanged(): void;
  /** The look or the scale that came of it is another one. */
  lookChanged(): void;
}

export class Stage {
  readonly element = h("div", { id: "stage", part: "stage", tabindex: "0", role: "group" });
  readonly keys = h("textarea", {
    id: "keys",
    autocomplete: "off",
    autocapitalize: "off",
    autocorrect: "off",
    spellcheck: "false",
    tabindex: "-1",
    "aria-multiline": "false",
  });
  /** Exactly as large as the whole picture, at every scale: what belongs over the canvas fills it. */
  readonly layers = h("div", { id: "layers" });
  /** Where somebody else has the pointer. */
  readonly ghost = new Ghost();
  /** Where the picture is: the strips' canvases, and what takes the pointer. */
  readonly picture = h("div", { id: "picture", part: "picture", role: "img" });
  /** What moves, over it: see picture/film.ts. */
  readonly film = h("video", {
    id: "film",
    playsinline: true,
    disablepictureinpicture: true,
    disableremoteplayback: true,
    "aria-hidden": "true",
    tabindex: "-1",
    hidden: true,
  });
  /** What a paste or a copy in the picture means besides its keys. */
  paster: Paster | undefined;
  #frame = h("div", { id: "frame" }, this.layers);
  #events: StageEvents;
  #width = 0;
  #height = 0;
  #watched: Part | null = null; // one display; null: the whole picture
  #look: Look = parseLook(recall());
  #scale = 1;
  #at: Point = { x: 0, y: 0 }; // of the part, in its pixels: where the technician scrolled to
  #laid: Point = { x: 0, y: 0 }; // scroll offsets as we set them, CSS pixels
  #hands: Hands | undefined; // those of the present connection
  #detach: (() => void)[] = [];
  #unpan: (() => void) | undefined;
  #resize: ResizeObserver;
  #ratio: MediaQueryList | undefined;
  #onRatio = () => this.#watchRatio();

  constructor(events: StageEvents) {
    this.#events = events;
    this.film.muted = true; // the attribute would only be its default
    this.layers.append(this.picture, this.film, this.ghost.element);
    this.element.append(this.#frame, this.keys);
    this.#resize = new ResizeObserver(() => this.#place());
    this.element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.element.addEventListener("wheel", (event) => this.#pinch(event), { passive: false });
  }

  /** Canvases given to a Worker never come back: each session has its own. */
  renew(): HTMLCanvasElement[] {
    this.release();
    this.#width = this.#height = 0;
    this.#watched = null;
    this.#at = { x: 0, y: 0 };
    const canvases = Array.from({ length: stripCount() }, () => h("canvas", { width: "1", height: "1" }));
    this.picture.replaceChildren(...canvases);
    return canvases;
  }

  connect(): void {
    this.#resize.observe(this.element);
    this.#unpan = attachPan(this.element, this.#frame, () => this.#hands !== undefined);
    this.#watchRatio();
  }

  disconnect(): void {
    this.#resize.disconnect();
    this.#unpan?.();
    this.#ratio?.removeEventListener("change", this.#onRatio);
    this.release();
  }

  /** @param watched the display that is looked at; null: the whole picture */
  update(view: View, watched: Part | null, t: T): void {
    this.element.dataset["hands"] = handsOf(view);
    this.element.setAttribute("aria-label", t("picture.label"));
    this.picture.setAttribute("aria-label", t("picture.label"));
    this.keys.setAttribute("aria-label", t("keyboard.label"));
    this.#frame.hidden = view.state !== "live";
    this.ghost.update(view, t);
    const same = samePart(watched, this.#watched);
    if (view.width === this.#width && view.height === this.#height && same) return;
    if (!same) this.#at = { x: 0, y: 0 };
    this.#width = view.width;
    this.#height = view.height;
    this.#watched = watched;
    this.#place();
  }

  get look(): Look {
    return this.#look;
  }

  /** Device pixels a picture pixel takes. */
  get scale(): number {
    return this.#scale;
  }

  /** Looks in another way; what is in the middle stays there. */
  set look(look: Look) {
    const { clientWidth, clientHeight } = this.element;
    this.#lookAt(look, { x: clientWidth / 2, y: clientHeight / 2 });
  }

  /** One step larger (1) or smaller (-1). */
  zoom(way: 1 | -1): void {
    this.look = step(this.#scale, way);
  }

  /** The technician has control: keys and pointer go to the host. */
  take(hands: Hands, leave: () => void): void {
    if (this.#hands === hands) return;
    this.release();
    this.#hands = hands;
    const holding = new Holding(hands);
    const keyboard = new Keyboard(holding, systemOf(navigator.userAgent));
    // The canvas is laid out at its scale, so that a place on it needs no other way back to the picture.
    const surface = () => ({
      width: this.#width,
      height: this.#height,
      ratio: devicePixelRatio / this.#scale,
    });
    this.#detach = [
      attachKeyboard(this.keys, keyboard, leave, holding, () => this.paster),
      attachPointer(this.picture, this.#ours(hands), surface, () => this.focus()),
    ];
    this.keys.tabIndex = 0;
    this.focus();
  }

  // What the technician moves is no longer where somebody else put it.
  #ours(hands: Hands): PointerSink {
    return {
      motion: (x, y) => {
        this.ghost.hide();
        hands.motion(x, y);
      },
      button: (x, y, button, down) => {
        this.ghost.hide();
        hands.button(x, y, button, down);
      },
      wheel: (x, y, dx, dy) => hands.wheel(x, y, dx, dy),
    };
  }

  release(): void {
    if (!this.#hands) return;
    this.#hands = undefined;
    for (const detach of this.#detach.splice(0)) detach();
    this.keys.tabIndex = -1;
    this.cursor("");
  }

  focus(): void {
    (this.#hands ? this.keys : this.element).focus({ preventScroll: true });
  }

  cursor(css: string): void {
    this.picture.style.cursor = this.#hands ? css : "";
  }

  get #part(): Part {
    const whole = { x: 0, y: 0, width: Math.max(1, this.#width), height: Math.max(1, this.#height) };
    return (this.#watched && common(this.#watched, whole)) ?? whole;
  }

  /** @param anchor what lies there stays there, CSS pixels in the box */
  #lookAt(look: Look, anchor: Point): void {
    if (this.#frame.hidden) return;
    const box = this.element.getBoundingClientRect();
    const frame = this.#frame.getBoundingClientRect();
    const before = devicePixelRatio / this.#scale;
    const there = {
      x: (box.left + anchor.x - frame.left) * before,
      y: (box.top + anchor.y - frame.top) * before,
    };
    this.#look = look;
    keep(look);
    const after = devicePixelRatio / scaleOf(look, this.#part, this.#room());
    this.#at = { x: there.x - anchor.x * after, y: there.y - anchor.y * after };
    this.#place();
    this.#events.lookChanged();
  }

  // The wheel with Control, and two fingers on a pad, change the size while the pointer is nobody's.
  #pinch(event: WheelEvent): void {
    if (!event.ctrlKey || this.#hands) return;
    event.preventDefault();
    if (event.deltaY === 0) return;
    const box = this.element.getBoundingClientRect();
    this.#lookAt(step(this.#scale, event.deltaY < 0 ? 1 : -1), {
      x: event.clientX - box.left,
      y: event.clientY - box.top,
    });
  }

  // A place that a smaller picture does not have is kept for when there is a larger one again:
  // only what the technician scrolled counts, an axis at a time.
  #scrolled(): void {
    const { scrollLeft, scrollTop } = this.element;
    const ratio = devicePixelRatio / this.#scale;
    const moved = (now: number, laid: number) => Math.abs(now - laid) > 0.5;
    this.#at = {
      x: moved(scrollLeft, this.#laid.x) ? scrollLeft * ratio : this.#at.x,
      y: moved(scrollTop, this.#laid.y) ? scrollTop * ratio : this.#at.y,
    };
    this.#laid = { x: scrollLeft, y: scrollTop };
  }

  /** The whole box, device pixels. */
  #room(): { width: number; height: number } {
    const box = this.element.getBoundingClientRect();
    const ratio = devicePixelRatio;
    return { width: Math.floor(box.width * ratio), height: Math.floor(box.height * ratio) };
  }

  // Only when a size, the look or the box is another one: never for a frame.
  #place(): void {
    const ratio = devicePixelRatio;
    const part = this.#part;
    const before = this.#scale;
    const scale = scaleOf(this.#look, part, this.#room());
    this.#scale = scale;
    this.element.dataset["look"] = this.#look.mode;
    const box = this.element.getBoundingClientRect();
    const lay = () => ({
      x: layAxis(part.x, part.width, this.#width, scale, ratio, box.left, this.element.clientWidth),
      y: layAxis(part.y, part.height, this.#height, scale, ratio, box.top, this.element.clientHeight),
    });
    let { x, y } = lay();
    const frame = this.#frame.style;
    frame.width = `${x.size}px`;
    frame.height = `${y.size}px`;
    ({ x, y } = lay()); // the size decides whether there are scroll bars, and they take room
    frame.marginLeft = `${x.gap}px`;
    frame.marginTop = `${y.gap}px`;
    const layers = this.layers.style;
    layers.left = `${x.shift}px`;
    layers.top = `${y.shift}px`;
    layers.width = `${x.whole}px`;
    layers.height = `${y.whole}px`;
    this.layers.dataset["pixels"] = rendering(scale);
    // Each strip begins and ends at a device pixel: no line shows between two.
    const edge = (row: number) => css(Math.round(row * scale), ratio);
    const strips = Array.from(this.picture.children).filter((child) => child instanceof HTMLElement);
    for (const [i, { top, rows }] of stripsOf(this.#height, strips.length).entries()) {
      const strip = strips[i];
      if (strip === undefined) continue;
      strip.hidden = rows === 0;
      strip.style.top = `${edge(top)}px`;
      strip.style.height = `${edge(top + rows) - edge(top)}px`;
    }
    const { element } = this;
    element.scrollTo({
      left: (this.#at.x * scale) / ratio,
      top: (this.#at.y * scale) / ratio,
      behavior: "instant",
    });
    this.#laid = { x: element.scrollLeft, y: element.scrollTop };
    element.toggleAttribute(
      "data-scrolls",
      element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight,
    );
    if (Math.round(before * 100) !== Math.round(scale * 100)) this.#events.lookChanged();
  }

  #watchRatio(): void {
    this.#ratio?.removeEventListener("change", this.#onRatio);
    this.#ratio = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.#ratio.addEventListener("change", this.#onRatio);
    this.#place();
    this.#events.ratioChanged();
  }
}

function samePart(a: Part | null, b: Part | null): boolean {
  if (a === null || b === null) return a === b;
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}

// A browser that keeps nothing for a page throws.
function recall(): string | null {
  try {
    return localStorage.getItem(kept);
  } catch {
    return null;
  }
}

function keep(look: Look): void {
  try {
    if (look === firstLook) localStorage.removeItem(kept);
    else localStorage.setItem(kept, keepLook(look));
  } catch {
    // This time only, then.
  }
}

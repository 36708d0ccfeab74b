// The picture on the page: one canvas, one picture pixel to one device pixel,
// scrolled when it is larger than its box; and the hidden text area that takes
// the keys while the technician has control.

import type { Sender } from "../input/sender";
import { attachKeyboard, Keyboard, systemOf } from "../input/keyboard";
import { attachPointer } from "../input/pointer";
import type { View } from "../state";
import { h } from "./dom";
import { handsOf } from "./toolbar";
import type { T } from "./texts";

type Hands = Pick<Sender, "motion" | "button" | "wheel" | "key" | "text" | "release">;

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
  canvas: HTMLCanvasElement;
  #width = 0;
  #height = 0;
  #hands: Hands | undefined; // those of the present connection
  #detach: (() => void)[] = [];
  #resize: ResizeObserver;
  #ratio: MediaQueryList | undefined;
  #ratioChanged: () => void;
  #onRatio = () => this.#watchRatio();

  /** @param ratioChanged the screen's device pixel ratio is another one */
  constructor(ratioChanged: () => void) {
    this.#ratioChanged = ratioChanged;
    this.canvas = newCanvas();
    this.element.append(this.canvas, this.keys);
    this.#resize = new ResizeObserver(() => this.#place());
  }

  /** A canvas given to a Worker never comes back: each session has its own. */
  renew(): HTMLCanvasElement {
    this.release();
    this.#width = this.#height = 0;
    const canvas = newCanvas();
    this.canvas.replaceWith(canvas);
    this.canvas = canvas;
    return canvas;
  }

  connect(): void {
    this.#resize.observe(this.element);
    this.#watchRatio();
  }

  disconnect(): void {
    this.#resize.disconnect();
    this.#ratio?.removeEventListener("change", this.#onRatio);
    this.release();
  }

  update(view: View, t: T): void {
    this.element.dataset["hands"] = handsOf(view);
    this.element.setAttribute("aria-label", t("picture.label"));
    this.canvas.setAttribute("aria-label", t("picture.label"));
    this.keys.setAttribute("aria-label", t("keyboard.label"));
    this.canvas.hidden = view.state !== "live";
    if (view.width === this.#width && view.height === this.#height) return;
    this.#width = view.width;
    this.#height = view.height;
    this.#place();
  }

  /** The technician has control: keys and pointer go to the host. */
  take(hands: Hands, leave: () => void): void {
    if (this.#hands === hands) return;
    this.release();
    this.#hands = hands;
    const keyboard = new Keyboard(hands, systemOf(navigator.userAgent));
    const surface = () => ({ width: this.#width, height: this.#height, ratio: devicePixelRatio });
    this.#detach = [
      attachKeyboard(this.keys, keyboard, leave),
      attachPointer(this.canvas, hands, surface, () => this.focus()),
    ];
    this.keys.tabIndex = 0;
    this.focus();
  }

  release(): void {
    if (!this.#hands) return;
    this.#hands = undefined;
    for (const detach of this.#detach.splice(0)) detach();
    this.keys.tabIndex = -1;
    this.cursor("default");
  }

  focus(): void {
    (this.#hands ? this.keys : this.element).focus({ preventScroll: true });
  }

  cursor(css: string): void {
    this.canvas.style.cursor = this.#hands ? css : "default";
  }

  // Sizes in CSS pixels that are whole device pixels, in the middle when there is room. The box
  // itself may begin between two device pixels: a picture that did would be blurred.
  #place(): void {
    const ratio = devicePixelRatio;
    const { style } = this.canvas;
    const box = this.element.getBoundingClientRect();
    const gap = (edge: number, room: number, size: number) => {
      const between = Math.ceil(edge * ratio - 0.02) - edge * ratio;
      return css(Math.max(0, Math.floor((room * ratio - size) / 2)) + between);
    };
    // Chromium lays out in 1/64 pixels and cuts what is finer: rounded up, it still paints whole device pixels.
    const css = (device: number) => `${Math.ceil((device / ratio) * 64 - 0.02) / 64}px`;
    style.width = css(this.#width);
    style.height = css(this.#height);
    style.marginLeft = gap(box.left, this.element.clientWidth, this.#width);
    style.marginTop = gap(box.top, this.element.clientHeight, this.#height);
  }

  #watchRatio(): void {
    this.#ratio?.removeEventListener("change", this.#onRatio);
    this.#ratio = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.#ratio.addEventListener("change", this.#onRatio);
    this.#place();
    this.#ratioChanged();
  }
}

function newCanvas(): HTMLCanvasElement {
  return h("canvas", { id: "picture", part: "picture", role: "img", width: "1", height: "1", hidden: true });
}

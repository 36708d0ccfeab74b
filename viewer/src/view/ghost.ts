// Where somebody else has the pointer: an arrow with a name, over the picture.
// It stands where it was last seen and does not move by itself.

import type { View } from "../state";
import { h, icon, setText } from "./dom";
import type { T } from "./texts";

/** Where the pointer is, pixels of the picture, and who put it there: "" is the person. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly participant: string;
}

/** How long the name stands beside a pointer that rests, ms: it covers what is there. */
const nameFor = 3000;

export class Ghost {
  /** Fills the picture. */
  readonly element: HTMLElement;
  #pointer = h("div", { id: "ghost", hidden: true });
  #name = h("span");
  #place: Place | undefined;
  #resting: ReturnType<typeof setTimeout> | undefined;
  #last: { view: View; t: T } | undefined;

  constructor() {
    this.#pointer.append(icon("arrow"), this.#name);
    this.element = h("div", { id: "ghosts", "aria-hidden": "true" }, this.#pointer);
  }

  show(place: Place): void {
    this.#place = place;
    this.#name.hidden = false;
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      this.#name.hidden = true;
    }, nameFor);
    this.#again();
  }

  /** The technician moved the pointer: it is theirs. */
  hide(): void {
    if (this.#place === undefined) return;
    this.#place = undefined;
    this.#again();
  }

  update(view: View, t: T): void {
    this.#last = { view, t };
    if (view.state !== "live") this.#place = undefined;
    this.#again();
  }

  #again(): void {
    const place = this.#place;
    const view = this.#last?.view;
    const inside = place !== undefined && view && place.x < view.width && place.y < view.height;
    this.#pointer.hidden = !inside;
    if (!inside || !this.#last) return;
    const { t } = this.#last;
    const member = view.members.find(({ id }) => id === place.participant);
    setText(this.#name, place.participant === "" ? t("ghost.person") : member?.name || t("people.someone"));
    const { style } = this.#pointer;
    style.left = `${(100 * place.x) / view.width}%`;
    style.top = `${(100 * place.y) / view.height}%`;
    this.#pointer.dataset["side"] = place.x > 0.75 * view.width ? "left" : "right";
  }
}

// The sheet in which the technician chooses how to look: pixel for pixel,
// fitted or larger and smaller, and which of the person's monitors.

import type { Display } from "../displays";
import type { View } from "../state";
import { button, h, setLabel, setText } from "./dom";
import { leastPercent, mostPercent, type Look } from "./lens";
import type { T } from "./texts";

export interface LookingActions {
  look(look: Look): void;
  zoom(way: 1 | -1): void;
  watch(display: number | null): void;
  close(): void;
}

/** What one key asks for, where keys are not the remote desktop's. */
export type LookKey = "actual" | "fit" | "in" | "out" | "next" | "previous";

export function lookKey(
  event: Pick<KeyboardEvent, "key" | "ctrlKey" | "altKey" | "metaKey">,
): LookKey | undefined {
  if (event.ctrlKey || event.altKey || event.metaKey) return undefined;
  const keys: Readonly<Record<string, LookKey>> = {
    "1": "actual",
    "0": "fit",
    "+": "in",
    "=": "in",
    "-": "out",
    m: "next",
    M: "previous",
  };
  return keys[event.key];
}

/** All of them, then one after the other, and all again. */
export function neighbour(displays: readonly Display[], watched: number | null, way: 1 | -1): number | null {
  if (displays.length < 2) return null;
  const all = [null, ...displays.map(({ id }) => id)];
  const at = Math.max(0, all.indexOf(watched));
  return all[(at + way + all.length) % all.length] ?? null;
}

export class Looking {
  readonly element: HTMLElement;
  readonly title = h("h3", { id: "look-title", tabindex: "-1" });
  #actions: LookingActions;
  #actual = button("look-actual", "plain");
  #fit = button("look-fit", "plain");
  #out = button("zoom-out", "plain");
  #percent = h("output", { id: "zoom-percent" });
  #in = button("zoom-in", "plain");
  #modes = h("div", { class: "modes", role: "group" }, this.#actual, this.#fit);
  #zoom = h("div", { class: "zoom", role: "group" }, this.#out, this.#percent, this.#in);
  #hint = h("p", { class: "hint" });
  #screens = h("section", { class: "screens", "aria-labelledby": "screens-title" });
  #screensTitle = h("h4", { id: "screens-title" });
  #map = h("div", { class: "map" });
  #all = button("watch-all", "plain");
  #close = button("close-look", "plain");
  #shown = "";

  constructor(actions: LookingActions) {
    this.#actions = actions;
    this.#screens.append(this.#screensTitle, this.#map, this.#all);
    this.element = h(
      "section",
      { id: "look", class: "sheet", part: "details", "aria-labelledby": "look-title", hidden: true },
      this.title,
      this.#modes,
      this.#zoom,
      this.#screens,
      this.#hint,
      h("div", { class: "actions" }, this.#close),
    );
    this.#actual.addEventListener("click", () => actions.look({ mode: "actual", percent: 100 }));
    this.#fit.addEventListener("click", () => actions.look({ mode: "fit", percent: 100 }));
    this.#out.addEventListener("click", () => actions.zoom(-1));
    this.#in.addEventListener("click", () => actions.zoom(1));
    this.#all.addEventListener("click", () => actions.watch(null));
    this.#close.addEventListener("click", () => actions.close());
  }

  /** @param scale device pixels that a picture pixel takes */
  update(view: View, look: Look, scale: number, t: T): void {
    setText(this.title, t("look.title"));
    this.#modes.setAttribute("aria-label", t("look.title"));
    setLabel(this.#actual, t("look.actualLong"));
    setLabel(this.#fit, t("look.fitLong"));
    press(this.#actual, look.mode === "actual");
    press(this.#fit, look.mode === "fit");
    this.#zoom.setAttribute("aria-label", t("look.zoom"));
    setLabel(this.#out, "−");
    setLabel(this.#in, "+");
    this.#out.setAttribute("aria-label", t("look.smaller"));
    this.#in.setAttribute("aria-label", t("look.larger"));
    const percent = Math.round(scale * 100);
    this.#out.disabled = percent <= leastPercent;
    this.#in.disabled = percent >= mostPercent;
    setText(this.#percent, percentText(scale, t));
    const several = view.displays.length > 1;
    setText(this.#hint, t(several ? "look.keysSeveral" : "look.keys"));
    setLabel(this.#close, t("details.close"));
    this.#screens.hidden = !several;
    setText(this.#screensTitle, t("look.screens"));
    setLabel(this.#all, t("look.all"));
    press(this.#all, view.watched === null);
    this.#drawMap(view, t);
  }

  // The monitors as they stand on the person's desk. Made anew only when they are others: a button with the focus stays.
  #drawMap({ displays, watched }: View, t: T): void {
    const now = JSON.stringify([t.lang, displays]);
    if (now !== this.#shown) {
      this.#shown = now;
      const left = Math.min(...displays.map(({ x }) => x));
      const top = Math.min(...displays.map(({ y }) => y));
      const width = Math.max(...displays.map((d) => d.x + d.width)) - left;
      const height = Math.max(...displays.map((d) => d.y + d.height)) - top;
      this.#map.style.aspectRatio = `${width} / ${height}`;
      this.#map.replaceChildren(
        ...displays.map((display, i) => {
          const { id, x, y } = display;
          const item = button(`watch-${id}`, "plain");
          item.classList.add("screen");
          item.dataset["display"] = String(id);
          const size = t("look.size", { width: display.width, height: display.height });
          setLabel(item, String(i + 1));
          item.append(
            h("span", { class: "name" }, nameOf(display, i, t)),
            h("span", { class: "size" }, size),
          );
          item.title = `${nameOf(display, i, t)}, ${size}`;
          item.style.left = `${((x - left) * 100) / width}%`;
          item.style.top = `${((y - top) * 100) / height}%`;
          item.style.width = `${(display.width * 100) / width}%`;
          item.style.height = `${(display.height * 100) / height}%`;
          item.addEventListener("click", () => this.#actions.watch(id));
          return item;
        }),
      );
    }
    for (const item of this.#map.querySelectorAll<HTMLButtonElement>(".screen"))
      press(item, watched !== null && item.dataset["display"] === String(watched));
  }
}

/** What the toolbar says of the look, in a few letters. */
export function lookText(view: View, look: Look, scale: number, t: T): string {
  const size =
    look.mode === "actual"
      ? t("look.actual")
      : look.mode === "fit"
        ? t("look.fit", { percent: percentText(scale, t) })
        : percentText(scale, t);
  const at = view.displays.findIndex(({ id }) => id === view.watched);
  return at < 0 ? size : t("look.one", { n: at + 1, size });
}

function percentText(scale: number, t: T): string {
  return new Intl.NumberFormat(t.lang, { style: "percent", maximumFractionDigits: 0 }).format(scale);
}

function nameOf({ name }: Display, i: number, t: T): string {
  return name || t("look.display", { n: i + 1 });
}

function press(element: HTMLElement, on: boolean): void {
  element.setAttribute("aria-pressed", String(on));
}

// The slim bar above the picture, and the notices under it.

import { GrantState } from "../gen/session_pb";
import type { View } from "../session";
import { button, h, icon, setLabel, setText } from "./dom";
import { Facts } from "./facts";
import type { T, TextKey } from "./texts";

export interface ToolbarActions {
  askControl(): void;
  giveBack(): void;
  fullscreen(): void;
  end(): void;
}

export type Hands = "yes" | "asked" | "no";

export function handsOf(view: View): Hands {
  if (view.control === GrantState.ALLOWED) return "yes";
  return view.control === GrantState.ASKED ? "asked" : "no";
}

export class Toolbar {
  readonly element: HTMLElement;
  readonly banner = h("div", { id: "banner", part: "banner", role: "status", hidden: true });
  readonly details: HTMLElement;
  #state = h("span", { class: "state", part: "state" });
  #stateText = h("span");
  #path = h("span", { class: "path" });
  #ask = button("ask-control", "primary", "pointer");
  #giveBack = button("give-back", "plain", "pointer");
  #fullscreen = button("fullscreen", "quiet", "expand");
  #detailsButton = button("show-details", "quiet", "info");
  #end = button("end", "danger", "stop");
  #question = h("span", { class: "question", hidden: true });
  #questionText = h("span", { id: "end-question" });
  #endNow = button("confirm-end", "danger");
  #endNot = button("cancel-end", "plain");
  #facts = new Facts(true);
  #detailsTitle = h("h3", { id: "details-title", tabindex: "-1" });
  #close = button("close-details", "plain");
  #inFullscreen = false;
  #last: { view: View; t: T } | undefined;

  constructor(actions: ToolbarActions) {
    this.#state.append(icon("eye"), this.#stateText);
    this.#endNow.classList.add("filled");
    this.#question.append(this.#questionText, this.#endNow, this.#endNot);
    for (const compact of [this.#fullscreen, this.#detailsButton, this.#end])
      compact.classList.add("compact");
    this.element = h(
      "div",
      { id: "toolbar", part: "toolbar", role: "toolbar" },
      this.#state,
      this.#path,
      h("span", { class: "grow" }),
      this.#ask,
      this.#giveBack,
      this.#fullscreen,
      this.#detailsButton,
      this.#end,
      this.#question,
    );
    this.details = h(
      "section",
      { id: "details", part: "details", "aria-labelledby": "details-title", hidden: true },
      this.#detailsTitle,
      this.#facts.element,
      h("div", { class: "actions" }, this.#close),
    );
    this.#ask.addEventListener("click", () => actions.askControl());
    this.#giveBack.addEventListener("click", () => actions.giveBack());
    this.#fullscreen.addEventListener("click", () => actions.fullscreen());
    this.#detailsButton.addEventListener("click", () => this.#showDetails(this.details.hidden));
    this.#close.addEventListener("click", () => this.#showDetails(false));
    this.details.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#showDetails(false);
    });
    this.#end.addEventListener("click", () => this.#ending(true));
    this.#endNot.addEventListener("click", () => this.#ending(false));
    this.#endNow.addEventListener("click", () => actions.end());
    this.#question.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ending(false);
    });
  }

  update(view: View, t: T): void {
    this.#last = { view, t };
    const live = view.state === "live";
    const hands = handsOf(view);
    this.element.setAttribute("aria-label", t("toolbar.label"));
    this.#state.dataset["hands"] = hands;
    this.element.dataset["hands"] = hands;
    setText(
      this.#stateText,
      t(hands === "yes" ? "live.control" : hands === "asked" ? "live.asked" : "live.view"),
    );
    this.#path.dataset["path"] = view.pathUp ? "up" : "down";
    setText(this.#path, t(view.pathUp ? "path.up" : "path.down"));
    this.#ask.hidden = hands === "yes";
    this.#ask.disabled = hands === "asked" || !view.pathUp;
    this.#giveBack.hidden = hands !== "yes";
    setLabel(this.#ask, t(hands === "asked" ? "toolbar.asked" : "toolbar.ask"));
    setLabel(this.#giveBack, t("toolbar.giveBack"));
    setLabel(this.#fullscreen, t(this.#inFullscreen ? "toolbar.fullscreenEnd" : "toolbar.fullscreen"));
    setLabel(this.#detailsButton, t("toolbar.details"));
    this.#detailsButton.setAttribute("aria-expanded", String(!this.details.hidden));
    setLabel(this.#end, t("toolbar.end"));
    setLabel(this.#endNow, t("toolbar.endNow"));
    setLabel(this.#endNot, t("toolbar.endNot"));
    setText(this.#questionText, t("toolbar.endQuestion"));
    setText(this.#detailsTitle, t("details.title"));
    setLabel(this.#close, t("details.close"));
    this.#facts.update(view, t);
    if (!live) {
      this.details.hidden = true;
      this.#question.hidden = true;
    }
    this.element.toggleAttribute("data-ending", !this.#question.hidden);
    this.#notices(live ? noticesOf(view) : [], t);
  }

  set fullscreen(on: boolean) {
    this.#inFullscreen = on;
    this.#again();
  }

  /** Where the keyboard goes when it leaves the picture. */
  focus(): void {
    (this.#giveBack.hidden ? this.#ask : this.#giveBack).focus();
  }

  #again(): void {
    if (this.#last) this.update(this.#last.view, this.#last.t);
  }

  #ending(open: boolean): void {
    this.#question.hidden = !open;
    this.element.toggleAttribute("data-ending", open);
    (open ? this.#endNot : this.#end).focus();
  }

  #showDetails(open: boolean): void {
    this.details.hidden = !open;
    this.#again();
    (open ? this.#detailsTitle : this.#detailsButton).focus();
  }

  #notices(keys: TextKey[], t: T): void {
    this.banner.hidden = keys.length === 0;
    const now = keys.map((key) => t(key));
    const before = Array.from(this.banner.children, (child) => child.textContent);
    if (now.join("\n") === before.join("\n")) return;
    this.banner.replaceChildren(...now.map((text) => h("p", {}, icon("warning"), text)));
  }
}

function noticesOf(view: View): TextKey[] {
  const keys: TextKey[] = [];
  if (!view.pathUp) keys.push("banner.interrupted");
  if (view.serverAway) keys.push("banner.serverAway");
  else if (view.hostAway) keys.push("banner.hostAway");
  if (view.held === "question") keys.push("banner.question");
  if (view.held === "own window") keys.push("banner.ownWindow");
  if (view.news !== null) keys.push(`banner.${view.news}`);
  return keys;
}

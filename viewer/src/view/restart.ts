// The sheet in which the technician asks whether the session may go on after a
// restart of the person's computer. Nothing here restarts it: that is done at the
// computer, or by the controls.

import { GrantState } from "../gen/session_pb";
import type { View } from "../state";
import { button, h, setLabel, setText } from "./dom";
import { time, type T } from "./texts";

export interface RestartActions {
  ask(): void;
  giveBack(): void;
  close(): void;
}

export class Restart {
  readonly element: HTMLElement;
  readonly title = h("h3", { id: "restart-title", tabindex: "-1" });
  #lead = h("p", { class: "hint" });
  #state = h("p", { id: "restart-state", role: "status" });
  #ask = button("ask-reconnect", "primary");
  #giveBack = button("give-reconnect", "plain");
  #close = button("close-restart", "plain");

  constructor(actions: RestartActions) {
    this.#ask.addEventListener("click", () => actions.ask());
    this.#giveBack.addEventListener("click", () => actions.giveBack());
    this.#close.addEventListener("click", () => actions.close());
    this.element = h(
      "section",
      {
        id: "restart-sheet",
        class: "sheet",
        part: "details",
        "aria-labelledby": "restart-title",
        hidden: true,
      },
      this.title,
      this.#lead,
      this.#state,
      h("div", { class: "actions" }, this.#ask, this.#giveBack, this.#close),
    );
  }

  update(view: View, t: T): void {
    const state = view.grants["reconnect"];
    const asked = state === GrantState.ASKED;
    setText(this.title, t("restart.title"));
    setText(this.#lead, t("restart.lead"));
    setText(this.#state, this.#says(view, t));
    setLabel(this.#ask, t(asked ? "toolbar.asked" : "restart.ask"));
    this.#ask.hidden = view.returnUntil !== null;
    this.#ask.disabled = asked || !view.pathUp || view.view !== GrantState.ALLOWED;
    setLabel(this.#giveBack, t("restart.giveBack"));
    this.#giveBack.hidden = view.returnUntil === null;
    setLabel(this.#close, t("details.close"));
  }

  #says({ grants, returnUntil }: View, t: T): string {
    if (returnUntil !== null) return t("restart.allowed", { time: time(returnUntil, t) });
    switch (grants["reconnect"]) {
      case GrantState.ASKED:
        return t("restart.asked");
      case GrantState.DENIED:
        return t("restart.denied");
      case GrantState.REVOKED:
        return t("restart.over");
      default:
        return "";
    }
  }
}

// The keys that cannot be pressed on the technician's own keyboard.

import { combos, type Combo } from "../input/combos";
import { button, h, setLabel, setText } from "./dom";
import type { T } from "./texts";

export interface KeysActions {
  press(combo: Combo): void;
  close(): void;
}

export class Keys {
  readonly element: HTMLElement;
  readonly title = h("h3", { id: "keys-title", tabindex: "-1" });
  #hint = h("p", { class: "hint" });
  #buttons: { combo: Combo; button: HTMLButtonElement }[];
  #lock = h("p", { class: "hint" });
  #close = button("close-keys", "plain");

  constructor(actions: KeysActions) {
    this.#buttons = (Object.keys(combos) as Combo[]).map((combo) => ({
      combo,
      button: button(`key-${combo}`, "plain"),
    }));
    for (const { combo, button } of this.#buttons)
      button.addEventListener("click", () => actions.press(combo));
    this.#close.addEventListener("click", () => actions.close());
    this.element = h(
      "section",
      { id: "keys-sheet", class: "sheet", part: "details", "aria-labelledby": "keys-title", hidden: true },
      this.title,
      this.#hint,
      h("div", { class: "combos" }, ...this.#buttons.map(({ button }) => button)),
      this.#lock,
      h("div", { class: "actions" }, this.#close),
    );
  }

  update(t: T): void {
    setText(this.title, t("keys.title"));
    setText(this.#hint, t("keys.hint"));
    for (const { combo, button } of this.#buttons) setLabel(button, t(`keys.${combo}`));
    setText(this.#lock, t("keys.lock"));
    setLabel(this.#close, t("details.close"));
  }
}

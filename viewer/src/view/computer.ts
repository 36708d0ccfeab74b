// The sheet in which the technician asks for what concerns the person's computer
// itself: to go on after a restart, and to work in administrator windows. Nothing here
// restarts it: that is done at the computer, or by the controls.

import { GrantState } from "../gen/session_pb";
import { ParticipantKind } from "../gen/signaling_pb";
import type { View } from "../state";
import { button, h, setLabel, setText } from "./dom";
import { time, type T, type TextKey } from "./texts";

export interface ComputerActions {
  ask(grant: string): void;
  giveBack(grant: string): void;
  close(): void;
}

const said = {
  reconnect: {
    title: "restart.title",
    lead: "restart.lead",
    ask: "restart.ask",
    asked: "restart.asked",
    allowed: "restart.allowed",
    denied: "restart.denied",
    over: "restart.over",
    giveBack: "restart.giveBack",
  },
  elevate: {
    title: "elevate.title",
    lead: "elevate.lead",
    ask: "elevate.ask",
    asked: "elevate.asked",
    allowed: "elevate.allowed",
    denied: "elevate.denied",
    over: "elevate.over",
    giveBack: "elevate.giveBack",
  },
} as const satisfies Record<string, Record<string, TextKey>>;

/** A grant's part of the sheet. */
class Part {
  readonly element: HTMLElement;
  #title = h("h4");
  #lead = h("p", { class: "hint" });
  #state: HTMLElement;
  #ask: HTMLButtonElement;
  #giveBack: HTMLButtonElement;

  constructor(
    readonly grant: keyof typeof said,
    actions: ComputerActions,
  ) {
    this.#state = h("p", { id: `${grant}-state`, class: "state-of", role: "status" });
    this.#ask = button(`ask-${grant}`, "primary");
    this.#giveBack = button(`give-${grant}`, "plain");
    this.#ask.addEventListener("click", () => actions.ask(grant));
    this.#giveBack.addEventListener("click", () => actions.giveBack(grant));
    this.element = h(
      "section",
      { class: "of-computer" },
      this.#title,
      this.#lead,
      this.#state,
      h("div", { class: "actions" }, this.#ask, this.#giveBack),
    );
  }

  update(view: View, t: T): void {
    const texts = said[this.grant];
    const state = view.grants[this.grant];
    this.element.hidden = state === undefined;
    const asked = state === GrantState.ASKED;
    const allowed = state === GrantState.ALLOWED;
    setText(this.#title, t(texts.title));
    setText(this.#lead, t(texts.lead));
    setText(this.#state, this.#says(view, t));
    setLabel(this.#ask, t(asked ? "toolbar.asked" : texts.ask));
    this.#ask.hidden = allowed || state === GrantState.RULED_OUT;
    this.#ask.disabled = asked || !view.pathUp || view.view !== GrantState.ALLOWED;
    setLabel(this.#giveBack, t(texts.giveBack));
    this.#giveBack.hidden = !allowed;
  }

  #says({ grants, returnUntil }: View, t: T): string {
    const texts = said[this.grant];
    switch (grants[this.grant]) {
      case GrantState.ALLOWED:
        return t(texts.allowed, { time: returnUntil === null ? "" : time(returnUntil, t) });
      case GrantState.ASKED:
        return t(texts.asked);
      case GrantState.DENIED:
        return t(texts.denied);
      case GrantState.REVOKED:
        return t(texts.over);
      case GrantState.RULED_OUT:
        return t("ruledOut");
      default:
        return "";
    }
  }
}

export class Computer {
  readonly element: HTMLElement;
  readonly title = h("h3", { id: "computer-title", tabindex: "-1" });
  #parts: readonly Part[];
  #close = button("close-computer", "plain");

  constructor(actions: ComputerActions) {
    this.#parts = [new Part("reconnect", actions), new Part("elevate", actions)];
    this.#close.addEventListener("click", () => actions.close());
    this.element = h(
      "section",
      {
        id: "computer-sheet",
        class: "sheet",
        part: "details",
        "aria-labelledby": "computer-title",
        hidden: true,
      },
      this.title,
      ...this.#parts.map(({ element }) => element),
      h("div", { class: "actions" }, this.#close),
    );
  }

  /** Whether there is anything to ask for. */
  useful({ grants, kind }: View): boolean {
    return kind !== ParticipantKind.OBSERVER && this.#parts.some(({ grant }) => grant in grants);
  }

  update(view: View, t: T): void {
    setText(this.title, t("computer.title"));
    for (const part of this.#parts) part.update(view, t);
    setLabel(this.#close, t("details.close"));
  }
}

// The dialog with an invite code: large, with how to pass it on.

import { ParticipantKind } from "../gen/signaling_pb";
import type { View } from "../state";
import { button, h, setLabel, setText } from "./dom";
import { reasonTexts, time, type T, type TextKey } from "./texts";

export interface InviteActions {
  /** Put away: a code that is still good becomes worthless. */
  close(): void;
}

const steps = ["invite.step1", "invite.step2", "invite.step3"] as const satisfies TextKey[];

export class InviteDialog {
  /** Nobody looks at the session: a modal dialog would block the page, unseen. */
  background = false;
  readonly element = h("dialog", { id: "invite", "aria-labelledby": "invite-title" });
  #title = h("h3", { id: "invite-title", tabindex: "-1" });
  #lead = h("p", { class: "lead", role: "status" });
  #code = h("p", { id: "invite-code", class: "big-code" });
  #steps = h("ol", { class: "how" });
  #until = h("p", { class: "hint" });
  #hide = button("hide-invite", "primary");
  #cancel = button("cancel-invite", "danger");
  #close = button("close-invite", "primary");
  #hidden = false; // put aside while the code is good
  #last: View["invite"] = null;
  #actions: InviteActions;

  constructor(actions: InviteActions) {
    this.#actions = actions;
    this.element.append(
      this.#title,
      this.#lead,
      this.#code,
      this.#steps,
      this.#until,
      h("div", { class: "actions" }, this.#hide, this.#close, this.#cancel),
    );
    this.#hide.addEventListener("click", () => this.#putAside());
    this.#cancel.addEventListener("click", () => actions.close());
    this.#close.addEventListener("click", () => actions.close());
    this.element.addEventListener("cancel", (event) => {
      event.preventDefault();
      const state = this.#last?.state; // Escape must not make worthless what a colleague is being told
      if (state === "asked" || state === "open") this.#putAside();
      else actions.close();
    });
  }

  update(view: View, t: T): void {
    const { invite } = view;
    this.#last = invite;
    if (invite === null || view.state !== "live") {
      this.#hidden = false;
      this.element.close();
      return;
    }
    const { state, kind } = invite;
    const over = state === "used" || state === "ended";
    if (state === "used" && this.#hidden) {
      queueMicrotask(() => this.#actions.close()); // nobody waits to read it: the list says who came
      return;
    }
    if (over) this.#hidden = false;
    setText(
      this.#title,
      t(kind === ParticipantKind.OBSERVER ? "invite.titleObserver" : "invite.titleExpert"),
    );
    const why = reasonTexts(invite.reason, t);
    setText(
      this.#lead,
      state === "asked"
        ? t("invite.asked")
        : state === "open"
          ? t(kind === ParticipantKind.OBSERVER ? "invite.leadObserver" : "invite.leadExpert")
          : state === "used"
            ? t("invite.used")
            : t("invite.ended", { why: why.what }),
    );
    this.#code.hidden = this.#steps.hidden = this.#until.hidden = state !== "open";
    setText(this.#code, invite.code);
    if (this.#steps.children.length === 0 || this.#steps.dataset["lang"] !== t.lang) {
      this.#steps.dataset["lang"] = t.lang;
      this.#steps.replaceChildren(...steps.map((key) => h("li", {}, t(key))));
    }
    setText(this.#until, state === "open" ? t("invite.until", { time: time(invite.until, t) }) : "");
    this.#hide.hidden = state !== "open";
    this.#cancel.hidden = over;
    this.#close.hidden = !over;
    setLabel(this.#hide, t("invite.hide"));
    setLabel(this.#cancel, t("invite.cancel"));
    setLabel(this.#close, t("details.close"));
    if (this.background) this.element.close();
    else if (!this.#hidden) this.show();
  }

  /** Shows the code that is out again. */
  show(): void {
    this.#hidden = false;
    if (this.#last === null || this.element.open || !this.element.isConnected) return;
    this.element.showModal();
    this.#title.focus();
  }

  #putAside(): void {
    this.#hidden = true;
    this.element.close();
  }
}

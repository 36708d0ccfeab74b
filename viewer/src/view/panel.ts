// The card in the middle, for everything before and after the picture: the code,
// what is being waited for, and the end.

import { GrantState } from "../gen/session_pb";
import { ParticipantKind, Reason } from "../gen/signaling_pb";
import type { View } from "../state";
import { Banner, noticesOf } from "./banner";
import { button, h, icon, setLabel, setText } from "./dom";
import { Facts } from "./facts";
import { caretAfter, grouped } from "./grouping";
import { endTexts, type T, type TextKey } from "./texts";

export interface PanelActions {
  submit(typed: string): void;
  cancel(): void;
  end(): void;
  askView(): void;
  again(): void;
}

/** Ends that no honest party causes. */
const faults = new Set<Reason>([
  Reason.CERTIFICATE_MISMATCH,
  Reason.PROTOCOL,
  Reason.TOO_LARGE,
  Reason.UNKNOWN_MESSAGE,
  Reason.TAMPERED,
  Reason.OLD_EPOCH,
]);

export class Panel {
  readonly element: HTMLElement;
  readonly code = h("input", {
    id: "code",
    part: "code",
    type: "text",
    inputmode: "numeric",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    enterkeyhint: "go",
    maxlength: "64",
    "aria-describedby": "code-hint code-error",
  });
  /** The code is a colleague's, who invites. */
  joining = false;
  readonly again = button("new-code", "primary");
  #title = h("h2", { id: "panel-title", tabindex: "-1" });
  #lead = h("p", { class: "lead" });
  #steps = h("ol", { class: "steps" });
  #stepTexts: { item: HTMLElement; name: HTMLElement; state: HTMLElement; key: TextKey }[] = [];
  #form: HTMLFormElement;
  #label = h("label", { for: "code" });
  #hint = h("p", { id: "code-hint", class: "hint" });
  #connect = button("connect", "primary");
  #private = h("span");
  #fault: HTMLElement;
  #faultWhat = h("strong");
  #faultNext = h("span");
  #waitHint = h("p", { class: "hint" });
  #what = h("p", { id: "reason", class: "what" });
  #next = h("p", { id: "next", class: "lead" });
  #notices = new Banner("waiting-banner");
  #cancel = button("cancel", "plain");
  #askView = button("ask-view", "primary", "eye");
  #end = button("end-waiting", "danger", "stop");
  #facts = new Facts(false);
  #actions: HTMLElement;

  constructor(actions: PanelActions) {
    this.#connect.type = "submit";
    this.#fault = h(
      "div",
      { id: "code-error", class: "fault", hidden: true },
      icon("warning"),
      h("p", {}, this.#faultWhat, this.#faultNext),
    );
    this.#form = h(
      "form",
      { id: "code-form", novalidate: true, autocomplete: "off" },
      this.#label,
      this.code,
      this.#hint,
      this.#fault,
      h("div", { class: "actions" }, this.#connect),
      h("p", { class: "private" }, icon("lock"), this.#private),
    );
    for (const key of ["step.code", "step.person", "step.picture"] as const) {
      const name = h("span");
      const state = h("span", { class: "unseen" });
      const item = h("li", {}, icon("check"), name, state);
      this.#stepTexts.push({ item, name, state, key });
      this.#steps.append(item);
    }
    this.#actions = h("div", { class: "actions" }, this.#askView, this.again, this.#cancel, this.#end);
    const card = h(
      "section",
      { class: "card", part: "card", "aria-labelledby": "panel-title" },
      this.#steps,
      this.#title,
      this.#lead,
      this.#form,
      this.#what,
      this.#next,
      this.#waitHint,
      this.#notices.element,
      this.#actions,
      this.#facts.element,
    );
    this.element = h("div", { id: "panel" }, card);

    this.code.addEventListener("input", () => this.#group());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      actions.submit(this.code.value);
    });
    this.#cancel.addEventListener("click", () => actions.cancel());
    this.#end.addEventListener("click", () => actions.end());
    this.#askView.addEventListener("click", () => actions.askView());
    this.again.addEventListener("click", () => actions.again());
  }

  update(view: View, t: T): void {
    const { state } = view;
    this.element.hidden = state === "live";
    const waiting = state === "pairing" || state === "asking" || state === "connecting";
    const withdrawn =
      state === "asking" &&
      [GrantState.REVOKED, GrantState.DENIED, GrantState.GIVEN_BACK].includes(view.view);
    this.#updateSteps(view, t, waiting && !withdrawn);
    const joins = this.joining && state === "code";
    setText(this.#title, t(joins ? "join.title" : titleOf(view, withdrawn)));
    const lead = joins ? "join.lead" : leadOf(view, withdrawn);
    this.#lead.hidden = lead === undefined;
    setText(this.#lead, lead ? t(lead) : "");
    this.#updateForm(view, t);

    const ended = state === "ended";
    const why = endTexts(view, t);
    this.#what.hidden = this.#next.hidden = !ended;
    setText(this.#what, ended ? why.what : "");
    setText(this.#next, ended ? why.next : "");
    this.#waitHint.hidden = state !== "asking" || withdrawn;
    setText(this.#waitHint, t("asking.hint"));
    this.#notices.update(view.session !== null && state !== "live" && !ended ? noticesOf(view, t) : [], t);

    this.#actions.hidden = state === "code";
    this.again.hidden = !ended;
    this.#cancel.hidden = state !== "pairing";
    this.#end.hidden = state !== "asking" && state !== "connecting";
    this.#askView.hidden = !withdrawn;
    setLabel(this.again, t("ended.again"));
    setLabel(this.#cancel, t("pairing.cancel"));
    setLabel(this.#end, t(view.kind === ParticipantKind.LEAD ? "toolbar.end" : "toolbar.leave"));
    setLabel(this.#askView, t("withdrawn.ask"));
    this.#facts.element.hidden = view.session === null;
    this.#facts.update(view, t);
  }

  /** A code waits to be sent: it cannot be edited now. */
  set busy(on: boolean) {
    this.#form.setAttribute("aria-busy", String(on));
    this.#connect.setAttribute("aria-disabled", String(on));
    this.code.readOnly = on;
  }

  /** Where the focus belongs in the present state. */
  focus(state: View["state"]): void {
    if (state === "code") {
      this.code.focus();
      if (this.code.getAttribute("aria-invalid") === "true") this.code.select();
    } else if (state === "ended") this.again.focus();
    else this.#title.focus();
  }

  #updateSteps(view: View, t: T, shown: boolean): void {
    this.#steps.hidden = !shown;
    const now =
      { pairing: 0, asking: 1, connecting: 2 }[view.state as "pairing" | "asking" | "connecting"] ?? 0;
    this.#stepTexts.forEach(({ item, name, state, key }, i) => {
      const step = i < now ? "done" : i === now ? "now" : "next";
      item.dataset["step"] = step;
      if (step === "now") item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      setText(name, t(key));
      setText(state, `: ${t(`step.${step}`)}`);
    });
  }

  #updateForm(view: View, t: T): void {
    this.#form.hidden = view.state !== "code";
    setText(this.#label, t("code.label"));
    setText(this.#hint, t("code.hint"));
    setText(this.#private, t(this.joining ? "join.private" : "code.private"));
    setLabel(this.#connect, t("code.submit"));
    const failed =
      view.state === "code" &&
      view.reason !== null &&
      !(view.ours && view.reason === Reason.TECHNICIAN_ENDED);
    this.#fault.hidden = !failed;
    this.code.setAttribute("aria-invalid", String(failed));
    if (!failed || view.reason === null) return;
    const why = endTexts(view, t);
    setText(this.#faultWhat, why.what);
    setText(this.#faultNext, why.next);
  }

  #group(): void {
    const typed = this.code.value;
    const after = grouped(typed);
    if (after === typed) return;
    const caret = caretAfter(typed, this.code.selectionStart ?? typed.length, after);
    this.code.value = after;
    this.code.setSelectionRange(caret, caret);
  }
}

export function titleOf({ state, reason, ours }: View, withdrawn: boolean): TextKey {
  if (withdrawn) return "withdrawn.title";
  if (state === "live") return "connecting.title"; // unseen
  if (state === "ended") {
    if (ours && reason === Reason.LEFT) return "ended.titleLeft";
    return faults.has(reason ?? Reason.UNSPECIFIED) ? "ended.titleFault" : "ended.title";
  }
  return `${state}.title`;
}

function leadOf({ state }: View, withdrawn: boolean): TextKey | undefined {
  if (withdrawn) return "withdrawn.lead";
  if (state === "live" || state === "ended") return undefined;
  return `${state}.lead`;
}

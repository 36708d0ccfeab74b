// Coach mode: steps that the technician writes and the person follows with their
// own hands. The person approves each before it is written down anywhere.

import type { Steps as List } from "../gen/marks_pb";
import { StepState } from "../gen/marks_pb";
import { ParticipantKind } from "../gen/signaling_pb";
import type { View } from "../state";
import type { Outlet, Tool, ToolView } from "../tool";
import type { Workshop } from "../toolbox";
import { button, h, setLabel, setText } from "../view/dom";
import type { T, TextKey } from "../view/texts";
import { cleanText } from "../talk/talk";
import { clean, encode } from "../wire/codec";
import { maxTool } from "../wire/limits";
import { MarkMessageSchema } from "../gen/marks_pb";

/** Characters of a step, and steps of a list. */
export const stepLimit = 500;
export const listLimit = 50;

const states: Record<StepState, TextKey> = {
  [StepState.UNSPECIFIED]: "steps.asked",
  [StepState.ASKED]: "steps.asked",
  [StepState.APPROVED]: "steps.approved",
  [StepState.REFUSED]: "steps.refused",
  [StepState.DONE]: "steps.done",
};

/** What was typed or pasted, a step a line; the numbers and bullets of another list are left out. */
export function stepsOf(typed: string): string[] {
  return typed
    .split(/[\r\n\u2028\u2029]+/u)
    .map((line) => line.replace(/^\s*(?:\d{1,3}[.)]|[-*•–])\s+/u, "").trim())
    .filter((line) => clean(line) !== "")
    .map((line) => Array.from(line).slice(0, stepLimit).join(""))
    .slice(0, listLimit);
}

/** Batches that fit into a message each. */
export function batches(texts: readonly string[], bytes: number): string[][] {
  const all: string[][] = [];
  let room = 0;
  for (const text of texts) {
    const cost = new TextEncoder().encode(text).length + 8;
    if (cost > room) {
      all.push([]);
      room = bytes;
    }
    all.at(-1)?.push(text);
    room -= cost;
  }
  return all;
}

export class Steps implements Tool, ToolView {
  readonly channel = "marks";
  readonly kind = "pane";
  readonly button = button("show-steps", "quiet", "list");
  readonly title = h("h3", { id: "steps-title", tabindex: "-1" });
  readonly element: HTMLElement;
  #workshop: Workshop;
  #outlet: Outlet | undefined;
  #list: List | undefined;
  #drawn: { list: List | undefined; lang: string } | undefined;
  #lead = h("p", { class: "hint" });
  #rows = h("ol", { class: "taught" });
  #kept = h("p", { class: "hint", role: "status" });
  #label = h("label", { for: "new-steps" });
  #text = h("textarea", { id: "new-steps", rows: "4" });
  #picture = h("input", { id: "step-picture", type: "checkbox" });
  #pictureLabel = h("label", { for: "step-picture" });
  #add = button("add-steps", "primary", "plus");
  #close = button("close-steps", "plain");

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
    this.element = h(
      "section",
      { id: "steps-pane", class: "pane", "aria-labelledby": "steps-title", hidden: true },
      this.title,
      this.#lead,
      this.#rows,
      this.#kept,
      this.#label,
      this.#text,
      h("div", { class: "check" }, this.#picture, this.#pictureLabel),
      h("div", { class: "actions" }, this.#add, this.#close),
    );
    this.#add.addEventListener("click", () => this.#offer());
    this.#text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.#offer();
    });
    this.#close.addEventListener("click", () => workshop.open(this, false));
  }

  // What comes on the channel is read by marks.ts, which has it too.
  heard(): void {}

  /** The list as it stands. */
  listed(list: List): void {
    this.#list = list;
    this.#workshop.changed();
  }

  connected(outlet: Outlet): void {
    this.#outlet = outlet;
  }

  disconnected(): void {
    this.#outlet = undefined;
  }

  anew(): void {
    this.#list = undefined;
  }

  granted(): void {}

  over(): void {
    this.#outlet = undefined;
    this.#list = undefined;
    this.#text.value = "";
  }

  update(view: View, t: T): void {
    const steps = this.#list?.steps ?? [];
    this.button.hidden = view.kind === ParticipantKind.OBSERVER || !("annotate" in view.grants || this.#list);
    const done = steps.filter(({ state }) => state === StepState.DONE).length;
    setLabel(
      this.button,
      steps.length === 0 ? t("steps.title") : t("steps.count", { done, all: steps.length }),
    );
    setText(this.title, t("steps.title"));
    setText(this.#lead, t("steps.lead"));
    setText(this.#kept, this.#list?.kept ? t("steps.kept") : "");
    setText(this.#label, t("steps.new"));
    setText(this.#pictureLabel, t("steps.picture"));
    setLabel(this.#add, t("steps.add"));
    this.#add.disabled = !view.pathUp || this.#outlet === undefined;
    setLabel(this.#close, t("details.close"));
    if (this.#drawn?.list === this.#list && this.#drawn?.lang === t.lang) return;
    this.#drawn = { list: this.#list, lang: t.lang };
    // The rows are made anew: the keyboard stays with the step that it was on.
    const focused =
      this.#rows.getRootNode() instanceof ShadowRoot
        ? (this.#rows.getRootNode() as ShadowRoot).activeElement
        : null;
    const was = focused && this.#rows.contains(focused) ? focused.id : "";
    this.#rows.replaceChildren(...steps.map((step, i) => this.#row(step, i, t)));
    if (was === "") return;
    const same = this.#rows.querySelector<HTMLButtonElement>(`#${was}`);
    // A step that was moved to an end has nowhere further to go.
    const beside = same?.parentElement?.querySelector<HTMLElement>("button:not(:disabled)");
    ((same?.disabled ? beside : same) ?? this.title).focus();
  }

  #row(step: List["steps"][number], i: number, t: T): HTMLElement {
    const { id, state } = step;
    const steps = this.#list?.steps ?? [];
    const text = cleanText(step.text, stepLimit) || t("steps.title");
    const small = (name: string, label: string, sign: string, use: () => void, off: boolean) => {
      const b = h(
        "button",
        {
          id: `${name}-step-${id}`,
          type: "button",
          class: "button quiet small",
          title: label,
          "aria-label": `${label}: ${text}`,
        },
        sign,
      );
      b.disabled = off;
      b.addEventListener("click", use);
      return b;
    };
    const before = steps[i - 1];
    return h(
      "li",
      { "data-state": StepState[state]?.toLowerCase() ?? "" },
      h("span", { class: "text" }, text),
      h(
        "span",
        { class: "state-of" },
        t(states[state] ?? "steps.asked"),
        step.picture ? ` · ${t("steps.withPicture")}` : "",
      ),
      h(
        "span",
        { class: "order" },
        small("up", t("steps.up"), "↑", () => before && this.#move(id, before.id), before === undefined),
        small(
          "down",
          t("steps.down"),
          "↓",
          () => this.#move(id, steps[i + 2]?.id ?? 0),
          i === steps.length - 1,
        ),
        small(
          "drop",
          t("steps.drop"),
          "×",
          () => this.#send({ case: "dropStep", value: { id } }),
          state === StepState.APPROVED || state === StepState.DONE,
        ),
      ),
    );
  }

  #offer(): void {
    const texts = stepsOf(this.#text.value);
    if (texts.length === 0) {
      this.#text.focus();
      return;
    }
    let picture = this.#picture.checked;
    for (const some of batches(texts, 14 * 1024)) {
      if (!this.#send({ case: "addSteps", value: { texts: some, picture } })) return;
      picture = false;
    }
    this.#text.value = "";
    this.#picture.checked = false;
    this.#text.focus();
  }

  #move(id: number, before: number): void {
    this.#send({ case: "moveStep", value: { id, before } });
  }

  #send(body: NonNullable<Parameters<typeof encode<typeof MarkMessageSchema>>[1]["body"]>): boolean {
    return this.#outlet?.send(encode(MarkMessageSchema, { body }, maxTool)) ?? false;
  }
}

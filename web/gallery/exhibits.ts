// All that stands in the gallery. A component of src/lib that is in none of these fails a test.
import { mount } from "svelte";
import type { Answers } from "./still";
import Bars from "./Bars.svelte";
import Buttons from "./Buttons.svelte";
import Charts from "./Charts.svelte";
import Clocks from "./Clocks.svelte";
import Confirm from "./Confirm.svelte";
import Controls from "./Controls.svelte";
import Empties from "./Empties.svelte";
import Events from "./Events.svelte";
import Fields from "./Fields.svelte";
import Forms from "./Forms.svelte";
import Language from "./Language.svelte";
import Pagers from "./Pagers.svelte";
import Pickers from "./Pickers.svelte";
import Problems from "./Problems.svelte";
import Proof from "./Proof.svelte";
import Rows from "./Rows.svelte";
import Sessions from "./Sessions.svelte";
import Toasts from "./Toasts.svelte";

export interface Exhibit {
  show: (target: Element) => unknown;
  answers?: Answers;
  /** What is done to it before it is looked at, one after the other. */
  acts?: readonly (() => void)[];
  /** Selector of the part that is looked at. */
  shot?: string;
}

const click = (selector: string) => (): void => document.querySelector<HTMLElement>(selector)?.click();

function typing(selector: string, text: string) {
  return (): void => {
    const field = document.querySelector<HTMLInputElement>(selector);
    if (field === null) return;
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
}

const dialog = "dialog";
const need = "/api/v1/stepup";

export const exhibits: Readonly<Record<string, Exhibit>> = {
  language: { show: (target) => mount(Language, { target }) },
  controls: { show: (target) => mount(Controls, { target }) },
  buttons: { show: (target) => mount(Buttons, { target }) },
  fields: { show: (target) => mount(Fields, { target }) },
  clocks: { show: (target) => mount(Clocks, { target }) },
  problems: { show: (target) => mount(Problems, { target }) },
  empties: { show: (target) => mount(Empties, { target }) },
  rows: { show: (target) => mount(Rows, { target }) },
  pagers: { show: (target) => mount(Pagers, { target }) },
  sessions: { show: (target) => mount(Sessions, { target }) },
  charts: { show: (target) => mount(Charts, { target }), acts: [click("#table button")] },
  events: { show: (target) => mount(Events, { target }) },
  bars: { show: (target) => mount(Bars, { target }) },
  toasts: { show: (target) => mount(Toasts, { target }) },
  confirm: { show: (target) => mount(Confirm, { target }), shot: dialog },
  picker: {
    show: (target) => mount(Pickers, { target }),
    shot: dialog,
    acts: [typing("#picker-field", "im")],
  },
  "picker-none": { show: (target) => mount(Pickers, { target, props: { of: "none" } }), shot: dialog },
  "picker-busy": { show: (target) => mount(Pickers, { target, props: { of: "busy" } }), shot: dialog },
  "proof-asked": { show: (target) => mount(Proof, { target }), shot: dialog },
  "proof-password": {
    show: (target) => mount(Proof, { target }),
    answers: { [need]: { control: false, by: ["password"], provider: null } },
    acts: [click("#stepup-submit")],
    shot: dialog,
  },
  "proof-code": {
    show: (target) => mount(Proof, { target }),
    answers: { [need]: { control: false, by: ["code", "passkey"], provider: null } },
    shot: dialog,
  },
  "proof-elsewhere": {
    show: (target) => mount(Proof, { target }),
    answers: { [need]: { control: false, by: [], provider: { name: "id", label: "Hôpital Sainte-Anne" } } },
    shot: dialog,
  },
  "form-new": {
    show: (target) => mount(Forms, { target, props: { of: "ticket" } }),
    acts: [click("#create-ticket")],
    shot: dialog,
  },
  "form-edit": { show: (target) => mount(Forms, { target, props: { of: "text" } }), shot: dialog },
};

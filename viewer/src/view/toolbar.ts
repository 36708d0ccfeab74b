// The slim bar above the picture, with what opens from it.

import { GrantState } from "../gen/session_pb";
import { ParticipantKind } from "../gen/signaling_pb";
import type { Combo } from "../input/combos";
import { heir, otherHands } from "../participants";
import { handsOf, type View } from "../state";
import type { ToolView } from "../tool";
import { Banner, noticesOf } from "./banner";
import { Causes } from "./causes";
import { Computer } from "./computer";
import { button, h, icon, setLabel, setText } from "./dom";
import { Facts } from "./facts";
import { Keys } from "./keys";
import { firstLook, type Look } from "./lens";
import { Looking, lookText } from "./looking";
import { People } from "./people";
import type { T } from "./texts";

export interface ToolbarActions {
  askControl(): void;
  giveBack(): void;
  handOver(participant: string): void;
  invite(kind: ParticipantKind): void;
  showInvite(): void;
  /** Asks the person for a grant, and gives one back. */
  ask(grant: string): void;
  giveUp(grant: string): void;
  /** Presses keys that the technician's own keyboard cannot send. */
  press(combo: Combo): void;
  fullscreen(): void;
  look(look: Look): void;
  zoom(way: 1 | -1): void;
  watch(display: number | null): void;
  /** The details are open, or no more: only then what they say is measured. */
  measure(on: boolean): void;
  /** Ends the session for everybody; for who does not lead it: leaves. */
  end(): void;
  leave(): void;
}

/** What opens from the bar: sheets one at a time, because they lie in the same place, and panes one at a time. */
type Opened = Pick<ToolView, "kind" | "element" | "title" | "button">;

export class Toolbar {
  readonly element: HTMLElement;
  readonly banner = new Banner("banner");
  readonly details: HTMLElement;
  readonly people: People;
  readonly keys: Keys;
  readonly looking: Looking;
  readonly computer: Computer;
  #state = h("span", { class: "state", part: "state" });
  #stateText = h("span");
  #path = h("span", { class: "path" });
  #ask = button("ask-control", "primary", "pointer");
  #giveBack = button("give-back", "plain", "pointer");
  #lookButton = button("show-look", "quiet", "screen");
  #peopleButton = button("show-people", "quiet", "people");
  #keysButton = button("show-keys", "quiet", "keyboard");
  #computerButton = button("show-computer", "quiet", "restart");
  #fullscreen = button("fullscreen", "quiet", "expand");
  #detailsButton = button("show-details", "quiet", "info");
  #end = button("end", "danger", "stop");
  #question = h("span", { class: "question", hidden: true });
  #questionText = h("span", { id: "end-question" });
  #endNow = button("confirm-end", "danger");
  #leave = button("leave", "plain", "leave");
  #endNot = button("cancel-end", "plain");
  #facts = new Facts(true);
  #causes = new Causes();
  #detailsTitle = h("h3", { id: "details-title", tabindex: "-1" });
  #close = button("close-details", "plain");
  #inFullscreen = false;
  #actions: ToolbarActions;
  #tools: readonly ToolView[];
  #all: readonly Opened[];
  #look: { look: Look; scale: number } = { look: firstLook, scale: 1 };
  #last: { view: View; t: T } | undefined;

  constructor(actions: ToolbarActions, tools: readonly ToolView[]) {
    this.#actions = actions;
    this.#tools = tools;
    this.#state.append(icon("eye"), this.#stateText);
    this.#endNow.classList.add("filled");
    this.#question.append(this.#questionText, this.#endNow, this.#leave, this.#endNot);
    for (const compact of [
      this.#lookButton,
      this.#keysButton,
      ...tools.map(({ button }) => button),
      this.#computerButton,
      this.#peopleButton,
      this.#fullscreen,
      this.#detailsButton,
      this.#end,
    ])
      compact.classList.add("compact");
    this.people = new People({
      handOver: (participant) => actions.handOver(participant),
      invite: (kind) => actions.invite(kind),
      showInvite: () => actions.showInvite(),
      close: () => this.#open(this.people.element, false),
    });
    this.keys = new Keys({
      press: (combo) => {
        this.#open(this.keys.element, false);
        actions.press(combo);
      },
      close: () => this.#open(this.keys.element, false),
    });
    this.looking = new Looking({
      look: (look) => actions.look(look),
      zoom: (way) => actions.zoom(way),
      watch: (display) => actions.watch(display),
      close: () => this.#open(this.looking.element, false),
    });
    this.computer = new Computer({
      ask: (grant) => actions.ask(grant),
      giveBack: (grant) => actions.giveUp(grant),
      close: () => this.#open(this.computer.element, false),
    });
    this.element = h(
      "div",
      { id: "toolbar", part: "toolbar", role: "toolbar" },
      this.#state,
      this.#path,
      h("span", { class: "grow" }),
      this.#ask,
      this.#giveBack,
      this.#lookButton,
      this.#keysButton,
      ...tools.map(({ button }) => button),
      this.#computerButton,
      this.#peopleButton,
      this.#fullscreen,
      this.#detailsButton,
      this.#end,
      this.#question,
    );
    this.details = h(
      "section",
      { id: "details", class: "sheet", part: "details", "aria-labelledby": "details-title", hidden: true },
      this.#detailsTitle,
      this.#causes.element,
      this.#facts.element,
      h("div", { class: "actions" }, this.#close),
    );
    this.#ask.addEventListener("click", () => actions.askControl());
    this.#giveBack.addEventListener("click", () => actions.giveBack());
    this.#fullscreen.addEventListener("click", () => actions.fullscreen());
    const sheet = (
      { element, title }: Pick<Opened, "element" | "title">,
      button: HTMLButtonElement,
    ): Opened => ({ kind: "sheet", element, title, button });
    this.#all = [
      sheet(this.looking, this.#lookButton),
      sheet(this.keys, this.#keysButton),
      ...tools,
      sheet(this.computer, this.#computerButton),
      sheet(this.people, this.#peopleButton),
      sheet({ element: this.details, title: this.#detailsTitle }, this.#detailsButton),
    ];
    for (const { element, button } of this.#all) {
      button.addEventListener("click", () => this.#open(element, element.hidden));
      element.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && !event.defaultPrevented) this.#open(element, false);
      });
    }
    this.#close.addEventListener("click", () => this.#open(this.details, false));
    this.#end.addEventListener("click", () => this.#ending(true));
    this.#endNot.addEventListener("click", () => this.#ending(false));
    this.#endNow.addEventListener("click", () => actions.end());
    this.#leave.addEventListener("click", () => actions.leave());
    this.#question.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ending(false);
    });
  }

  update(view: View, t: T): void {
    this.#last = { view, t };
    const live = view.state === "live";
    const held = (this.element.getRootNode() as Document | ShadowRoot).activeElement;
    this.element.setAttribute("aria-label", t("toolbar.label"));
    this.#updateHands(view, t);
    this.#path.dataset["path"] = view.pathUp ? "up" : "down";
    setText(this.#path, t(view.pathUp ? "path.up" : "path.down"));
    this.#peopleButton.hidden = view.members.length === 0; // a host of before there were several
    setLabel(
      this.#peopleButton,
      view.members.length > 1 ? t("toolbar.peopleCount", { n: view.members.length }) : t("toolbar.people"),
    );
    this.#keysButton.hidden = handsOf(view) !== "yes";
    setLabel(this.#keysButton, t("toolbar.keys"));
    if (this.#keysButton.hidden) this.keys.element.hidden = true;
    this.#computerButton.hidden = !this.computer.useful(view);
    setLabel(this.#computerButton, t("computer.title"));
    if (this.#computerButton.hidden) this.computer.element.hidden = true;
    setLabel(this.#fullscreen, t(this.#inFullscreen ? "toolbar.fullscreenEnd" : "toolbar.fullscreen"));
    setLabel(this.#detailsButton, t("toolbar.details"));
    const { look, scale } = this.#look;
    const looked = lookText(view, look, scale, t);
    setLabel(this.#lookButton, looked);
    this.#lookButton.title = t("look.title");
    this.#lookButton.setAttribute("aria-label", `${t("look.title")}: ${looked}`);
    this.#updateEnd(view, t);
    setText(this.#detailsTitle, t("details.title"));
    setLabel(this.#close, t("details.close"));
    this.#facts.update(view, t, looked);
    this.#causes.update(view, t);
    this.people.update(view, t);
    this.keys.update(t);
    this.computer.update(view, t);
    this.looking.update(view, look, scale, t);
    if (!live) {
      this.#shut("sheet");
      if (view.state !== "connecting" && view.state !== "asking") this.#shut("pane");
      this.#question.hidden = true;
    }
    for (const tool of this.#tools) tool.update(view, t);
    for (const { element, button } of this.#all)
      button.setAttribute("aria-expanded", String(!element.hidden));
    for (const compact of [
      ...this.#tools.map(({ button }) => button),
      this.#computerButton,
      this.#peopleButton,
      this.#fullscreen,
      this.#detailsButton,
      this.#end,
    ])
      compact.title = compact.getAttribute("aria-label") ?? compact.textContent;
    this.element.toggleAttribute("data-ending", !this.#question.hidden);
    this.banner.update(live ? noticesOf(view, t) : [], t);
    // What had the focus may be gone, with the control that was given back or taken.
    if (live && held !== null && held.closest("[hidden]") !== null) this.focus();
  }

  /** How the picture is looked at, and at what scale: told by the stage. */
  looks(look: Look, scale: number): void {
    this.#look = { look, scale };
  }

  set fullscreen(on: boolean) {
    this.#inFullscreen = on;
    this.#again();
  }

  /** The buttons of the bar that can be pressed now. */
  get offers(): HTMLButtonElement[] {
    return [...this.element.children].filter(
      (e): e is HTMLButtonElement =>
        e instanceof HTMLButtonElement && e.id !== "" && !e.hidden && !e.disabled,
    );
  }

  /** Where the keyboard goes when it leaves the picture. */
  focus(): void {
    const first = [this.#giveBack, this.#ask].find((b) => !b.hidden && !b.disabled);
    (first ?? this.#end).focus();
  }

  // A name is as long as it likes: the pill cuts it, and shows all of it when asked.
  #updateHands(view: View, t: T): void {
    const hands = handsOf(view);
    const other = hands === "yes" ? undefined : otherHands(view.members);
    this.#state.dataset["hands"] = hands;
    this.element.dataset["hands"] = hands;
    setText(
      this.#stateText,
      hands === "yes"
        ? t("live.control")
        : hands === "asked"
          ? t("live.asked")
          : other
            ? t("live.other", { name: other.name || t("people.someone") })
            : t("live.view"),
    );
    this.#state.title = this.#stateText.textContent;
    this.#ask.hidden = hands === "yes" || view.kind === ParticipantKind.OBSERVER;
    const never = view.control === GrantState.RULED_OUT;
    this.#ask.disabled = hands === "asked" || never || !view.pathUp;
    this.#ask.title = never ? t("ruledOut") : "";
    this.#giveBack.hidden = hands !== "yes";
    setLabel(this.#ask, t(hands === "asked" ? "toolbar.asked" : never ? "toolbar.noControl" : "toolbar.ask"));
    setLabel(this.#giveBack, t("toolbar.giveBack"));
  }

  #updateEnd(view: View, t: T): void {
    const lead = view.kind === ParticipantKind.LEAD;
    const others = view.members.some(({ you }) => !you);
    const next = lead ? heir(view.members) : undefined;
    setLabel(this.#end, t(lead ? "toolbar.end" : "toolbar.leave"));
    this.#leave.hidden = next === undefined;
    if (next) setLabel(this.#leave, t("toolbar.leaveTo", { name: next.name || t("people.someone") }));
    setLabel(this.#endNow, t(!lead ? "toolbar.leaveNow" : others ? "toolbar.endAll" : "toolbar.endNow"));
    setLabel(this.#endNot, t("toolbar.endNot"));
    setText(
      this.#questionText,
      t(!lead ? "toolbar.leaveQuestion" : others ? "toolbar.endAllQuestion" : "toolbar.endQuestion"),
    );
  }

  #again(): void {
    if (this.#last) this.update(this.#last.view, this.#last.t);
  }

  #ending(open: boolean): void {
    this.#question.hidden = !open;
    this.element.toggleAttribute("data-ending", open);
    (open ? this.#endNot : this.#end).focus();
  }

  /** Opens or closes what opens from the bar. */
  open(view: ToolView, open: boolean, unasked = false): void {
    if (view.element.hidden !== open) return;
    if (unasked && this.#all.some(({ kind, element }) => kind === view.kind && !element.hidden)) return;
    this.#open(view.element, open, unasked);
  }

  #open(element: HTMLElement, open: boolean, unasked = false): void {
    const opened = this.#all.find((one) => one.element === element);
    if (opened === undefined) return;
    this.#shut(opened.kind);
    element.hidden = !open;
    if (element === this.details && open) this.#actions.measure(true);
    this.#again();
    if (!unasked) (open ? opened.title : opened.button).focus();
  }

  #shut(kind: Opened["kind"]): void {
    const measured = kind === "sheet" && !this.details.hidden;
    for (const one of this.#all) if (one.kind === kind) one.element.hidden = true;
    if (measured) this.#actions.measure(false);
  }
}

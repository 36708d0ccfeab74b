// Who is in the session, who has control, and the way to bring a colleague. What the page adds to it stands in the
// slot "people".

import { GrantState } from "../gen/session_pb";
import { ParticipantKind } from "../gen/signaling_pb";
import type { Member } from "../participants";
import { mostMembers, type View } from "../state";
import { button, h, setLabel, setText } from "./dom";
import { time, type T, type TextKey } from "./texts";

export interface PeopleActions {
  handOver(participant: string): void;
  invite(kind: ParticipantKind): void;
  /** The invite that is out is to be seen again. */
  showInvite(): void;
  close(): void;
}

export class People {
  readonly element: HTMLElement;
  readonly title = h("h3", { id: "people-title", tabindex: "-1" });
  #actions: PeopleActions;
  #list = h("ul", { class: "people" });
  #inviting = h("div", { class: "inviting" });
  #hint = h("p", { class: "hint" });
  #expert = button("invite-expert", "plain", "plus");
  #observer = button("invite-observer", "plain", "eye");
  #open = h("p", { class: "hint" });
  #show = button("show-invite", "primary");
  #close = button("close-people", "plain");
  #shown = "";

  constructor(actions: PeopleActions) {
    this.#actions = actions;
    this.#inviting.append(
      this.#hint,
      h("div", { class: "actions" }, this.#expert, this.#observer),
      this.#open,
      h("div", { class: "actions" }, this.#show),
    );
    this.element = h(
      "section",
      { id: "people", class: "sheet", part: "details", "aria-labelledby": "people-title", hidden: true },
      this.title,
      this.#list,
      this.#inviting,
      h("div", { class: "actions" }, h("slot", { name: "people" }), this.#close),
    );
    this.#expert.addEventListener("click", () => actions.invite(ParticipantKind.EXPERT));
    this.#observer.addEventListener("click", () => actions.invite(ParticipantKind.OBSERVER));
    this.#show.addEventListener("click", () => actions.showInvite());
    this.#close.addEventListener("click", () => actions.close());
  }

  update(view: View, t: T): void {
    setText(this.title, t("people.title"));
    setLabel(this.#expert, t("people.inviteExpert"));
    setLabel(this.#observer, t("people.inviteObserver"));
    setLabel(this.#show, t("people.showInvite"));
    setLabel(this.#close, t("details.close"));
    const out = view.invite?.state === "open" || view.invite?.state === "asked";
    const full = view.members.length >= mostMembers;
    this.#inviting.hidden = view.kind === ParticipantKind.OBSERVER;
    setText(this.#hint, t(full ? "people.full" : "people.inviteHint"));
    this.#expert.hidden = this.#observer.hidden = out;
    this.#expert.disabled = this.#observer.disabled = full || !view.pathUp;
    this.#open.hidden = this.#show.hidden = !out;
    setText(
      this.#open,
      view.invite?.state === "open" ? t("people.inviteOpen", { time: time(view.invite.until, t) }) : "",
    );
    this.#members(view, t);
  }

  // Made anew only when it says something else: a button that has the focus must stay.
  #members({ members, control, pathUp }: View, t: T): void {
    const mine = control === GrantState.ALLOWED;
    const now = JSON.stringify([t.lang, members, mine, pathUp]);
    if (now === this.#shown) return;
    this.#shown = now;
    this.#list.replaceChildren(...members.map((member) => this.#item(member, mine, pathUp, t)));
  }

  #item(member: Member, mine: boolean, pathUp: boolean, t: T): HTMLElement {
    const { id, name, kind, you, connected } = member;
    const shownName = name || t("people.someone");
    const item = h(
      "li",
      { "data-participant": id, "data-connected": String(connected) },
      h(
        "div",
        { class: "who" },
        h("span", { class: "name" }, shownName),
        h("span", { class: "role" }, you ? t("people.you", { kind: t(kindKey(kind)) }) : t(kindKey(kind))),
      ),
      h(
        "p",
        { class: "does", "data-hands": String(member.control === GrantState.ALLOWED) },
        t(doesKey(member)),
      ),
    );
    if (mine && !you && kind !== ParticipantKind.OBSERVER) {
      const give = button(`hand-over-${id}`, "plain", "pointer");
      const asked = member.control === GrantState.ASKED;
      setLabel(give, t(asked ? "toolbar.asked" : "people.handOver"));
      give.setAttribute("aria-label", t(asked ? "toolbar.asked" : "people.handOverTo", { name: shownName }));
      give.disabled = asked || !connected || !pathUp;
      give.addEventListener("click", () => {
        give.disabled = true; // until the host says how it stands
        this.#actions.handOver(id);
      });
      item.append(give);
    }
    return item;
  }
}

function kindKey(kind: ParticipantKind): TextKey {
  if (kind === ParticipantKind.OBSERVER) return "kind.observer";
  return kind === ParticipantKind.EXPERT ? "kind.expert" : "kind.lead";
}

function doesKey({ connected, view, control }: Member): TextKey {
  if (!connected) return "people.away";
  if (view !== GrantState.ALLOWED)
    return view === GrantState.ASKED || view === GrantState.UNSPECIFIED ? "people.waits" : "people.blind";
  if (control === GrantState.ALLOWED) return "people.hands";
  return control === GrantState.ASKED ? "people.asks" : "people.sees";
}

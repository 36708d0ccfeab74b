// <remote-session ticket="ID" ticketless lang="en|fr" background>: takes the code,
// pairs, shows the picture and drives it. `ticket` is empty when a colleague's
// session is joined by an invite code, or, with `ticketless`, where there is none;
// `background` says that nobody looks at it now.
// It tells the page only how the session stands (event mf-state); the code
// never leaves its shadow root. What the page puts in with slot="people" stands
// in the sheet of the participants.

import { Entrance } from "./entrance";
import { GrantState } from "./gen/session_pb";
import { ParticipantKind, Reason } from "./gen/signaling_pb";
import type { Room } from "./room";
import { firstView, handsOf, mostMembers, type State, type View } from "./state";
import { noticesOf } from "./view/banner";
import { h, setText } from "./view/dom";
import { isCode } from "./view/grouping";
import { Panel, titleOf } from "./view/panel";
import { styles } from "./view/styles";
import { endTexts, langOf, textsFor, type T } from "./view/texts";
import { reasonName } from "./wire/codec";

/** What is told to the page of what we are in the session. */
const kinds = {
  [ParticipantKind.UNSPECIFIED]: "lead",
  [ParticipantKind.LEAD]: "lead",
  [ParticipantKind.EXPERT]: "expert",
  [ParticipantKind.OBSERVER]: "observer",
} as const;

export class RemoteSession extends HTMLElement {
  static readonly observedAttributes = ["lang", "background"];

  #t: T = textsFor("en");
  #view: View = firstView;
  #room: Room | undefined;
  #entrance = new Entrance(() => this.#fetch(), {
    busy: (on) => (this.#panel.busy = on),
    // Or it is a newer one than this page. The text says to load the page again, which is needed: Chromium keeps an
    // import that failed until then.
    failed: () => this.#refuse(Reason.SERVER_GONE),
  });
  #told = "";
  #root = h("div", { id: "root" });
  #status = h("p", { id: "status", class: "unseen", role: "status", "aria-live": "polite" });
  #panel = new Panel({
    submit: (typed) => void this.#submit(typed),
    cancel: () => this.end(),
    end: () => this.end(),
    askView: () => this.#room?.session?.ask("view"),
    again: () => this.#again(),
  });

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [styles()];
    this.#root.append(this.#status, this.#panel.element);
    shadow.append(this.#root);
    // A failure is told when the code is sent.
    this.#panel.code.addEventListener("input", () => void this.#entrance.fetch().catch(() => undefined));
  }

  get state(): State {
    return this.#view.state;
  }

  /** Ends the session, or the claim that is under way; who does not lead the session leaves it. */
  end(): void {
    this.#entrance.callOff();
    const session = this.#room?.session;
    if (this.#view.kind === ParticipantKind.LEAD) session?.end();
    else session?.leave();
  }

  /**
   * Claims again with the code that was typed, after the server had refused it for
   * want of a fresh proof (reason STEP_UP) and the page has seen to that.
   */
  retry(): void {
    if (this.#view.state === "code" && this.#view.reason === Reason.STEP_UP)
      void this.#submit(this.#panel.code.value);
  }

  /** Asks the person's app for an invite code to watch with, and shows it; false where there can be none now. */
  inviteObserver(): boolean {
    const { state, kind, invite, members, pathUp } = this.#view;
    const out = invite?.state === "asked" || invite?.state === "open";
    if (
      state !== "live" ||
      kind === ParticipantKind.OBSERVER ||
      out ||
      members.length >= mostMembers ||
      !pathUp
    )
      return false;
    this.#room?.session?.askInvite(ParticipantKind.OBSERVER);
    return true;
  }

  /** What the toolbar of a live session offers, as its buttons stand and say it. */
  offers(): { id: string; text: string }[] {
    return this.#view.state === "live" ? (this.#room?.offers() ?? []) : [];
  }

  /** Presses that button, as somebody would who is at it. */
  press(id: string): void {
    if (this.#view.state === "live") this.#room?.press(id);
  }

  override focus(options?: FocusOptions): void {
    if (this.#view.state === "live") this.#room?.focus();
    else if (this.isConnected) this.#panel.focus(this.#view.state);
    else super.focus(options);
  }

  connectedCallback(): void {
    this.#t = textsFor(langOf(this.getAttribute("lang")));
    this.#room?.connect();
    this.#show(this.#view);
  }

  disconnectedCallback(): void {
    this.#room?.disconnect();
    // Moved elsewhere in the page it lives on; taken out of it, its session ends.
    queueMicrotask(() => {
      if (!this.isConnected) this.end();
    });
  }

  attributeChangedCallback(name: string): void {
    if (name === "background") this.#room?.look();
    else this.#t = textsFor(langOf(this.getAttribute("lang")));
    if (this.isConnected) this.#show(this.#view);
  }

  /** The room, whose file is fetched; for #entrance, which does it once. */
  async #fetch(): Promise<Room> {
    const { Room } = await import("./room");
    const room = new Room({
      element: this,
      view: () => this.#view,
      changed: (view) => this.#changed(view),
      show: () => this.#show(this.#view),
      end: () => this.end(),
    });
    this.#room = room;
    this.#root.append(room.element);
    if (this.isConnected) room.connect();
    this.#show(this.#view);
    return room;
  }

  async #submit(typed: string): Promise<void> {
    if (this.#view.state !== "code") return;
    if (!isCode(typed)) {
      this.#refuse(Reason.MALFORMED_CODE); // no try is spent on a slip
      return;
    }
    await this.#entrance.go((room) =>
      room.enter(typed, this.getAttribute("ticket") ?? "", langOf(this.getAttribute("lang"))),
    );
  }

  #refuse(reason: Reason): void {
    this.#show({ ...firstView, reason });
    this.#panel.focus("code");
  }

  #again(): void {
    this.#room?.forget();
    this.#panel.code.value = "";
    this.#show(firstView);
    this.#panel.focus("code");
  }

  #changed(view: View): void {
    const before = this.#view;
    this.#show(view);
    if (before.state === view.state) {
      if (handsOf(before) === "no" && handsOf(view) === "asked") this.#room?.focus();
      return;
    }
    if (view.session !== null) this.#panel.code.value = ""; // it has done its work
    if (view.state === "code") {
      this.#panel.focus("code");
      if (view.ours && view.reason === Reason.TECHNICIAN_ENDED) this.#room?.forget();
    } else if (before.state === "live" || before.state === "code" || view.state === "live") this.focus();
  }

  #show(view: View): void {
    this.#view = view;
    const t = this.#t;
    this.dataset["state"] = view.state;
    this.#root.setAttribute("lang", langOf(this.getAttribute("lang")));
    this.#panel.joining = this.getAttribute("ticket") === "" && !this.hasAttribute("ticketless");
    this.#panel.update(view, t);
    this.#room?.update(view, t);
    setText(this.#status, this.#statusText(view));
    this.#tell();
  }

  #statusText(view: View): string {
    const t = this.#t;
    const cancelled = view.ours && view.reason === Reason.TECHNICIAN_ENDED;
    if (view.reason !== null && !cancelled && view.state === "code") {
      const { what, next } = endTexts(view, t);
      return `${what} ${next}`;
    }
    switch (view.state) {
      case "live": {
        const hands = handsOf(view);
        return t(
          hands === "yes"
            ? "live.status.control"
            : hands === "asked"
              ? "live.status.asked"
              : "live.status.view",
        );
      }
      case "ended": {
        const { what, next } = endTexts(view, t);
        return `${t(titleOf(view, false))}. ${what} ${next}`;
      }
      case "asking":
        return view.view === GrantState.ASKED || view.view === GrantState.UNSPECIFIED
          ? `${t("asking.title")}. ${t("asking.lead")}`
          : `${t("withdrawn.title")}. ${t("withdrawn.lead")}`;
      default:
        return t(`${view.state}.title`);
    }
  }

  #tell(): void {
    const view = this.#view;
    const { state, session, reason, ticket } = view;
    const detail = {
      state,
      session,
      reason: reason === null ? null : reasonName(reason),
      kind: kinds[view.kind] ?? "lead",
      /** Others in the session. */
      others: view.members.filter(({ you }) => !you).length,
      /** Notices that stand: a page that hides this session marks its tab when there are more. */
      notices: state === "live" ? noticesOf(view, this.#t).length : 0,
      /** What was written to the technician and not read yet. */
      unread: this.#room?.unread ?? 0,
      ticket,
    };
    const now = JSON.stringify(detail);
    if (now === this.#told || !this.isConnected) return;
    this.#told = now;
    this.dispatchEvent(new CustomEvent("mf-state", { detail, bubbles: true, composed: true }));
  }
}

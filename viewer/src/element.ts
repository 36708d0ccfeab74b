// <remote-session ticket="ID" ticketless lang="en|fr" background>: takes the code,
// pairs, shows the picture and drives it. `ticket` is empty when a colleague's
// session is joined by an invite code, or, with `ticketless`, where there is none;
// `background` says that nobody looks at it now.
// It tells the page only how the session stands (event mf-state); the code
// never leaves its shadow root.

import { Connection, makeCertificate } from "./connection";
import { Cursor } from "./cursor";
import { GrantState } from "./gen/session_pb";
import { ParticipantKind, Reason } from "./gen/signaling_pb";
import { press } from "./input/combos";
import { watchNetwork } from "./network";
import { Film } from "./picture/film";
import type { Report } from "./picture/painter";
import { Screen } from "./picture/screen";
import { Session } from "./session";
import { firstView, type State, type View } from "./state";
import { toolbox } from "./toolbox";
import { noticesOf } from "./view/banner";
import { h, setText } from "./view/dom";
import { isCode } from "./view/grouping";
import { InviteDialog } from "./view/invite";
import { firstLook } from "./view/lens";
import { lookKey, neighbour } from "./view/looking";
import { Panel, titleOf } from "./view/panel";
import { Stage } from "./view/stage";
import { styles } from "./view/styles";
import { endTexts, langOf, textsFor, type T } from "./view/texts";
import { handsOf, Toolbar } from "./view/toolbar";
import { reasonName } from "./wire/codec";

/** Chromium's keyboard lock. */
type Locking = { keyboard?: { lock?: () => Promise<void>; unlock?: () => void } };

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
  #session: Session | undefined;
  #cursor: Cursor | undefined;
  #screen: Screen | undefined;
  #unwatch: (() => void) | undefined;
  #told = "";
  #root = h("div", { id: "root" });
  #status = h("p", { id: "status", class: "unseen", role: "status", "aria-live": "polite" });
  #live = h("div", { id: "live", hidden: true });
  #panel = new Panel({
    submit: (typed) => this.#submit(typed),
    cancel: () => this.end(),
    end: () => this.end(),
    askView: () => this.#session?.ask("view"),
    again: () => this.#again(),
  });
  #invite = new InviteDialog({ close: () => this.#session?.closeInvite() });
  #stage = new Stage({
    ratioChanged: () => this.#cursor?.refresh(),
    lookChanged: () => this.#show(this.#view),
  });
  #tools = toolbox({
    ask: (grant) => this.#session?.ask(grant),
    giveBack: (grant) => this.#session?.giveBack(grant),
    stage: this.#stage,
    changed: () => this.#show(this.#view),
    open: (view, open, unasked) => this.#toolbar.open(view, open, unasked),
    background: () => this.hasAttribute("background"),
  });
  #toolbar: Toolbar = new Toolbar(
    {
      askControl: () => this.#session?.ask("control"),
      giveBack: () => this.#session?.giveBack("control"),
      ask: (grant) => this.#session?.ask(grant),
      giveUp: (grant) => this.#session?.giveBack(grant),
      handOver: (participant) => this.#session?.handOver(participant),
      invite: (kind) => this.#session?.askInvite(kind),
      showInvite: () => this.#invite.show(),
      press: (combo) => {
        const sender = this.#session?.connection?.sender;
        if (sender) press(sender, combo);
        this.#stage.focus();
      },
      fullscreen: () => void this.#fullscreen(),
      look: (look) => (this.#stage.look = look),
      zoom: (way) => this.#stage.zoom(way),
      watch: (display) => this.#session?.watch(display),
      measure: (on) => this.#session?.measure(on),
      end: () => this.end(),
      leave: () => this.#session?.leave(),
    },
    this.#tools,
  );
  #pageHidden = (event: PageTransitionEvent) => {
    if (!event.persisted) this.#session?.end(Reason.VIEWER_GONE);
  };
  #looked = () => {
    this.#look();
    this.#show(this.#view);
  };
  #fullscreenChanged = () => {
    this.#toolbar.fullscreen = this.#isFullscreen();
    if (!this.#isFullscreen()) (navigator as Locking).keyboard?.unlock?.();
  };

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [styles()];
    const panes = this.#tools.filter(({ kind }) => kind === "pane").map(({ element }) => element);
    const picture = h(
      "div",
      { id: "beside" },
      h("div", { id: "view" }, this.#stage.element, this.#toolbar.banner.element),
      ...panes,
    );
    const { element, details, people, keys, looking, computer } = this.#toolbar;
    this.#live.append(
      element,
      picture,
      looking.element,
      details,
      people.element,
      keys.element,
      computer.element,
      ...this.#tools.filter(({ kind }) => kind === "sheet").map(({ element }) => element),
      this.#invite.element,
    );
    this.#live.addEventListener("keydown", (event) => this.#lookKey(event));
    this.#root.append(this.#status, this.#panel.element, this.#live);
    shadow.append(this.#root);
  }

  get state(): State {
    return this.#view.state;
  }

  /** Ends the session, or the claim that is under way; who does not lead the session leaves it. */
  end(): void {
    if (this.#view.kind === ParticipantKind.LEAD) this.#session?.end();
    else this.#session?.leave();
  }

  override focus(options?: FocusOptions): void {
    if (this.#view.state === "live") this.#stage.focus();
    else if (this.isConnected) this.#panel.focus(this.#view.state);
    else super.focus(options);
  }

  connectedCallback(): void {
    this.#t = textsFor(langOf(this.getAttribute("lang")));
    this.#stage.connect();
    window.addEventListener("pagehide", this.#pageHidden);
    document.addEventListener("fullscreenchange", this.#fullscreenChanged);
    document.addEventListener("visibilitychange", this.#looked);
    this.#unwatch = watchNetwork({
      moved: (sure) => this.#session?.moved(sure),
      offline: () => this.#session?.offline(),
    });
    this.#show(this.#view);
  }

  disconnectedCallback(): void {
    this.#stage.disconnect();
    window.removeEventListener("pagehide", this.#pageHidden);
    document.removeEventListener("fullscreenchange", this.#fullscreenChanged);
    document.removeEventListener("visibilitychange", this.#looked);
    this.#unwatch?.();
    // Moved elsewhere in the page it lives on; taken out of it, its session ends.
    queueMicrotask(() => {
      if (!this.isConnected) this.end();
    });
  }

  attributeChangedCallback(name: string): void {
    if (name === "background") this.#look();
    else this.#t = textsFor(langOf(this.getAttribute("lang")));
    if (this.isConnected) this.#show(this.#view);
  }

  #submit(typed: string): void {
    if (this.#view.state !== "code") return;
    if (!isCode(typed)) {
      this.#show({ ...firstView, reason: Reason.MALFORMED_CODE }); // no try is spent on a slip
      this.#panel.focus("code");
      return;
    }
    const film = new Film(this.#stage.film);
    const screen = new Screen(this.#stage.renew(), (report: Report) => {
      if (report.kind === "video") film.show(report);
      else session.painted(report);
      if (report.kind === "size") film.size(report.width, report.height);
    });
    const cursor = new Cursor(
      (css) => this.#stage.cursor(css),
      () => devicePixelRatio,
    );
    cursor.placed = (place) => this.#stage.ghost.show(place);
    const lang = langOf(this.getAttribute("lang"));
    const session: Session = new Session({
      dial: () => new WebSocket(lineUrl(location.href)),
      connect: async (link, relays, events) =>
        new Connection(await makeCertificate(), relays, screen, film, link, lang, events),
      picture: {
        blank: () => screen.blank(),
        unblank: () => screen.unblank(),
        figures: () => screen.figures(),
        close: () => {
          screen.close();
          film.close();
        },
      },
      tools: this.#tools,
      lang,
      changed: (view) => {
        if (session === this.#session) this.#changed(view);
      },
      cursor: (data) => cursor.received(data),
    });
    this.#cursor?.close();
    this.#cursor = cursor;
    this.#screen = screen;
    this.#session = session;
    this.#look();
    session.start(typed, this.getAttribute("ticket") ?? "");
  }

  // A picture in another tab is not painted for nobody. The connection stands either way.
  #look(): void {
    if (this.#screen) this.#screen.held = this.hasAttribute("background") || document.hidden;
  }

  #again(): void {
    this.#session = undefined;
    this.#panel.code.value = "";
    this.#show(firstView);
    this.#panel.focus("code");
  }

  #changed(view: View): void {
    const before = this.#view;
    this.#show(view);
    if (before.state === view.state) {
      if (handsOf(before) === "no" && handsOf(view) === "asked") this.#stage.focus();
      return;
    }
    if (view.session !== null) this.#panel.code.value = ""; // it has done its work
    if (view.state === "code") {
      this.#panel.focus("code");
      if (view.ours && view.reason === Reason.TECHNICIAN_ENDED) this.#session = undefined;
    } else if (before.state === "live" || before.state === "code" || view.state === "live") this.focus();
    if (view.state === "ended" && this.#isFullscreen()) void document.exitFullscreen().catch(() => undefined);
  }

  #show(view: View): void {
    this.#view = view;
    const t = this.#t;
    const live = view.state === "live";
    this.dataset["state"] = view.state;
    this.#root.setAttribute("lang", langOf(this.getAttribute("lang")));
    this.#live.hidden = !live;
    this.#panel.joining = this.getAttribute("ticket") === "" && !this.hasAttribute("ticketless");
    this.#panel.update(view, t);
    this.#stage.update(view, view.displays.find(({ id }) => id === view.watched) ?? null, t);
    this.#toolbar.looks(this.#stage.look, this.#stage.scale);
    this.#toolbar.update(view, t);
    this.#invite.background = this.hasAttribute("background");
    this.#invite.update(view, t);
    setText(this.#status, this.#statusText(view));
    const connection = this.#session?.connection;
    if (live && handsOf(view) === "yes" && connection)
      this.#stage.take(connection.sender, () => this.#toolbar.focus());
    else this.#stage.release();
    if (live && handsOf(view) === "yes") this.#cursor?.refresh();
    this.#tell();
  }

  // Keys that are not the remote desktop's: those of the hidden text area do not come here.
  #lookKey(event: KeyboardEvent): void {
    const key = lookKey(event);
    const { target } = event;
    const typed = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
    if (key === undefined || event.defaultPrevented || typed) return;
    event.preventDefault();
    const { displays, watched } = this.#view;
    if (key === "actual") this.#stage.look = firstLook;
    else if (key === "fit") this.#stage.look = { mode: "fit", percent: 100 };
    else if (key === "in" || key === "out") this.#stage.zoom(key === "in" ? 1 : -1);
    else this.#session?.watch(neighbour(displays, watched, key === "next" ? 1 : -1));
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
      unread: this.#tools.reduce((n, tool) => n + (tool.unread ?? 0), 0),
      ticket,
    };
    const now = JSON.stringify(detail);
    if (now === this.#told || !this.isConnected) return;
    this.#told = now;
    this.dispatchEvent(new CustomEvent("mf-state", { detail, bubbles: true, composed: true }));
  }

  #isFullscreen(): boolean {
    return document.fullscreenElement === this;
  }

  async #fullscreen(): Promise<void> {
    try {
      if (this.#isFullscreen()) {
        await document.exitFullscreen();
        this.#stage.focus();
        return;
      }
      // Firefox 151 and Safari 26.4 lock the keyboard by this; others do not read it.
      await this.requestFullscreen({ keyboardLock: "browser" } as FullscreenOptions);
      this.#stage.focus(); // what is typed now is for the picture, not for the button
      // Chromium: with it Escape, Alt+Tab and Meta reach the remote desktop. Others have no such thing.
      await (navigator as Locking).keyboard?.lock?.();
    } catch {
      // The browser or the page does not allow it; the picture stays as it is.
    }
  }
}

/** The line of the page's own server. */
export function lineUrl(page: string): string {
  const url = new URL("/ws/viewer", page);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  return url.href;
}

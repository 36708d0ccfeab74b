// All that a session needs once its code was typed: the picture, the hands, the
// toolbar and the tools. It is a file of its own, which the element fetches while the
// code is being typed, so that a page without a session stays light.

import { Connection, makeCertificate } from "./connection";
import { Cursor } from "./cursor";
import { Reason } from "./gen/signaling_pb";
import { press } from "./input/combos";
import { watchNetwork } from "./network";
import { Film } from "./picture/film";
import type { Report } from "./picture/painter";
import { Screen } from "./picture/screen";
import { Session } from "./session";
import { handsOf, type View } from "./state";
import { toolbox } from "./toolbox";
import { h } from "./view/dom";
import { InviteDialog } from "./view/invite";
import { firstLook } from "./view/lens";
import { lookKey, neighbour } from "./view/looking";
import { Stage } from "./view/stage";
import type { Lang, T } from "./view/texts";
import { Toolbar } from "./view/toolbar";

/** Chromium's keyboard lock. */
type Locking = { keyboard?: { lock?: () => Promise<void>; unlock?: () => void } };

/** The element as its room sees it. */
export interface Around {
  readonly element: HTMLElement;
  /** What is shown last. */
  view(): View;
  /** A session tells how it stands. */
  changed(view: View): void;
  /** Something of the room has changed: its update is called soon. */
  show(): void;
  end(): void;
}

export class Room {
  readonly element = h("div", { id: "live", hidden: true });
  #around: Around;
  #session: Session | undefined;
  #cursor: Cursor | undefined;
  #screen: Screen | undefined;
  #unwatch: (() => void) | undefined;
  #invite = new InviteDialog({ close: () => this.#session?.closeInvite() });
  #stage = new Stage({
    ratioChanged: () => this.#cursor?.refresh(),
    lookChanged: () => this.#around.show(),
  });
  #tools = toolbox({
    ask: (grant) => this.#session?.ask(grant),
    giveBack: (grant) => this.#session?.giveBack(grant),
    stage: this.#stage,
    changed: () => this.#around.show(),
    open: (view, open, unasked) => this.#toolbar.open(view, open, unasked),
    background: () => this.#background,
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
      end: () => this.#around.end(),
      leave: () => this.#session?.leave(),
    },
    this.#tools,
  );
  #pageHidden = (event: PageTransitionEvent) => {
    if (!event.persisted) this.#session?.end(Reason.VIEWER_GONE);
  };
  #looked = () => {
    this.look();
    this.#around.show();
  };
  #fullscreenChanged = () => {
    this.#toolbar.fullscreen = this.#isFullscreen();
    if (!this.#isFullscreen()) (navigator as Locking).keyboard?.unlock?.();
  };

  constructor(around: Around) {
    this.#around = around;
    const panes = this.#tools.filter(({ kind }) => kind === "pane").map(({ element }) => element);
    const picture = h(
      "div",
      { id: "beside" },
      h("div", { id: "view" }, this.#stage.element, this.#toolbar.banner.element),
      ...panes,
    );
    const { element, details, people, keys, looking, computer } = this.#toolbar;
    this.element.append(
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
    this.element.addEventListener("keydown", (event) => this.#lookKey(event));
  }

  /** The session of now, or the one that ended last. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** What was written to the technician and not read yet. */
  get unread(): number {
    return this.#tools.reduce((n, tool) => n + (tool.unread ?? 0), 0);
  }

  get #background(): boolean {
    return this.#around.element.hasAttribute("background");
  }

  /** The element is in a page. */
  connect(): void {
    this.#stage.connect();
    window.addEventListener("pagehide", this.#pageHidden);
    document.addEventListener("fullscreenchange", this.#fullscreenChanged);
    document.addEventListener("visibilitychange", this.#looked);
    this.#unwatch = watchNetwork({
      moved: (sure) => this.#session?.moved(sure),
      offline: () => this.#session?.offline(),
    });
  }

  disconnect(): void {
    this.#stage.disconnect();
    window.removeEventListener("pagehide", this.#pageHidden);
    document.removeEventListener("fullscreenchange", this.#fullscreenChanged);
    document.removeEventListener("visibilitychange", this.#looked);
    this.#unwatch?.();
  }

  /** Begins a session with a code that is one. */
  enter(code: string, ticket: string, lang: Lang): void {
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
        if (session === this.#session) this.#around.changed(view);
      },
      cursor: (data) => cursor.received(data),
    });
    this.#cursor?.close();
    this.#cursor = cursor;
    this.#screen = screen;
    this.#session = session;
    this.look();
    session.start(code, ticket);
  }

  /** There is no session any more. */
  forget(): void {
    this.#session = undefined;
  }

  /** A picture in another tab is not painted for nobody. The connection stands either way. */
  look(): void {
    if (this.#screen) this.#screen.held = this.#background || document.hidden;
  }

  focus(): void {
    this.#stage.focus();
  }

  offers(): { id: string; text: string }[] {
    return this.#toolbar.offers.map((b) => ({
      id: b.id,
      text: (b.getAttribute("aria-label") ?? b.textContent).trim(),
    }));
  }

  press(id: string): void {
    const button = this.#toolbar.offers.find((b) => b.id === id);
    button?.focus(); // what it opens gives the focus back to it
    button?.click();
  }

  update(view: View, t: T): void {
    const live = view.state === "live";
    this.element.hidden = !live;
    this.#stage.update(view, view.displays.find(({ id }) => id === view.watched) ?? null, t);
    this.#toolbar.looks(this.#stage.look, this.#stage.scale);
    this.#toolbar.update(view, t);
    this.#invite.background = this.#background;
    this.#invite.update(view, t);
    const connection = this.#session?.connection;
    if (live && handsOf(view) === "yes" && connection)
      this.#stage.take(connection.sender, () => this.#toolbar.focus());
    else this.#stage.release();
    if (live && handsOf(view) === "yes") this.#cursor?.refresh();
    if (view.state === "ended" && this.#isFullscreen()) void document.exitFullscreen().catch(() => undefined);
  }

  // Keys that are not the remote desktop's: those of the hidden text area do not come here.
  #lookKey(event: KeyboardEvent): void {
    const key = lookKey(event);
    const { target } = event;
    const typed = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
    if (key === undefined || event.defaultPrevented || typed) return;
    event.preventDefault();
    const { displays, watched } = this.#around.view();
    if (key === "actual") this.#stage.look = firstLook;
    else if (key === "fit") this.#stage.look = { mode: "fit", percent: 100 };
    else if (key === "in" || key === "out") this.#stage.zoom(key === "in" ? 1 : -1);
    else this.#session?.watch(neighbour(displays, watched, key === "next" ? 1 : -1));
  }

  #isFullscreen(): boolean {
    return document.fullscreenElement === this.#around.element;
  }

  async #fullscreen(): Promise<void> {
    try {
      if (this.#isFullscreen()) {
        await document.exitFullscreen();
        this.#stage.focus();
        return;
      }
      // Firefox 151 and Safari 26.4 lock the keyboard by this; others do not read it.
      await this.#around.element.requestFullscreen({ keyboardLock: "browser" } as FullscreenOptions);
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

// The pane beside the picture: the chat, and what is fetched for the ticket.

import { GrantState } from "../gen/session_pb";
import { TalkRecord, TalkRefusal, TalkTrouble } from "../gen/talk_pb";
import type { View } from "../state";
import type { Grants, Outlet, Tool, ToolView } from "../tool";
import type { Workshop } from "../toolbox";
import { button, h, setLabel, setText } from "../view/dom";
import { time, type T, type TextKey } from "../view/texts";
import { Review } from "./review";
import { asText, facts } from "./sheet";
import { grantOf, Talk, type Line, type Thing, type Things } from "./talk";

const refusals: Record<TalkRefusal, TextKey> = {
  [TalkRefusal.UNSPECIFIED]: "talk.refused.other",
  [TalkRefusal.QUICK]: "talk.refused.quick",
  [TalkRefusal.EMPTY]: "talk.refused.other",
  [TalkRefusal.LOG]: "talk.refused.log",
  [TalkRefusal.EARLY]: "talk.refused.early",
};

const records: Record<TalkRecord, TextKey> = {
  [TalkRecord.UNSPECIFIED]: "talk.kept.none",
  [TalkRecord.NONE]: "talk.kept.none",
  [TalkRecord.LOG]: "talk.kept.log",
  [TalkRecord.NOTE]: "talk.kept.note",
};

const troubles: Record<TalkTrouble, TextKey> = {
  [TalkTrouble.UNSPECIFIED]: "talk.trouble.failed",
  [TalkTrouble.DENIED]: "talk.trouble.denied",
  [TalkTrouble.BUSY]: "talk.trouble.busy",
  [TalkTrouble.FAILED]: "talk.trouble.failed",
  [TalkTrouble.LARGE]: "talk.trouble.large",
};

/** Lines in the page; older ones are kept and not shown. */
const shown = 500;

export class TalkPane implements Tool, ToolView {
  readonly channel = "talk";
  readonly kind = "pane";
  readonly button = button("show-talk", "quiet", "talk");
  readonly title = h("h3", { id: "talk-title", tabindex: "-1" });
  readonly element: HTMLElement;
  readonly talk: Talk;
  #workshop: Workshop;
  #kept = h("p", { class: "hint", id: "talk-kept" });
  #empty = h("p", { class: "hint", id: "talk-empty" });
  #list = h("ol");
  #log = h(
    "div",
    { id: "talk-lines", role: "log", "aria-live": "polite", "aria-labelledby": "talk-title", tabindex: "0" },
    this.#list,
  );
  #box = h("textarea", { id: "talk-text", rows: "2", maxlength: "4000" });
  #label = h("label", { for: "talk-text", class: "unseen" });
  #send = button("talk-send", "primary");
  #picture = button("talk-ask-picture", "plain", "screen");
  #system = button("talk-ask-system", "plain", "info");
  #status = h("p", { class: "hint", role: "status", id: "talk-status" });
  #sheet = h("dl", { id: "talk-sheet" });
  #attachSystem = button("talk-attach-system", "plain");
  #close = button("close-talk", "plain");
  #review: Review;
  #badge = h("span", { class: "badge", hidden: true, "aria-hidden": "true" });
  #rows = new Map<number, HTMLElement>();
  #view: View | undefined;
  #seen: Record<Things, Thing> = { picture: { state: "none" }, system: { state: "none" } };
  #wanted: Things | undefined; // asked for as soon as the person allows it
  #said: TextKey | undefined;
  #drawn: { readonly lines: readonly Line[]; readonly t: T } | undefined;

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
    this.talk = new Talk(() => workshop.changed());
    this.#review = new Review(
      (png) => this.#attach("POST", "attachments", "image/png", png),
      () => this.talk.drop("picture"),
    );
    this.button.append(this.#badge);
    this.element = h(
      "section",
      { id: "talk", class: "pane", "aria-labelledby": "talk-title", hidden: true },
      this.title,
      this.#kept,
      this.#empty,
      this.#log,
      h("form", { id: "talk-form" }, this.#label, this.#box, this.#send),
      h("div", { class: "actions" }, this.#picture, this.#system),
      this.#status,
      this.#sheet,
      h("div", { class: "actions" }, this.#attachSystem, this.#close),
      this.#review.element,
    );
    this.#send.addEventListener("click", () => this.#say());
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#say();
    });
    this.#picture.addEventListener("click", () => this.#want("picture"));
    this.#system.addEventListener("click", () => this.#want("system"));
    this.#attachSystem.addEventListener("click", () => void this.#attachSheet());
    this.#close.addEventListener("click", () => workshop.open(this, false));
  }

  get unread(): number {
    return this.talk.unread;
  }

  heard(message: ArrayBuffer): void {
    this.talk.heard(message);
  }

  connected(outlet: Outlet): void {
    this.talk.connected(outlet);
    // A question may have been lost with a connection.
    const wanted = this.#wanted && grantOf[this.#wanted];
    if (wanted && this.talk.grants[wanted] !== GrantState.ASKED) this.#workshop.ask(wanted);
  }

  disconnected(): void {
    this.talk.disconnected();
  }

  granted(grants: Grants): void {
    this.talk.granted(grants);
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const state = grants[grantOf[wanted]];
    if (state === GrantState.ALLOWED) {
      this.#wanted = undefined;
      this.#fetch(wanted);
    } else if (state !== GrantState.ASKED && state !== GrantState.UNSPECIFIED) {
      this.#wanted = undefined;
      this.#tell(state === GrantState.RULED_OUT ? "ruledOut" : "talk.trouble.denied");
    }
  }

  over(): void {
    this.#wanted = undefined;
    this.#said = undefined;
    this.#box.value = "";
    this.#review.close();
    this.talk.over();
  }

  update(view: View, t: T): void {
    this.#view = view;
    const looked = !this.element.hidden && !this.#workshop.background();
    this.talk.reading = looked && !document.hidden;
    if (this.talk.reading) this.talk.unread = 0;
    const { unread, lines, things } = this.talk;
    setLabel(this.button, t("talk.title"));
    const name = unread > 0 ? t("talk.unread", { n: unread }) : t("talk.title");
    this.button.title = name;
    this.button.setAttribute("aria-label", name);
    this.#badge.hidden = unread === 0;
    setText(this.#badge, unread > 99 ? "99+" : String(unread));
    setText(this.title, t("talk.title"));
    setText(this.#kept, t(records[this.talk.record] ?? "talk.kept.none"));
    setText(this.#empty, t("talk.empty"));
    this.#empty.hidden = lines.length > 0;
    setText(this.#label, t("talk.label"));
    this.#box.placeholder = t("talk.label");
    setLabel(this.#send, t("talk.send"));
    setLabel(this.#picture, t("talk.picture"));
    setLabel(this.#system, t("talk.system"));
    setLabel(this.#attachSystem, t("talk.attach"));
    setLabel(this.#close, t("details.close"));
    const busy =
      things.picture.state === "coming" || things.system.state === "coming" || this.#wanted !== undefined;
    for (const [b, kind] of [
      [this.#picture, "picture"],
      [this.#system, "system"],
    ] as const) {
      b.hidden = !(grantOf[kind] in this.talk.grants); // a host that cannot
      b.disabled = busy || !this.talk.up;
    }
    this.#lines(lines, t);
    this.#review.update(t, view.state === "live" && looked);
    this.#things(things, t);
  }

  #say(): void {
    if (this.talk.say(this.#box.value)) this.#box.value = "";
    this.#box.focus();
  }

  #want(kind: Things): void {
    this.#said = undefined;
    if (this.talk.grants[grantOf[kind]] === GrantState.ALLOWED) {
      this.#fetch(kind);
      return;
    }
    this.#wanted = kind;
    this.#tell("talk.asked");
    this.#workshop.ask(grantOf[kind]);
  }

  #fetch(kind: Things): void {
    this.#said = undefined;
    this.talk.ask(kind, kind === "picture" ? (this.#view?.watched ?? 0) : 0);
  }

  #tell(key: TextKey): void {
    this.#said = key;
    this.#workshop.changed();
  }

  #lines(lines: readonly Line[], t: T): void {
    if (lines === this.#drawn?.lines && t === this.#drawn.t) return;
    this.#drawn = { lines, t };
    const list = lines.slice(-shown);
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 24;
    const keys = new Set(list.map(({ key }) => key));
    for (const [key, row] of this.#rows)
      if (!keys.has(key)) {
        row.remove();
        this.#rows.delete(key);
      }
    let added = false;
    for (const line of list) {
      let row = this.#rows.get(line.key);
      if (row === undefined) {
        row = h(
          "li",
          { class: line.mine ? "mine" : "theirs" },
          h("p", { class: "who" }),
          h("p", { class: "said" }),
        );
        this.#rows.set(line.key, row);
        this.#list.append(row);
        added = true;
      }
      const [who, said] = row.children;
      const name = line.mine ? t("talk.you") : line.from === "" ? t("talk.person") : line.name;
      const note =
        line.state === "sent"
          ? time(line.at, t)
          : line.state === "waiting"
            ? t("talk.waiting")
            : t(refusals[line.state]);
      if (who) setText(who, `${name} · ${note}`);
      if (said) setText(said, line.text);
      row.dataset["state"] = typeof line.state === "number" ? "refused" : line.state;
    }
    if (added && (atEnd || list.at(-1)?.mine)) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #things(things: Record<Things, Thing>, t: T): void {
    let text = this.#said ? t(this.#said) : "";
    for (const kind of ["picture", "system"] as const) {
      const thing = things[kind];
      if (thing.state === "coming")
        text = t("talk.coming", {
          percent: thing.size > 0 ? Math.floor((100 * thing.done) / thing.size) : 0,
        });
      if (thing.state === "failed") text = t(troubles[thing.why] ?? "talk.trouble.failed");
      if (thing === this.#seen[kind]) continue;
      if (kind === "picture" && thing.state === "here")
        void this.#review.show(thing.data).then((ok) => {
          if (ok) this.#workshop.changed();
          else this.talk.drop("picture");
        });
    }
    const { system } = things;
    if (system !== this.#seen.system || this.#sheet.lang !== t.lang) {
      this.#sheet.lang = t.lang;
      this.#sheet.replaceChildren(
        ...(system.state === "here" ? facts(system.data, t) : []).map(({ label, value }) =>
          h("div", {}, h("dt", {}, label), h("dd", {}, value)),
        ),
      );
    }
    this.#sheet.hidden = this.#attachSystem.hidden = system.state !== "here";
    this.#seen = things;
    setText(this.#status, text);
    this.#t = t;
  }

  #t: T | undefined;

  async #attachSheet(): Promise<void> {
    const { system } = this.talk.things;
    if (system.state !== "here" || !this.#t) return;
    const text = asText(facts(system.data, this.#t), this.#t);
    await this.#attach("PUT", "system", "application/json", JSON.stringify({ text }));
  }

  /** Gives something to the server, for the ticket. */
  async #attach(method: string, what: string, type: string, body: BodyInit): Promise<boolean> {
    const session = this.#view?.session;
    if (!session) return false;
    let ok = false;
    try {
      const answer = await fetch(`/api/v1/sessions/${encodeURIComponent(session)}/${what}`, {
        method,
        headers: { "Content-Type": type },
        body,
      });
      ok = answer.ok;
    } catch {
      // no network; the technician may try again
    }
    this.#tell(ok ? "talk.attached" : "talk.notAttached");
    return ok;
  }
}

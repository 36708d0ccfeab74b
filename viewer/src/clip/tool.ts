// The clipboard in the toolbar: a button, and a sheet that says for each way
// whether it is allowed, what went last, and what the browser would not do by itself.

import { ClipKind } from "../gen/clip_pb";
import { GrantState } from "../gen/session_pb";
import type { Paster } from "../input/paste";
import type { Grants, Outlet, Tool, ToolView } from "../tool";
import type { Workshop } from "../toolbox";
import type { View } from "../state";
import { button, h, setLabel, setText } from "../view/dom";
import type { T, TextKey } from "../view/texts";
import { Clip, maxClip, type Content, type Trouble } from "./clip";

const ways = ["clipboard_in", "clipboard_out"] as const;
type Way = (typeof ways)[number];

/** How long after the keys that copy what the person's computer copied is fetched by itself, ms. */
const copyWait = 3000;

export class ClipTool implements Tool, ToolView, Paster {
  readonly channel = "clip";
  readonly kind = "sheet";
  readonly button = button("show-clip", "quiet", "clip");
  readonly title = h("h3", { id: "clip-title", tabindex: "-1" });
  readonly element: HTMLElement;
  #workshop: Workshop;
  #clip: Clip;
  #grants: Grants = {};
  #copied = -Infinity; // when the keys that copy were pressed
  #ready: Content | null = null; // here, and not yet on the technician's clipboard
  #unwritten = false; // the browser would not write it by itself
  #unreadable = false; // the browser does not tell what the technician copied
  #send = button("clip-send", "plain");
  #fetch = button("clip-copy", "primary");
  #close = button("close-clip", "plain");
  #news = h("p", { class: "hint", role: "status" });
  #last = h("p", { class: "hint" });
  #trouble = h("p", { id: "clip-trouble", role: "status" });
  #rows: Readonly<Record<Way, Row>>;

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
    workshop.stage.paster = this;
    this.#clip = new Clip({
      changed: () => {
        this.#arrives();
        workshop.changed();
      },
      arrived: (content) => void this.#write(content),
    });
    const row = (way: Way) =>
      new Row(way, () => {
        if (this.#grants[way] === GrantState.ALLOWED || this.#grants[way] === GrantState.ASKED)
          workshop.giveBack(way);
        else workshop.ask(way);
      });
    this.#rows = { clipboard_in: row("clipboard_in"), clipboard_out: row("clipboard_out") };
    this.element = h(
      "section",
      { id: "clip", class: "sheet", part: "details", "aria-labelledby": "clip-title", hidden: true },
      this.title,
      ...ways.map((way) => this.#rows[way].element),
      this.#trouble,
      this.#last,
      this.#news,
      h("div", { class: "actions" }, this.#fetch, this.#send, this.#close),
    );
    this.#close.addEventListener("click", () => workshop.open(this, false));
    this.#send.addEventListener("click", () => void this.#sendMine());
    this.#fetch.addEventListener("click", () => {
      if (this.#ready) void this.#write(this.#ready);
      else this.#clip.fetch();
    });
  }

  heard(message: ArrayBuffer): void {
    this.#clip.heard(message);
  }

  connected(outlet: Outlet): void {
    this.#clip.connected(outlet);
  }

  disconnected(): void {
    this.#clip.disconnected();
  }

  granted(grants: Grants): void {
    const had = this.#grants.clipboard_out === GrantState.ALLOWED;
    this.#grants = grants;
    if (had && grants["clipboard_out"] !== GrantState.ALLOWED) this.#clip.forget();
  }

  over(): void {
    this.#clip.disconnected();
    this.#clip.last = this.#clip.trouble = this.#ready = null;
    this.#unwritten = this.#unreadable = false;
    this.#grants = {};
  }

  // Paster

  ready(): boolean {
    return this.#grants["clipboard_in"] === GrantState.ALLOWED;
  }

  async paste(data: DataTransfer): Promise<boolean> {
    const content = await contentOf(data);
    if (content === null) return true; // nothing here that could go: then the person's own is meant
    return (await this.#clip.send(content)) === null;
  }

  copies(): void {
    this.#copied = performance.now();
  }

  // What the technician copied there by the keys comes by itself; what the person did, when asked for.
  #arrives(): void {
    if (this.#clip.news === null || this.#clip.busy || performance.now() - this.#copied > copyWait) return;
    this.#copied = -Infinity;
    this.#clip.fetch();
  }

  async #write(content: Content): Promise<void> {
    this.#ready = content;
    try {
      if (content.kind === ClipKind.TEXT)
        await navigator.clipboard.writeText(new TextDecoder().decode(content.data));
      else
        await navigator.clipboard.write([
          new ClipboardItem({ "image/png": new Blob([content.data], { type: "image/png" }) }),
        ]);
      this.#ready = null;
      this.#unwritten = false;
    } catch {
      this.#unwritten = true; // only while a button is pressed, or the page has the focus: then by the button
    }
    this.#workshop.changed();
  }

  // By the button: the browser may ask the technician first.
  async #sendMine(): Promise<void> {
    this.#unreadable = false;
    try {
      const items = await navigator.clipboard.read();
      const item = items.find(({ types }) => types.includes("text/plain") || types.includes("image/png"));
      const type = item?.types.includes("text/plain") ? "text/plain" : "image/png";
      const blob = await item?.getType(type);
      if (blob) await this.#clip.send(await contentFrom(blob));
    } catch {
      this.#unreadable = true;
    }
    this.#workshop.changed();
  }

  update(view: View, t: T): void {
    const observes = view.grants["clipboard_in"] === undefined && view.grants["clipboard_out"] === undefined;
    this.button.hidden = observes; // this host has none, or is too old
    setLabel(this.button, t("clip.title"));
    setText(this.title, t("clip.title"));
    for (const way of ways) this.#rows[way].update(this.#grants[way] ?? GrantState.UNSPECIFIED, t);
    const { last, news, trouble } = this.#clip;
    const out = this.#grants["clipboard_out"] === GrantState.ALLOWED;
    const says: TextKey | null = this.#unreadable
      ? "clip.unreadableHere"
      : this.#unwritten && this.#ready
        ? "clip.unwritten"
        : trouble && troubles[trouble];
    this.#trouble.hidden = says === null;
    setText(this.#trouble, says === null ? "" : t(says));
    this.#last.hidden = last === null;
    setText(
      this.#last,
      last === null
        ? ""
        : t(last.way === "in" ? "clip.lastIn" : "clip.lastOut", {
            what: t(last.kind === ClipKind.PNG ? "clip.png" : "clip.text"),
            size: sizeText(last.size, t),
          }),
    );
    this.#news.hidden = !out || news === null;
    setText(
      this.#news,
      news === null ? "" : t(news.kind === ClipKind.PNG ? "clip.newsPng" : "clip.newsText"),
    );
    this.#fetch.hidden = !(out && news !== null) && this.#ready === null;
    this.#fetch.disabled = this.#clip.busy;
    setLabel(this.#fetch, t("clip.copy"));
    this.#send.hidden = !this.ready() || typeof navigator.clipboard?.read !== "function";
    this.#send.disabled = this.#clip.busy;
    setLabel(this.#send, t("clip.send"));
    setLabel(this.#close, t("details.close"));
  }
}

const troubles: Readonly<Record<Trouble, TextKey>> = {
  notAllowed: "clip.notAllowed",
  tooLarge: "clip.tooLarge",
  unreadable: "clip.unreadable",
  nothing: "clip.nothing",
  lost: "clip.lost",
};

/** One way: what it is, whether it is allowed, and the button for it. */
class Row {
  readonly element: HTMLElement;
  #way: Way;
  #name: HTMLElement;
  #state = h("p", { class: "hint" });
  #button: HTMLButtonElement;

  constructor(way: Way, act: () => void) {
    this.#way = way;
    this.#name = h("h4", { id: `${way}-name` });
    this.#button = button(`ask-${way}`, "plain");
    this.#button.setAttribute("aria-describedby", `${way}-name`);
    this.#button.addEventListener("click", act);
    this.element = h("div", { class: "clip-way" }, this.#name, this.#state, this.#button);
  }

  update(state: GrantState, t: T): void {
    const into = this.#way === "clipboard_in";
    setText(this.#name, t(into ? "clip.in" : "clip.out"));
    this.element.dataset["state"] = state === GrantState.ALLOWED ? "allowed" : "no";
    switch (state) {
      case GrantState.ALLOWED:
        setText(this.#state, t(into ? "clip.inAllowed" : "clip.outAllowed"));
        setLabel(this.#button, t("clip.giveBack"));
        break;
      case GrantState.ASKED:
        setText(this.#state, t("clip.asked"));
        setLabel(this.#button, t("clip.withdraw"));
        break;
      default:
        setText(
          this.#state,
          t(
            state === GrantState.DENIED
              ? "clip.denied"
              : state === GrantState.REVOKED
                ? "clip.revoked"
                : state === GrantState.RULED_OUT
                  ? "ruledOut"
                  : "clip.not",
          ),
        );
        setLabel(this.#button, t("clip.ask"));
    }
    this.#button.hidden = state === GrantState.RULED_OUT;
  }
}

async function contentOf(data: DataTransfer): Promise<Content | null> {
  const text = data.getData("text/plain");
  if (text !== "") return { kind: ClipKind.TEXT, data: new TextEncoder().encode(text) };
  const image = Array.from(data.files).find(({ type }) => type === "image/png");
  return image ? contentFrom(image) : null;
}

async function contentFrom(blob: Blob): Promise<Content> {
  const kind = blob.type.startsWith("text/") ? ClipKind.TEXT : ClipKind.PNG;
  // Longer ones are refused by their size alone.
  return { kind, data: new Uint8Array(await blob.slice(0, (maxClip[kind] ?? 0) + 1).arrayBuffer()) };
}

function sizeText(bytes: number, t: T): string {
  const format = (value: number, unit: string) =>
    new Intl.NumberFormat(t.lang, { style: "unit", unit, maximumSignificantDigits: 2 }).format(value);
  if (bytes < 1000) return format(bytes, "byte");
  return bytes < 1e6 ? format(bytes / 1000, "kilobyte") : format(bytes / 1e6, "megabyte");
}

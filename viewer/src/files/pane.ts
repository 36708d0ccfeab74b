// The pane of the files: what to do, and the list of what is sent and received.

import { FileReason } from "../gen/files_pb";
import { GrantState } from "../gen/session_pb";
import { ParticipantKind } from "../gen/signaling_pb";
import type { View } from "../state";
import { button, h, setLabel, setText } from "../view/dom";
import { number, type T, type TextKey } from "../view/texts";
import { ofDrop, ofInput, type Picked } from "./picking";
import type { Item } from "./transfer";

export interface PaneActions {
  add(files: readonly Picked[]): void;
  /** Asks the person for files. */
  ask(): void;
  accept(item: Item): void;
  cancel(item: Item): void;
  close(): void;
}

/** Older ones are no longer listed. */
const listed = 50;

export class Pane {
  readonly element: HTMLElement;
  readonly title = h("h3", { id: "files-title", tabindex: "-1" });
  #drop = h("p", { class: "files-drop" });
  #choose = button("choose-files", "primary", "plus");
  #folder = button("choose-folder", "plain");
  #ask = button("ask-file", "plain");
  #asked = h("p", { id: "files-asked", class: "hint" });
  #none = h("p", { class: "hint" });
  #list = h("ul", { id: "files-list", class: "files" });
  #close = button("close-files", "plain");
  #status = h("p", { class: "unseen", role: "status" });
  #files = h("input", { id: "files-input", type: "file", multiple: true, hidden: true });
  #folders = h("input", { id: "folder-input", type: "file", webkitdirectory: true, hidden: true });
  #rows = new Map<Item, Row>();
  #actions: PaneActions;

  constructor(actions: PaneActions) {
    this.#actions = actions;
    this.element = h(
      "section",
      { id: "files", class: "pane", "aria-labelledby": "files-title", hidden: true },
      this.title,
      this.#drop,
      h("div", { class: "actions" }, this.#choose, this.#folder),
      this.#list,
      this.#none,
      h("div", { class: "files-ask" }, this.#ask, this.#asked),
      h("div", { class: "actions" }, this.#close),
      this.#status,
      this.#files,
      this.#folders,
    );
    for (const [press, input] of [
      [this.#choose, this.#files],
      [this.#folder, this.#folders],
    ] as const) {
      press.addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        if (input.files) actions.add(ofInput(input.files));
        input.value = ""; // the same file may be chosen again
      });
    }
    this.#ask.addEventListener("click", () => actions.ask());
    this.#close.addEventListener("click", () => actions.close());
    this.takesDrops(this.element, () => true);
  }

  /** Files may be dropped on an element, while `may` holds. */
  takesDrops(element: HTMLElement, may: () => boolean): void {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // the browser would open it in place of the session
      event.dataTransfer.dropEffect = may() ? "copy" : "none";
      element.toggleAttribute("data-drop", may());
    };
    element.addEventListener("dragenter", over);
    element.addEventListener("dragover", over);
    element.addEventListener("dragleave", () => element.removeAttribute("data-drop"));
    element.addEventListener("drop", (event) => {
      element.removeAttribute("data-drop");
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (!may()) return;
      ofDrop(event.dataTransfer).then(
        (files) => this.#actions.add(files),
        () => setText(this.#status, this.#unread),
      );
    });
  }

  #unread = "";

  update(view: View, items: readonly Item[], t: T): void {
    setText(this.title, t("files.title"));
    setLabel(this.#choose, t("files.choose"));
    setLabel(this.#folder, t("files.folder"));
    setLabel(this.#close, t("details.close"));
    setText(this.#none, t("files.none"));
    this.#unread = t("files.unread");
    this.#none.hidden = items.length > 0;
    const out = view.grants["file_out"] ?? GrantState.UNSPECIFIED;
    const known = "file_out" in view.grants;
    const never = view.grants["file_in"] === GrantState.RULED_OUT;
    this.#choose.disabled = this.#folder.disabled = never;
    setText(this.#drop, t(never ? "files.ruledOut" : "files.drop"));
    this.#ask.hidden = view.kind === ParticipantKind.OBSERVER || !known || out === GrantState.ALLOWED;
    this.#ask.disabled = out === GrantState.ASKED || out === GrantState.RULED_OUT || !view.pathUp;
    setLabel(this.#ask, t(out === GrantState.ASKED ? "toolbar.asked" : "files.ask"));
    setText(
      this.#asked,
      t(
        out === GrantState.ALLOWED
          ? "files.mayGive"
          : out === GrantState.ASKED
            ? "files.askedHint"
            : out === GrantState.DENIED || out === GrantState.REVOKED
              ? "files.deniedHint"
              : out === GrantState.RULED_OUT
                ? "ruledOut"
                : "files.askHint",
      ),
    );
    this.#asked.hidden = this.#ask.hidden && out !== GrantState.ALLOWED;
    this.#rowsFor(items.slice(-listed).toReversed(), t);
    const last = items.findLast(({ state }) => state === "done" || state === "failed" || state === "offered");
    if (last) setText(this.#status, `${titleOf(last, t)}: ${stateText(last, t)}`);
  }

  #rowsFor(items: readonly Item[], t: T): void {
    for (const [item, row] of this.#rows)
      if (!items.includes(item)) {
        row.element.remove();
        this.#rows.delete(item);
      }
    items.forEach((item, i) => {
      let row = this.#rows.get(item);
      if (!row) this.#rows.set(item, (row = new Row(item, this.#actions)));
      row.update(t);
      if (this.#list.children[i] !== row.element)
        this.#list.insertBefore(row.element, this.#list.children[i] ?? null);
    });
  }
}

class Row {
  readonly element: HTMLElement;
  #item: Item;
  #name = h("span", { class: "name" });
  #size = h("span", { class: "size" });
  #bar = h("progress", { max: "1" });
  #state = h("p", { class: "state-text" });
  #hash = h("p", { class: "hash" });
  #accept: HTMLButtonElement;
  #cancel: HTMLButtonElement;
  #links = h("div", { class: "links" });

  constructor(item: Item, actions: PaneActions) {
    this.#item = item;
    this.#accept = button(`accept-${item.key}`, "primary");
    this.#cancel = button(`cancel-${item.key}`, "plain");
    this.#accept.addEventListener("click", () => actions.accept(item));
    this.#cancel.addEventListener("click", () => actions.cancel(item));
    this.element = h(
      "li",
      { "data-way": item.way },
      h("div", { class: "what" }, this.#name, this.#size),
      this.#bar,
      this.#state,
      this.#hash,
      this.#links,
      h("div", { class: "actions" }, this.#accept, this.#cancel),
    );
  }

  update(t: T): void {
    const item = this.#item;
    const { state, size, done, hash, links } = item;
    this.element.dataset["state"] = state;
    setText(this.#name, titleOf(item, t));
    this.#name.title = this.#name.textContent;
    setText(this.#size, sizeText(size, t));
    this.#bar.hidden = state !== "running" && state !== "lost";
    this.#bar.value = size === 0 ? 1 : done / size;
    this.#bar.setAttribute("aria-label", titleOf(item, t));
    setText(this.#state, stateText(item, t));
    setText(this.#hash, hash === "" ? "" : `SHA-256 ${hash}`);
    this.#hash.hidden = hash === "";
    this.#accept.hidden = state !== "offered";
    setLabel(this.#accept, t("files.accept"));
    this.#cancel.hidden = ["done", "failed", "cancelled"].includes(state);
    setLabel(this.#cancel, t(state === "offered" ? "files.refuse" : "files.cancel"));
    for (const { name, url } of links.slice(this.#links.children.length)) {
      const link = h("a", { href: url, download: name, class: "button plain" }, t("files.save", { name }));
      this.#links.append(link);
      if (links.length === 1 && item.others === 0 && hash !== "") link.click(); // one file: it is what they pressed for
    }
  }
}

function titleOf(item: Item, t: T): string {
  const name = item.name || t("files.nameless");
  return item.others === 0 ? name : t("files.several", { name, n: item.others });
}

function stateText(item: Item, t: T): string {
  const { state, way, why, done, size, rate } = item;
  switch (state) {
    case "running": {
      const fields = { done: sizeText(done, t), size: sizeText(size, t), rate: sizeText(rate, t) };
      return t(rate > 0 ? "files.running" : "files.begins", fields);
    }
    case "done":
      return t(way === "out" ? "files.sent" : "files.received");
    case "failed":
      return t(reasonKey(way, why));
    default:
      return t(`files.${state}`);
  }
}

const reasons: Partial<Record<FileReason, { out: TextKey; in: TextKey }>> = {
  [FileReason.NOT_ALLOWED]: { out: "files.why.notAllowed", in: "files.why.takenBack" },
  [FileReason.TOO_MANY]: { out: "files.why.tooMany", in: "files.why.other" },
  [FileReason.NO_ROOM]: { out: "files.why.noRoomThere", in: "files.why.noRoomHere" },
  [FileReason.FOLDER]: { out: "files.why.folderThere", in: "files.why.folderHere" },
  [FileReason.GONE]: { out: "files.why.goneHere", in: "files.why.goneThere" },
  [FileReason.CHANGED]: { out: "files.why.changed", in: "files.why.changed" },
  [FileReason.HASH]: { out: "files.why.hash", in: "files.why.hash" },
};

function reasonKey(way: Item["way"], why: FileReason): TextKey {
  return reasons[why]?.[way] ?? "files.why.other";
}

const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A size as it is said: 3.4 MB, 3,4 Mo. */
export function sizeText(bytes: number, t: T): string {
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000;
    unit++;
  }
  const name = t(`files.unit.${units[unit] ?? "byte"}` as TextKey);
  return `${number(bytes, t, unit === 0 || bytes >= 100 ? 0 : 1)}\u00a0${name}`;
}

// The tool of the channel `files`: the technician's files to the person, and those
// that the person gives.

import { FileMessageSchema } from "../gen/files_pb";
import { GrantState } from "../gen/session_pb";
import { ParticipantKind } from "../gen/signaling_pb";
import type { View } from "../state";
import type { Grants, Outlet, Tool, ToolView } from "../tool";
import type { Workshop } from "../toolbox";
import { button, setLabel } from "../view/dom";
import type { T } from "../view/texts";
import { decode, known } from "../wire/codec";
import { maxTool } from "../wire/limits";
import { Pane } from "./pane";
import { Receiving } from "./receiving";
import { Sending } from "./sending";
import type { Picked } from "./picking";
import type { Item } from "./transfer";

/** Between two looks at how far it is, ms. */
const every = 250;

export class FilesTool implements Tool, ToolView {
  readonly channel = "files";
  readonly kind = "pane";
  readonly button = button("show-files", "quiet", "file");
  readonly element: HTMLElement;
  readonly title: HTMLElement;
  #workshop: Workshop;
  #pane: Pane;
  #sending!: Sending;
  #receiving!: Receiving;
  #items: Item[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #may = false;
  #offered = 0;

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
    this.button.classList.add("compact");
    this.#pane = new Pane({
      add: (files) => this.add(files),
      ask: () => workshop.ask("file_out"),
      accept: (item) => void this.#receiving.accept(item),
      cancel: (item) => (item.way === "in" ? this.#receiving : this.#sending).cancel(item),
      close: () => workshop.open(this, false),
    });
    this.element = this.#pane.element;
    this.title = this.#pane.title;
    this.#pane.takesDrops(workshop.stage.element, () => this.#may);
    this.#renew();
  }

  /** Sends files; the person is asked first, if they were not. */
  add(files: readonly Picked[]): void {
    if (files.length === 0) return;
    this.#workshop.open(this, true);
    this.#sending.add(files);
  }

  heard(message: ArrayBuffer): void {
    const m = decode(FileMessageSchema, message, maxTool);
    if (!known(m)) return;
    const { body } = m;
    switch (body.case) {
      case "offer":
        this.#receiving.offer(body.value);
        return;
      case "chunk":
        this.#receiving.chunk(body.value);
        return;
      case "resume":
        this.#receiving.resume(body.value.id);
        return;
      case "answer":
        this.#sending.answer(body.value);
        return;
      case "progress":
        this.#sending.progress(body.value);
        return;
      case "done":
        (ours(body.value.id) ? this.#sending : this.#receiving).done(body.value);
        return;
      case "cancel":
        (ours(body.value.id) ? this.#sending : this.#receiving).cancelled(body.value.id, body.value.reason);
    }
  }

  connected(outlet: Outlet): void {
    this.#sending.connected(outlet);
    this.#receiving.connected(outlet);
  }

  disconnected(): void {
    this.#sending.disconnected();
    this.#receiving.disconnected();
  }

  anew(): void {
    this.#receiving.anew();
  }

  granted(grants: Grants): void {
    this.#sending.granted(grants["file_in"] ?? GrantState.UNSPECIFIED);
  }

  over(): void {
    this.#sending.over();
    this.#receiving.over();
    this.#renew();
  }

  update(view: View, t: T): void {
    const known = "file_in" in view.grants || "file_out" in view.grants;
    this.#may = view.state === "live" && known && view.kind !== ParticipantKind.OBSERVER;
    this.button.hidden = !this.#may;
    if (this.button.hidden && view.state === "live") this.element.hidden = true;
    const running = this.#items.filter(({ state }) => state === "running" || state === "offered").length;
    setLabel(this.button, running > 0 ? t("files.buttonCount", { n: running }) : t("files.title"));
    this.#pane.update(view, this.#items, t);
  }

  #renew(): void {
    this.#items = [];
    this.#offered = 0;
    const changed = () => this.#changed();
    this.#sending = new Sending(changed, () => this.#workshop.ask("file_in"));
    this.#receiving = new Receiving(changed);
  }

  // What was just given is to be seen; how far it is, four times a second at most.
  #changed(): void {
    const { items } = this.#receiving;
    if (items.length > this.#offered) {
      this.#offered = items.length;
      queueMicrotask(() => this.#workshop.open(this, true, true));
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const item of [...this.#sending.items, ...this.#receiving.items])
        if (!this.#items.includes(item)) this.#items.push(item);
      this.#workshop.changed();
    }, every);
  }
}

function ours(id: bigint): boolean {
  return id % 2n === 1n;
}

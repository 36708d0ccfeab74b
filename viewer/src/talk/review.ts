// A picture of the person's screen before it goes into the ticket: areas are
// blacked out by dragging over them, or by the keyboard, and only what is seen then
// is sent.

import { button, h, setLabel, setText } from "../view/dom";
import { arrows } from "../marks/arrows";
import type { T } from "../view/texts";
import { maxAttachment } from "../wire/limits";

interface Area {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** By what an arrow key moves, pixels of the picture. */
const step = 16;

export class Review {
  readonly element = h("dialog", { id: "talk-review", "aria-labelledby": "talk-review-title" });
  #title = h("h3", { id: "talk-review-title", tabindex: "-1" });
  #how = h("p", { class: "hint" });
  #canvas = h("canvas", { id: "talk-picture", tabindex: "0" });
  #undo = button("talk-undo", "plain");
  #attach = button("talk-attach", "primary");
  #cancel = button("talk-cancel", "plain");
  #trouble = h("p", { class: "hint", role: "status", id: "talk-review-status" });
  #image: ImageBitmap | undefined;
  #areas: Area[] = [];
  #from: { x: number; y: number } | undefined;
  #keyed: Area | undefined; // what the arrow keys have come to
  #run = 0; // of pictures that were begun to be shown
  #attached: (png: Blob) => Promise<boolean>;
  #closed: () => void;

  constructor(attached: (png: Blob) => Promise<boolean>, closed: () => void) {
    this.#attached = attached;
    this.#closed = closed;
    this.element.append(
      this.#title,
      this.#how,
      h("div", { class: "talk-frame" }, this.#canvas),
      this.#trouble,
      h("div", { class: "actions" }, this.#attach, this.#undo, this.#cancel),
    );
    this.#canvas.addEventListener("pointerdown", (event) => {
      this.#canvas.setPointerCapture(event.pointerId);
      this.#from = this.#at(event);
    });
    this.#canvas.addEventListener("pointermove", (event) => {
      if (this.#from) this.#draw(this.#between(this.#from, this.#at(event)));
    });
    this.#canvas.addEventListener("pointerup", (event) => {
      if (!this.#from) return;
      const area = this.#between(this.#from, this.#at(event));
      this.#from = undefined;
      if (area.w > 3 && area.h > 3) this.#areas.push(area);
      this.#draw();
    });
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    this.#undo.addEventListener("click", () => {
      this.#areas.pop();
      this.#draw();
    });
    this.#cancel.addEventListener("click", () => this.close());
    this.#attach.addEventListener("click", () => void this.#send());
    this.element.addEventListener("cancel", () => this.close());
  }

  /** Takes a picture to be shown by the next update; false: it is none. */
  async show(data: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const run = ++this.#run;
    let image: ImageBitmap;
    try {
      image = await createImageBitmap(new Blob([data], { type: "image/png" }));
    } catch {
      return false;
    }
    if (run !== this.#run) {
      image.close(); // closed meanwhile
      return true;
    }
    this.#image?.close();
    this.#image = image;
    this.#areas = [];
    this.#keyed = undefined;
    setText(this.#trouble, "");
    this.#canvas.width = image.width;
    this.#canvas.height = image.height;
    this.#draw();
    return true;
  }

  close(): void {
    this.#run++;
    this.element.close();
    this.#image?.close();
    this.#image = undefined;
    this.#areas = [];
    this.#canvas.width = this.#canvas.height = 0;
    this.#closed();
  }

  /** @param seen somebody looks at the pane: a modal dialog that nobody sees would block the page */
  update(t: T, seen: boolean): void {
    setText(this.#title, t("talk.review.title"));
    setText(this.#how, t("talk.review.how"));
    setLabel(this.#attach, t("talk.review.attach"));
    setLabel(this.#undo, t("talk.review.undo"));
    setLabel(this.#cancel, t("talk.review.cancel"));
    this.#canvas.setAttribute("aria-label", t("talk.review.picture"));
    this.#trouble.dataset["failed"] = t("talk.review.failed");
    this.#trouble.dataset["large"] = t("talk.trouble.large");
    if (!seen) this.element.close();
    else if (this.#image && !this.element.open && this.element.isConnected) {
      this.element.showModal();
      this.#title.focus();
    }
  }

  async #send(): Promise<void> {
    this.#attach.disabled = true;
    this.#draw(); // without what the keys only aim at
    const png = await new Promise<Blob | null>((done) => {
      this.#canvas.toBlob(done, "image/png");
    });
    const large = png !== null && png.size > maxAttachment;
    const ok = png !== null && !large && (await this.#attached(png));
    this.#attach.disabled = false;
    setText(this.#trouble, ok ? "" : (this.#trouble.dataset[large ? "large" : "failed"] ?? ""));
    if (ok) this.close();
  }

  // Arrows move an area, with Shift they size it, Enter blacks it out.
  #key(event: KeyboardEvent): void {
    const { width, height } = this.#canvas;
    const area = this.#keyed ?? { x: width / 2, y: height / 2, w: width / 8, h: height / 24 };
    const way = arrows[event.key];
    if (way) {
      const [x, y] = [step * way[0], step * way[1]];
      this.#keyed = event.shiftKey
        ? { ...area, w: Math.max(step, area.w + x), h: Math.max(step, area.h + y) }
        : { ...area, x: area.x + x, y: area.y + y };
    } else if (event.key === "Enter" && this.#keyed) {
      this.#areas.push(this.#keyed);
      this.#keyed = undefined;
    } else return;
    event.preventDefault();
    this.#draw(this.#keyed);
  }

  #at(event: PointerEvent): { x: number; y: number } {
    const box = this.#canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.#canvas.width,
      y: ((event.clientY - box.top) / box.height) * this.#canvas.height,
    };
  }

  #between(a: { x: number; y: number }, b: { x: number; y: number }): Area {
    return { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y) };
  }

  #draw(more?: Area): void {
    const context = this.#canvas.getContext("2d");
    if (!context || !this.#image) return;
    context.drawImage(this.#image, 0, 0);
    context.fillStyle = "#000";
    for (const { x, y, w, h } of more ? [...this.#areas, more] : this.#areas) context.fillRect(x, y, w, h);
    this.#undo.disabled = this.#areas.length === 0;
  }
}

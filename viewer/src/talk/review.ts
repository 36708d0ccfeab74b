// A picture of the person's screen before it goes into the ticket: areas are
// blacked out by dragging over them, or by the keyboard, and only what is seen then
// is sent.

import { button, h, setLabel, setText } from "../view/dom";
import type { T } from "../view/texts";
import { maxAttachment } from "../wire/limits";

interface Area {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

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
    this.#undo.addEventListener("click", () => {
      this.#areas.pop();
      this.#draw();
    });
    this.#cancel.addEventListener("click", () => this.close());
    this.#attach.addEventListener("click", () => void this.#send());
    this.element.addEventListener("cancel", () => this.close());
  }

  /** Shows a picture; false: it is none. */
  async show(data: Uint8Array<ArrayBuffer>): Promise<boolean> {
    try {
      this.#image = await createImageBitmap(new Blob([data], { type: "image/png" }));
    } catch {
      return false;
    }
    this.#areas = [];
    this.#canvas.width = this.#image.width;
    this.#canvas.height = this.#image.height;
    this.#draw();
    if (!this.element.open && this.element.isConnected) this.element.showModal();
    this.#title.focus();
    return true;
  }

  close(): void {
    this.element.close();
    this.#image?.close();
    this.#image = undefined;
    this.#areas = [];
    this.#canvas.width = this.#canvas.height = 0;
    this.#closed();
  }

  update(t: T): void {
    setText(this.#title, t("talk.review.title"));
    setText(this.#how, t("talk.review.how"));
    setLabel(this.#attach, t("talk.review.attach"));
    setLabel(this.#undo, t("talk.review.undo"));
    setLabel(this.#cancel, t("talk.review.cancel"));
    this.#canvas.setAttribute("aria-label", t("talk.review.picture"));
    this.#trouble.dataset["failed"] = t("talk.review.failed");
  }

  async #send(): Promise<void> {
    this.#attach.disabled = true;
    const png = await new Promise<Blob | null>((done) => {
      this.#canvas.toBlob(done, "image/png");
    });
    const ok = png !== null && png.size <= maxAttachment && (await this.#attached(png));
    this.#attach.disabled = false;
    setText(this.#trouble, ok ? "" : (this.#trouble.dataset["failed"] ?? ""));
    if (ok) this.close();
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

// Pointing, drawing and writing over the person's screen: the sheet with the
// tools, and the channel's end. The host enforces the grant and draws; what is here
// only spares it what it would refuse.

import { GrantState } from "../gen/session_pb";
import { ParticipantKind } from "../gen/signaling_pb";
import { MarkKind, MarkMessageSchema } from "../gen/marks_pb";
import type { View } from "../state";
import type { Grants, Outlet, Tool, ToolView } from "../tool";
import type { Workshop } from "../toolbox";
import { button, h, setLabel, setText } from "../view/dom";
import type { T } from "../view/texts";
import { clean, decode, encode, known } from "../wire/codec";
import { maxTool } from "../wire/limits";
import { Ink, type DrawTool, type Point } from "./ink";
import type { Steps } from "./steps";

/** Characters of a text over the screen. */
export const textLimit = 200;
/** ms between two places of the laser. */
const laserPace = 16;
/** Bytes that may wait: a laser that comes late points at nothing. */
const laserWaits = 2048;

const tools = ["laser", "pen", "arrow", "box", "ellipse", "text"] as const satisfies readonly DrawTool[];

export class Marks implements Tool, ToolView {
  readonly channel = "marks";
  readonly kind = "sheet";
  readonly button = button("show-marks", "quiet", "pen");
  readonly title = h("h3", { id: "marks-title", tabindex: "-1" });
  readonly element: HTMLElement;
  #workshop: Workshop;
  #steps: Steps;
  #ink: Ink;
  #outlet: Outlet | undefined;
  #state: GrantState | undefined;
  #tool: DrawTool = "laser";
  #laserAt = 0;
  #hint = h("p", { class: "hint", role: "status" });
  #ask = button("ask-annotate", "primary", "pen");
  #palette = h("div", { class: "palette", role: "toolbar" });
  #choices = tools.map((tool) => ({ tool, button: button(`mark-${tool}`, "plain", tool) }));
  #text = h("input", { id: "mark-words", type: "text", maxlength: String(textLimit), autocomplete: "off" });
  #textLabel = h("label", { for: "mark-words" });
  #writing = h("div", { class: "writing" }, this.#textLabel, this.#text);
  #undo = button("undo-mark", "plain", "undo");
  #wipe = button("wipe-marks", "plain", "wipe");
  #done = button("close-marks", "primary", "check");

  constructor(workshop: Workshop, steps: Steps) {
    this.#workshop = workshop;
    this.#steps = steps;
    this.#ink = new Ink({
      laser: (at) => this.#laser(at),
      pen: (points, more) => this.#draw(MarkKind.PEN, points, "", more),
      shape: (kind, from, to) => this.#draw(kind, [from, to]),
      place: (at) => this.#write(at),
      leave: () => workshop.open(this, false),
    });
    workshop.stage.layers.append(this.#ink.element);
    this.#palette.append(...this.#choices.map(({ button }) => button), this.#undo, this.#wipe);
    this.element = h(
      "section",
      {
        id: "marks-sheet",
        class: "sheet marks",
        part: "details",
        "aria-labelledby": "marks-title",
        hidden: true,
      },
      this.title,
      this.#hint,
      this.#palette,
      this.#writing,
      h("div", { class: "actions" }, this.#ask, this.#done),
    );
    for (const { tool, button } of this.#choices) {
      button.classList.add("compact");
      button.addEventListener("click", () => {
        this.#tool = tool;
        workshop.changed();
        if (tool === "text") this.#text.focus();
        else this.#ink.element.focus({ preventScroll: true });
      });
    }
    this.#ask.addEventListener("click", () => workshop.ask("annotate"));
    this.#done.addEventListener("click", () => workshop.open(this, false));
    this.#undo.addEventListener("click", () => {
      this.#ink.clear();
      this.#send({ case: "undo", value: {} });
    });
    this.#wipe.addEventListener("click", () => {
      this.#ink.clear();
      this.#send({ case: "wipe", value: {} });
    });
  }

  heard(message: ArrayBuffer): void {
    const m = decode(MarkMessageSchema, message, maxTool);
    if (!known(m)) return;
    if (m.body.case === "steps") this.#steps.listed(m.body.value);
    else if (m.body.case === "wipe") this.#ink.clear();
  }

  connected(outlet: Outlet): void {
    this.#outlet = outlet;
  }

  disconnected(): void {
    this.#outlet = undefined;
    this.#ink.clear();
  }

  granted(grants: Grants): void {
    const before = this.#state;
    this.#state = grants["annotate"];
    if (before === this.#state) return;
    if (this.#state !== GrantState.ALLOWED) this.#ink.clear();
    this.#workshop.changed();
  }

  over(): void {
    this.disconnected();
    this.#state = undefined;
    this.#text.value = "";
  }

  update(view: View, t: T): void {
    const may = this.#state === GrantState.ALLOWED;
    const asked = this.#state === GrantState.ASKED;
    const never = this.#state === GrantState.RULED_OUT;
    // A host that cannot draw does not know the grant; an observer only sees.
    this.button.hidden = this.#state === undefined || view.kind === ParticipantKind.OBSERVER;
    setLabel(this.button, t("marks.title"));
    setText(this.title, t("marks.title"));
    setText(
      this.#hint,
      t(may ? `marks.hint.${this.#tool}` : asked ? "marks.asked" : never ? "ruledOut" : "marks.lead"),
    );
    this.#palette.hidden = !may;
    this.#palette.setAttribute("aria-label", t("marks.title"));
    for (const { tool, button } of this.#choices) {
      setLabel(button, t(`marks.${tool}`));
      button.title = t(`marks.${tool}`);
      button.setAttribute("aria-pressed", String(tool === this.#tool));
    }
    this.#writing.hidden = !may || this.#tool !== "text";
    setText(this.#textLabel, t("marks.write"));
    for (const [control, key] of [
      [this.#undo, "marks.undo"],
      [this.#wipe, "marks.wipe"],
    ] as const) {
      setLabel(control, t(key));
      control.title = t(key);
    }
    setLabel(this.#done, t(may ? "marks.done" : "details.close"));
    this.#ask.hidden = may;
    this.#ask.disabled = asked || never || !view.pathUp;
    setLabel(this.#ask, t(asked ? "toolbar.asked" : "marks.ask"));
    this.#ink.label = t("marks.area");
    this.#ink.size(view.width, view.height);
    const drawing = may && !this.element.hidden && view.state === "live";
    this.#ink.tool = drawing ? this.#tool : undefined;
    this.button.toggleAttribute("data-on", drawing);
  }

  #laser(at: Point): void {
    const now = performance.now();
    if (now - this.#laserAt < laserPace || (this.#outlet?.waiting ?? 0) > laserWaits) return;
    this.#laserAt = now;
    this.#send({ case: "laser", value: { x: at.x, y: at.y } }, true);
  }

  #write(at: Point): void {
    const text = clean(this.#text.value).slice(0, textLimit);
    if (text === "") {
      this.#text.focus();
      return;
    }
    this.#draw(MarkKind.TEXT, [at], text);
  }

  #draw(kind: MarkKind, points: readonly Point[], text = "", more = false): void {
    this.#send({ case: "draw", value: { kind, points: points.flatMap(({ x, y }) => [x, y]), text, more } });
  }

  #send(body: Parameters<typeof messageOf>[0], optional = false): void {
    this.#outlet?.send(messageOf(body, optional));
  }
}

type Body = NonNullable<Parameters<typeof encode<typeof MarkMessageSchema>>[1]["body"]>;

/** One message of the channel. */
export function messageOf(body: Body, optional = false): Uint8Array<ArrayBuffer> {
  return encode(MarkMessageSchema, { optional, body }, maxTool);
}

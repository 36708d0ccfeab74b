// What the technician draws, over the picture: a layer that takes the pointer
// while a drawing tool is chosen, and shows a stroke at once. The host draws it too,
// and then it is in the picture itself, so that ours may go.

import { MarkKind } from "../gen/marks_pb";
import { arrows } from "./arrows";

/** A place in the picture, in its pixels. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export type DrawTool = "laser" | "pen" | "arrow" | "box" | "ellipse" | "text";

export interface InkEvents {
  laser(at: Point): void;
  /** The pen goes on: points that were not told yet. */
  pen(points: readonly Point[], more: boolean): void;
  shape(kind: MarkKind.ARROW | MarkKind.BOX | MarkKind.ELLIPSE, from: Point, to: Point): void;
  /** A place for what is written. */
  place(at: Point): void;
  /** Escape. */
  leave(): void;
}

/** ms: by then the picture shows it. */
const ourTime = 1500;
/** Pixels of the picture that an arrow key goes, with and without Shift. */
const keyStep = 10;
const keyLeap = 50;

const shapes = { arrow: MarkKind.ARROW, box: MarkKind.BOX, ellipse: MarkKind.ELLIPSE } as const;
const svg = <K extends keyof SVGElementTagNameMap>(name: K) =>
  document.createElementNS("http://www.w3.org/2000/svg", name);

export class Ink {
  readonly element = svg("svg");
  #cross = svg("path");
  #events: InkEvents;
  #tool: DrawTool | undefined;
  #width = 1;
  #height = 1;
  #pointer: number | undefined; // that draws
  #from: Point | undefined;
  #ours: SVGGElement | undefined; // what is being drawn
  #points: Point[] = [];
  #told = 0;
  #key: Point | undefined; // where the arrow keys have come to
  #fading = new Set<ReturnType<typeof setTimeout>>();

  constructor(events: InkEvents) {
    this.#events = events;
    this.element.id = "ink";
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("role", "application");
    this.#cross.setAttribute("class", "cross");
    this.element.append(this.#cross);
    const { element } = this;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", (event) => this.#up(event));
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("keydown", (event) => this.#keyed(event));
    element.addEventListener("blur", () => this.#aim(undefined));
  }

  set label(text: string) {
    this.element.setAttribute("aria-label", text);
  }

  size(width: number, height: number): void {
    if (width === this.#width && height === this.#height) return;
    this.#width = Math.max(1, width);
    this.#height = Math.max(1, height);
    this.element.setAttribute("viewBox", `0 0 ${this.#width} ${this.#height}`);
    this.clear();
  }

  get tool(): DrawTool | undefined {
    return this.#tool;
  }

  /** Undefined: the pointer is not ours. */
  set tool(tool: DrawTool | undefined) {
    if (tool === this.#tool) return;
    this.#tool = tool;
    this.#drop();
    this.#aim(undefined);
    if (tool === undefined) {
      delete this.element.dataset["tool"];
      this.element.removeAttribute("tabindex");
    } else {
      this.element.dataset["tool"] = tool;
      this.element.setAttribute("tabindex", "0");
    }
  }

  /** Takes away what we show ourselves. */
  clear(): void {
    this.#drop();
    for (const timer of this.#fading) clearTimeout(timer);
    this.#fading.clear();
    this.element.replaceChildren(this.#cross);
  }

  #at(event: MouseEvent): Point {
    const box = this.element.getBoundingClientRect();
    const part = (from: number, size: number, of: number) =>
      Math.min(of - 1, Math.max(0, Math.floor((from / Math.max(1, size)) * of)));
    return {
      x: part(event.clientX - box.left, box.width, this.#width),
      y: part(event.clientY - box.top, box.height, this.#height),
    };
  }

  #down(event: PointerEvent): void {
    if (this.#tool === undefined || event.button !== 0 || this.#pointer !== undefined) return;
    event.preventDefault();
    event.stopPropagation(); // it drags nothing
    this.element.focus({ preventScroll: true });
    this.#pointer = event.pointerId;
    this.element.setPointerCapture(event.pointerId);
    this.#begin(this.#at(event));
  }

  #begin(at: Point): void {
    switch (this.#tool) {
      case undefined:
        return;
      case "laser":
        this.#events.laser(at);
        return;
      case "text":
        this.#events.place(at);
        return;
      case "pen":
        this.#points = [at];
        this.#told = 0;
        this.#tell();
    }
    this.#from = at;
    this.#ours = svg("g");
    this.#ours.setAttribute("class", "ours");
    this.element.append(this.#ours);
    this.#draw(at);
  }

  #move(event: PointerEvent): void {
    if (this.#tool === "laser") {
      this.#events.laser(this.#at(event));
      return;
    }
    if (event.pointerId !== this.#pointer) return;
    if (this.#tool === "pen") {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const one of all.length > 0 ? all : [event]) {
        const at = this.#at(one);
        const last = this.#points.at(-1);
        if (last === undefined || Math.hypot(at.x - last.x, at.y - last.y) >= 2) this.#points.push(at);
      }
      this.#tell();
    }
    this.#draw(this.#at(event));
  }

  #up(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = undefined;
    if (event.type === "pointercancel" && this.#tool !== "pen") this.#drop();
    else this.#end(this.#at(event));
  }

  #end(at: Point): void {
    const from = this.#from;
    const tool = this.#tool;
    if (from === undefined || tool === undefined) return;
    if (tool === "arrow" || tool === "box" || tool === "ellipse") {
      if (Math.hypot(at.x - from.x, at.y - from.y) < 4) {
        this.#drop(); // a slip
        return;
      }
      this.#events.shape(shapes[tool], from, at);
    }
    const drawn = this.#ours;
    this.#from = this.#ours = undefined;
    this.#points = [];
    if (drawn === undefined) return;
    const timer = setTimeout(() => {
      drawn.remove();
      this.#fading.delete(timer);
    }, ourTime);
    this.#fading.add(timer);
  }

  #drop(): void {
    this.#ours?.remove();
    this.#from = this.#ours = this.#pointer = undefined;
    this.#points = [];
  }

  // At most a thousand points a message.
  #tell(): void {
    while (this.#told < this.#points.length) {
      const some = this.#points.slice(this.#told, this.#told + 512);
      this.#events.pen(some, this.#told > 0);
      this.#told += some.length;
    }
  }

  /** Draws the present mark from where it began: each line twice, its white edge first. */
  #draw(to: Point): void {
    const from = this.#from;
    if (from === undefined || this.#ours === undefined) return;
    const path = pathOf(this.#tool, from, to, this.#points);
    let [edge, line] = Array.from(this.#ours.children);
    if (edge === undefined || line === undefined) {
      edge = svg("path");
      edge.setAttribute("class", "edge");
      line = svg("path");
      this.#ours.append(edge, line);
    }
    edge.setAttribute("d", path);
    line.setAttribute("d", path);
  }

  // The same without a pointer: the arrow keys aim, Enter begins and ends.
  #keyed(event: KeyboardEvent): void {
    if (this.#tool === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    const way = arrows[event.key];
    if (event.key === "Escape") this.#events.leave();
    else if (way !== undefined) {
      const step = event.shiftKey ? keyLeap : keyStep;
      const at = this.#key ?? { x: Math.floor(this.#width / 2), y: Math.floor(this.#height / 2) };
      this.#aim({
        x: Math.min(this.#width - 1, Math.max(0, at.x + way[0] * step)),
        y: Math.min(this.#height - 1, Math.max(0, at.y + way[1] * step)),
      });
    } else if (event.key === "Enter" && this.#key !== undefined) {
      if (this.#from === undefined) this.#begin(this.#key);
      else this.#end(this.#key);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #aim(at: Point | undefined): void {
    this.#key = at;
    this.#cross.setAttribute("d", at === undefined ? "" : `M${at.x - 12} ${at.y}h24M${at.x} ${at.y - 12}v24`);
    if (at === undefined) return;
    if (this.#tool === "laser") this.#events.laser(at);
    if (this.#from === undefined) return;
    if (this.#tool === "pen") {
      this.#points.push(at);
      this.#tell();
    }
    this.#draw(at);
  }
}

/** The line of a mark, as an SVG path. */
export function pathOf(tool: DrawTool | undefined, from: Point, to: Point, points: readonly Point[]): string {
  switch (tool) {
    case "pen":
      return (
        points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${x} ${y}`).join("") +
        (points.length === 1 ? "h0" : "")
      );
    case "arrow": {
      const [dx, dy] = [from.x - to.x, from.y - to.y];
      const long = Math.max(1, Math.hypot(dx, dy));
      const size = Math.min(22, Math.max(long / 2, 8)) / long;
      const barb = (side: 1 | -1) => {
        const x = to.x + (dx * 0.866 - side * dy * 0.5) * size;
        const y = to.y + (side * dx * 0.5 + dy * 0.866) * size;
        return `${x.toFixed(1)} ${y.toFixed(1)}`;
      };
      return `M${from.x} ${from.y}L${to.x} ${to.y}M${barb(1)}L${to.x} ${to.y}L${barb(-1)}`;
    }
    case "box":
      return `M${from.x} ${from.y}H${to.x}V${to.y}H${from.x}Z`;
    case "ellipse": {
      const [rx, ry] = [Math.abs(to.x - from.x) / 2, Math.abs(to.y - from.y) / 2];
      const [x, y] = [Math.min(from.x, to.x), (from.y + to.y) / 2];
      return `M${x} ${y}a${rx} ${ry} 0 1 0 ${2 * rx} 0a${rx} ${ry} 0 1 0 ${-2 * rx} 0Z`;
    }
    default:
      return "";
  }
}

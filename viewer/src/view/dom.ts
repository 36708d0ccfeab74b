// Makes elements. Text only ever becomes a text node: what comes from the wire
// is hostile, and the page's Trusted Types allow nothing else.

type Attributes = Record<string, string | boolean>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Sets a text if it is another one, so that a screen reader hears only changes. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Line icons on a 20 × 20 grid, for the eye only. */
const icons = {
  eye: "M2 10s3-5.5 8-5.5S18 10 18 10s-3 5.5-8 5.5S2 10 2 10Z M10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  pointer: "M5 3.5v12l3.2-2.9 2 4.4 2-.9-2-4.3 4.3-.4L5 3.5Z",
  expand: "M7.5 3.5h-4v4 M12.5 3.5h4v4 M7.5 16.5h-4v-4 M12.5 16.5h4v-4",
  screen: "M2.5 4h15v10h-15Z M7 17h6 M10 14v3",
  restart: "M15.5 7A6.2 6.2 0 1 0 16 11 M16 3.5V7.5H12",
  info: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Z M10 9.2v4.3 M10 6.4v.2",
  stop: "M5 5h10v10H5Z",
  check: "M4 10.5l4 4 8-9",
  warning: "M10 3.5 18 17H2L10 3.5Z M10 8.5v4 M10 14.6v.2",
  plus: "M10 4v12 M4 10h12",
  people:
    "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z M2 16.5c0-3 2.3-5 5.5-5s5.5 2 5.5 5 M13 4a2.7 2.7 0 0 1 0 5.2 M15 12c1.9.6 3 2.2 3 4.5",
  leave: "M12 3.5H4.5v13H12 M9 10h8.5 M14.5 7l3 3-3 3",
  arrow: "M1 1v15l4-3.6 2.4 5.6 2.6-1.1-2.4-5.5 5.4-.5Z",
  talk: "M3 4h14v9.5H9L5.5 17v-3.5H3Z M6 7.5h8 M6 10h5",
  keyboard: "M2.5 5h15v10h-15Z M5 8h.2 M7.5 8h.2 M10 8h.2 M12.5 8h.2 M15 8h.2 M6.5 12h7",
  clip: "M7 4.5H5v12.5h10V4.5h-2 M7.5 3h5v3h-5Z M7.5 9.5h5 M7.5 12.5h5",
  pen: "M3.5 16.5l1-4L14 3l3 3-9.5 9.5-4 1Z M12 5l3 3",
  laser: "M10 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4Z M10 2.5v2.5 M10 15v2.5 M2.5 10h2.5 M15 10h2.5",
  box: "M3.5 5h13v10h-13Z",
  ellipse: "M10 15.5c4 0 7-2.5 7-5.5s-3-5.5-7-5.5-7 2.5-7 5.5 3 5.5 7 5.5Z",
  text: "M4.5 6V4h11v2 M10 4v12.5 M7.5 16.5h5",
  undo: "M7 4.5 3.5 8 7 11.5 M3.5 8H12a4 4 0 0 1 0 8H8",
  wipe: "M8 16.5 3.5 12 12 3.5l5 5-8 8Z M7.5 8l5 5 M8 16.5h9",
  list: "M8 5.5h9 M8 10h9 M8 14.5h9 M3 5.5l1 1 1.8-2 M3 10l1 1 1.8-2 M3 14.5l1 1 1.8-2",
  lock: "M5 9h10v8H5Z M7.2 9V6.3a2.8 2.8 0 0 1 5.6 0V9 M10 12.3v1.4",
  file: "M5 2.5h6l4 4v11H5Z M11 2.5v4h4 M10 9v5.5 M7.8 12.3 10 14.5l2.2-2.2",
} as const;

export type IconName = keyof typeof icons;

export function icon(name: IconName): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icons[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon and a text of its own, which setLabel changes. */
export function button(
  id: string,
  look: "primary" | "plain" | "danger" | "quiet",
  name?: IconName,
): HTMLButtonElement {
  const label = h("span", { class: "label" });
  const element = h("button", { id, type: "button", class: `button ${look}`, part: `button ${id}` }, label);
  if (name) element.prepend(icon(name));
  return element;
}

export function setLabel(element: HTMLButtonElement, text: string): void {
  const label = element.querySelector(".label");
  if (label) setText(label, text);
}

// How the help desk shows itself: the server writes it into the head of every page, so
// that nothing is asked for and nothing else is seen before.

export interface Logo {
  src: string;
  /** Pixels of the picture; it is shown smaller. */
  width: number;
  height: number;
  /** What it needs under it: "light" on dark pages, "dark" on light ones. */
  plate: "light" | "dark" | "";
}

export interface Shown {
  /** Hostile text; empty: that of the product. */
  name: string;
  logo: Logo | null;
}

/** A logo as wide as a name stands without it, and says it by its alternative text. */
export const alone = (l: Logo | null): boolean => l !== null && l.width >= 2 * l.height;

export function plate(s: string | null | undefined): Logo["plate"] {
  return s === "light" || s === "dark" ? s : "";
}

/** What stands in the head of a page: the content and the data of its meta element. */
export function read(head: { content: string; dataset: Record<string, string | undefined> } | null): Shown {
  const { logo: src, width, height, plate: under } = head?.dataset ?? {};
  const [w, h] = [Number(width), Number(height)];
  const logo = src !== undefined && w > 0 && h > 0 ? { src, width: w, height: h, plate: plate(under) } : null;
  return { name: head?.content ?? "", logo };
}

let shown = $state.raw(
  read(
    typeof document === "undefined" ? null : document.querySelector<HTMLMetaElement>('meta[name="mf-brand"]'),
  ),
);

export function brand(): Shown {
  return shown;
}

/** Shows another one on this page; sheet is the path of its stylesheet, empty for none. */
export function rebrand(to: Shown, sheet: string): void {
  shown = to;
  const old = document.querySelector<HTMLLinkElement>('link[href^="/brand/"]');
  if (old?.getAttribute("href") === sheet) return;
  if (sheet === "") {
    old?.remove();
    return;
  }
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = sheet;
  if (old !== null)
    link.onload = () => {
      old.remove();
    }; // no moment without a colour
  document.head.append(link);
}

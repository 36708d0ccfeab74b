// Shortcuts of a single key. They can be switched off (WCAG 2.1.4), and they
// never act while somebody types or while a session holds the keyboard. And the
// one that opens the palette.

const place = "mf_single_keys";

function read(): boolean {
  try {
    return localStorage.getItem(place) !== "off";
  } catch {
    return true; // storage is blocked: the default
  }
}

class SingleKeys {
  on = $state(read());

  set(on: boolean): void {
    this.on = on;
    try {
      localStorage.setItem(place, on ? "on" : "off");
    } catch {
      // Storage is blocked: it holds until the page is left.
    }
  }
}

export const singleKeys = new SingleKeys();

/** Runs act for a plain key; if it did something, the key is taken. */
export function onShortcut(e: KeyboardEvent, act: (key: string) => boolean): void {
  if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
  if (e.composedPath().some(takesKeys)) return;
  if (act(e.key)) e.preventDefault();
}

/** Whether Command is what others call Ctrl. */
export const mac = (): boolean => /Mac|iPhone|iPad/.test(navigator.userAgent);

/** The keys of the palette, as they are shown. */
export const paletteKeys = (): string => (mac() ? "⌘ K" : "Ctrl+K");

/**
 * Whether a key opens the palette: Ctrl+K, Command+K on a Mac. In a session every key is the remote computer's (C120);
 * from the toolbar of the session, which Ctrl+Alt+Home leads to, and before there is a picture, none is.
 */
export function opensPalette(e: KeyboardEvent): boolean {
  const [held, other] = mac() ? [e.metaKey, e.ctrlKey] : [e.ctrlKey, e.metaKey];
  if (!held || other || e.altKey || e.shiftKey || e.isComposing || e.repeat || e.defaultPrevented)
    return false;
  if (e.key.toLowerCase() !== "k") return false;
  const path = e.composedPath().filter((x) => x instanceof HTMLElement);
  if (path.some((x) => x.tagName === "DIALOG")) return false;
  const session = path.findIndex((x) => x.tagName === "REMOTE-SESSION");
  if (session < 0 || (path[session] as { state?: unknown }).state !== "live") return true;
  return path.slice(0, session).some((x) => x.getAttribute("role") === "toolbar");
}

function takesKeys(target: EventTarget): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== "radio" && target.type !== "checkbox";
  return (
    target.isContentEditable || ["TEXTAREA", "SELECT", "DIALOG", "REMOTE-SESSION"].includes(target.tagName)
  );
}

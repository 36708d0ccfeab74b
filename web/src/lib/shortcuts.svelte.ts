// Shortcuts of a single key. They can be switched off (WCAG 2.1.4), and they
// never act while somebody types or while a session holds the keyboard.

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

function takesKeys(target: EventTarget): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== "radio" && target.type !== "checkbox";
  return (
    target.isContentEditable || ["TEXTAREA", "SELECT", "DIALOG", "REMOTE-SESSION"].includes(target.tagName)
  );
}

// Keys: from DOM events to key and text events of PROTOCOL.md §1.9.
//
// A key travels as its physical usage, with the character it typed where it was
// pressed, modifiers and locks; the host decides between key and text. Text
// that comes from no single key (input methods, dead keys, emoji pickers)
// travels as text. The class takes plain values, so that its rules are tested
// without a browser; attachKeyboard wires it to a hidden text area.

import { Lock, Modifier } from "../wire/input";
import { maxKeyText } from "../wire/limits";
import { isCopy, isPaste, type Holding, type Paster } from "./paste";
import { usages } from "./usage";

/** Where key events go: the Sender. */
export interface KeySink {
  key(event: { usage: number; down: boolean; modifiers: number; locks: number; key: string }): void;
  text(text: string): void;
  release(): void;
}

/** What is read from a KeyboardEvent. */
export interface KeyInput {
  readonly code: string;
  readonly key: string;
  readonly keyCode: number;
  readonly repeat: boolean;
  readonly isComposing: boolean;
  getModifierState(name: string): boolean;
}

export type System = "windows" | "mac" | "other";

/** The modifiers that each modifier key may stand for. */
const modifierKeys: ReadonlyMap<string, number> = new Map([
  ["ShiftLeft", Modifier.shift],
  ["ShiftRight", Modifier.shift],
  ["ControlLeft", Modifier.control],
  ["ControlRight", Modifier.control],
  ["AltLeft", Modifier.alt],
  ["AltRight", Modifier.alt | Modifier.altGraph],
  ["MetaLeft", Modifier.meta],
  ["MetaRight", Modifier.meta],
  ["OSLeft", Modifier.meta],
  ["OSRight", Modifier.meta],
]);

/** Keys that an input method has: what comes of them arrives as text. */
const inputMethodKeys: ReadonlySet<string> = new Set(["Dead", "Process", "Compose"]);

/** How long ControlLeft waits on Windows for the AltRight that would make it AltGr, ms. */
const altGrWait = 100;

export class Keyboard {
  #sink: KeySink;
  #system: System;
  #down = new Map<string, number>(); // code -> usage that was sent
  #control: KeyInput | undefined; // ControlLeft that may be the first half of AltGr
  #controlTimer: ReturnType<typeof setTimeout> | undefined;
  #options = new Map<string, KeyInput>(); // macOS: Option keys that are down and so far only type
  #composing = false;
  #typed = ""; // by the key that is down: the same as text would be that key once more

  constructor(sink: KeySink, system: System) {
    this.#sink = sink;
    this.#system = system;
  }

  /** Takes a keydown and tells whether the browser's own action must be prevented. */
  keydown(event: KeyInput): boolean {
    this.#typed = "";
    // Windows sends ControlLeft and at once AltRight for AltGr; the Control was never pressed.
    const altGr = this.#control !== undefined && event.code === "AltRight" && event.key === "AltGraph";
    if (altGr) this.#dropControl();
    else this.#flushControl();

    // An input method or a dead key has it: what comes of it arrives as text. keyCode is
    // deprecated and still the only sign that Chromium gives for some input methods.
    if (event.isComposing || event.keyCode === 229 || inputMethodKeys.has(event.key)) return false;
    const usage = usages.get(event.code);
    if (usage === undefined) return this.#withoutUsage(event);
    if (event.repeat || this.#down.has(event.code)) {
      // The remote desktop repeats nothing itself: a keyup that a bad line holds back would
      // double letters there. It repeats when this keyboard does.
      if (event.repeat && this.#down.has(event.code) && !modifierKeys.has(event.code))
        this.#press(event, usage);
      return true;
    }

    if (event.code === "CapsLock" && this.#system === "mac") {
      this.#press(event, usage); // macOS: keydown when the lock goes on, keyup when it goes off
      this.#lift(event);
      return true;
    }
    if (event.code === "ControlLeft" && this.#system === "windows" && !event.getModifierState("AltGraph")) {
      this.#control = event;
      this.#controlTimer = setTimeout(() => this.#flushControl(), altGrWait);
      return true;
    }
    if (this.#system === "mac" && !this.#option(event)) return true;
    this.#reconcile(event);
    this.#press(event, usage);
    return true;
  }

  // macOS: Option is AltGr for keys that type and Alt for those that do not. Which it is, the
  // next key tells. Returns whether this key goes out now.
  #option(event: KeyInput): boolean {
    if ((modifierKeys.get(event.code) ?? 0) & Modifier.alt) {
      this.#options.set(event.code, event);
      return false;
    }
    if (modifierKeys.has(event.code) || typesByOption(event)) return true;
    for (const [code, option] of this.#options) {
      const usage = usages.get(code);
      if (usage !== undefined) this.#press(option, usage);
    }
    this.#options.clear();
    return true;
  }

  /** Takes a keyup and tells whether the browser's own action must be prevented. */
  keyup(event: KeyInput): boolean {
    this.#typed = "";
    this.#flushControl();
    if (event.code === "CapsLock" && this.#system === "mac") {
      const usage = usages.get(event.code);
      if (usage !== undefined) this.#press(event, usage);
    }
    this.#options.delete(event.code); // alone it does nothing
    this.#lift(event);
    // macOS sends no keyup for a key that is released while Meta is held.
    if (this.#system === "mac" && modifierKeys.get(event.code) === Modifier.meta) {
      for (const code of [...this.#down.keys()]) if (!modifierKeys.has(code)) this.#liftCode(code, event);
    }
    // Windows loses the keyup of one Shift while the other is held.
    if (
      this.#system === "windows" &&
      modifierKeys.get(event.code) === Modifier.shift &&
      !event.getModifierState("Shift")
    ) {
      for (const code of ["ShiftLeft", "ShiftRight"]) this.#liftCode(code, event);
    }
    return true;
  }

  compositionStart(): void {
    this.#composing = true;
  }

  compositionEnd(text: string): void {
    this.#composing = false;
    this.text(text);
  }

  /**
   * Takes text that no key made. Pasted and dropped text is not for us: the
   * clipboard has its own grant. Preventing a keydown prevents its text, but
   * some tools (DevTools, on-screen keyboards) send the text as a thing of its own.
   */
  beforeInput(type: string, data: string | null): void {
    if (this.#composing || data === null) return;
    if (data === this.#typed) {
      this.#typed = "";
      return;
    }
    if (type === "insertText" || type === "insertReplacementText") this.text(data);
  }

  text(text: string): void {
    if (text !== "") this.#sink.text(text);
  }

  /** Focus or connection went: everything goes up. */
  release(): void {
    this.#dropControl();
    this.#options.clear();
    this.#composing = false;
    this.#down.clear();
    this.#sink.release();
  }

  // A virtual keyboard sends characters without a code.
  #withoutUsage(event: KeyInput): boolean {
    if (event.code !== "") return true; // a key of another HID page
    if (event.key === "Unidentified") return false; // its text follows as beforeinput
    const shortcut = (modifiersOf(event, this.#system) & ~(Modifier.shift | Modifier.altGraph)) !== 0;
    if (isCharacter(event.key) && !shortcut) this.#sink.text(event.key);
    return true;
  }

  #press(event: KeyInput, usage: number): void {
    this.#down.set(event.code, usage);
    if (isCharacter(event.key)) this.#typed = event.key;
    this.#send(event, usage, true, event.key);
  }

  #lift(event: KeyInput): void {
    this.#liftCode(event.code, event);
  }

  #liftCode(code: string, event: KeyInput): void {
    const usage = this.#down.get(code);
    if (usage === undefined) return; // went down elsewhere, or was text
    this.#down.delete(code);
    this.#send(event, usage, false, code === event.code ? event.key : "");
  }

  // A modifier whose keyup the window manager kept for itself would stick: the state in the next key tells.
  #reconcile(event: KeyInput): void {
    if (modifierKeys.has(event.code) || event.getModifierState("AltGraph")) return;
    const held = modifiersOf(event, this.#system);
    for (const code of [...this.#down.keys()]) {
      const modifier = modifierKeys.get(code);
      if (modifier !== undefined && (held & modifier) === 0) this.#liftCode(code, event);
    }
  }

  #send(event: KeyInput, usage: number, down: boolean, key: string): void {
    this.#sink.key({
      usage,
      down,
      modifiers:
        this.#system === "mac" && typesByOption(event)
          ? (modifiersOf(event, this.#system) & ~Modifier.alt) | Modifier.altGraph
          : modifiersOf(event, this.#system),
      locks: locksOf(event),
      key: isCharacter(key) ? key : "",
    });
  }

  #flushControl(): void {
    const event = this.#control;
    this.#dropControl();
    const usage = event && usages.get(event.code);
    if (event && usage !== undefined) this.#press(event, usage);
  }

  #dropControl(): void {
    clearTimeout(this.#controlTimer);
    this.#control = undefined;
  }
}

/** Modifiers that are held. On Windows AltGr also reports Control and Alt, which nobody pressed. */
export function modifiersOf(event: Pick<KeyInput, "getModifierState">, system: System): number {
  const altGraph = event.getModifierState("AltGraph");
  const hide = altGraph && system === "windows";
  return (
    (event.getModifierState("Shift") ? Modifier.shift : 0) |
    (event.getModifierState("Control") && !hide ? Modifier.control : 0) |
    (event.getModifierState("Alt") && !hide ? Modifier.alt : 0) |
    (event.getModifierState("Meta") ? Modifier.meta : 0) |
    (altGraph ? Modifier.altGraph : 0)
  );
}

export function locksOf(event: Pick<KeyInput, "getModifierState">): number {
  return (
    (event.getModifierState("CapsLock") ? Lock.caps : 0) |
    (event.getModifierState("NumLock") ? Lock.num : 0) |
    (event.getModifierState("ScrollLock") ? Lock.scroll : 0)
  );
}

/** On macOS a character that came with Option alone, perhaps Shift, was typed by it. */
function typesByOption(event: KeyInput): boolean {
  return (
    event.getModifierState("Alt") &&
    !event.getModifierState("Control") &&
    !event.getModifierState("Meta") &&
    isCharacter(event.key)
  );
}

const encoder = new TextEncoder();

// Named keys ("Enter", "F1") are ASCII words; a character is one code point, or a few that belong together.
function isCharacter(key: string): boolean {
  if (key === "" || /\p{Cs}/u.test(key) || encoder.encode(key).length > maxKeyText) return false;
  return [...key].length === 1 || !/^[A-Za-z0-9]+$/.test(key);
}

/** The technician's system, as far as keys differ by it. */
export function systemOf(userAgent: string): System {
  if (/Windows/.test(userAgent)) return "windows";
  if (/Mac OS X|Macintosh/.test(userAgent)) return "mac";
  return "other";
}

/** Ctrl+Alt+Home leaves the picture for the toolbar, so that the keyboard is never trapped. */
export function isLeaveKey(event: KeyInput): boolean {
  return event.code === "Home" && event.getModifierState("Control") && event.getModifierState("Alt");
}

/**
 * Listens on a hidden text area, which is what input methods write into.
 * Returns what stops it.
 */
export function attachKeyboard(
  area: HTMLTextAreaElement,
  keyboard: Keyboard,
  leave: () => void,
  holding?: Holding,
  paster?: () => Paster | undefined,
): () => void {
  const stop = new AbortController();
  const on = { signal: stop.signal };
  const clear = () => {
    area.value = "";
  };
  area.addEventListener(
    "keydown",
    (event) => {
      event.stopPropagation();
      if (isLeaveKey(event)) {
        event.preventDefault();
        keyboard.release();
        leave();
        return;
      }
      if (isCopy(event)) paster?.()?.copies();
      if (holding && paster?.()?.ready() && isPaste(event)) {
        // Not prevented: the browser's paste event brings what is to be pasted. It goes first.
        holding.hold();
        keyboard.keydown(event);
        return;
      }
      if (keyboard.keydown(event)) event.preventDefault();
    },
    on,
  );
  area.addEventListener(
    "keyup",
    (event) => {
      event.stopPropagation();
      if (keyboard.keyup(event)) event.preventDefault();
    },
    on,
  );
  area.addEventListener("compositionstart", () => keyboard.compositionStart(), on);
  area.addEventListener(
    "compositionend",
    (event) => {
      keyboard.compositionEnd(event.data);
      clear();
    },
    on,
  );
  area.addEventListener("beforeinput", (event) => keyboard.beforeInput(event.inputType, event.data), on);
  area.addEventListener(
    "input",
    (event) => {
      if (!(event instanceof InputEvent) || !event.isComposing) clear();
    },
    on,
  );
  area.addEventListener("drop", (event) => event.preventDefault(), on);
  area.addEventListener(
    "paste",
    (event) => {
      event.preventDefault();
      const by = paster?.();
      if (!by || !holding?.holds || !event.clipboardData) return;
      holding.keep();
      void by.paste(event.clipboardData).then(
        (landed) => (landed ? holding.resume() : keyboard.release()),
        () => keyboard.release(),
      );
    },
    on,
  );
  area.addEventListener("blur", () => keyboard.release(), on);
  area.ownerDocument.addEventListener(
    "visibilitychange",
    () => {
      if (area.ownerDocument.hidden) keyboard.release();
    },
    on,
  );
  return () => {
    stop.abort();
    keyboard.release();
  };
}

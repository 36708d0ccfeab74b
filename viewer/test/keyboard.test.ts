// Keys and text, with the oddities of systems and input methods.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  attachKeyboard,
  isLeaveKey,
  Keyboard,
  systemOf,
  type KeyInput,
  type System,
} from "../src/input/keyboard";

type Held = "Shift" | "Control" | "Alt" | "Meta" | "AltGraph" | "CapsLock" | "NumLock" | "ScrollLock";

/** What the host would get, in words: "+04/a" is key 4 down typing a, "-04" up, "=é" text. */
class Log {
  lines: string[] = [];
  details: { modifiers: number; locks: number }[] = [];
  key(e: { usage: number; down: boolean; modifiers: number; locks: number; key: string }) {
    const usage = e.usage.toString(16).padStart(2, "0");
    this.lines.push(e.down ? `+${usage}${e.key && `/${e.key}`}` : `-${usage}`);
    this.details.push({ modifiers: e.modifiers, locks: e.locks });
  }
  text(text: string) {
    this.lines.push(`=${text}`);
  }
  release() {
    this.lines.push("release");
  }
}

function event(code: string, key: string, held: Held[] = [], more: Partial<KeyInput> = {}): KeyInput {
  return {
    code,
    key,
    keyCode: 0,
    repeat: false,
    isComposing: false,
    getModifierState: (name) => (held as string[]).includes(name),
    ...more,
  };
}

function setup(system: System = "other") {
  const log = new Log();
  return { log, keyboard: new Keyboard(log, system) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a key", () => {
  test("travels as its physical usage with what it typed", () => {
    const { log, keyboard } = setup();
    expect(keyboard.keydown(event("KeyQ", "a"))).toBe(true); // AZERTY
    expect(keyboard.keyup(event("KeyQ", "a"))).toBe(true);
    keyboard.keydown(event("Enter", "Enter"));
    expect(log.lines).toEqual(["+14/a", "-14", "+28"]);
  });

  test("carries modifiers and locks", () => {
    const { log, keyboard } = setup();
    keyboard.keydown(
      event("KeyC", "c", ["Control", "Shift", "Alt", "Meta", "CapsLock", "NumLock", "ScrollLock"]),
    );
    keyboard.keydown(event("KeyE", "€", ["AltGraph"]));
    expect(log.details).toEqual([
      { modifiers: 15, locks: 7 },
      { modifiers: 16, locks: 0 },
    ]);
  });

  test("repeats on the wire when this keyboard does, and a modifier never", () => {
    const { log, keyboard } = setup();
    keyboard.keydown(event("KeyA", "a"));
    expect(keyboard.keydown(event("KeyA", "a", [], { repeat: true }))).toBe(true);
    keyboard.keydown(event("KeyA", "a"));
    expect(log.lines).toEqual(["+04/a", "+04/a"]);
    keyboard.keydown(event("ShiftLeft", "Shift"));
    keyboard.keydown(event("ShiftLeft", "Shift", ["Shift"], { repeat: true }));
    expect(log.lines.filter((line) => line.toLowerCase().startsWith("+e1"))).toHaveLength(1);
  });

  test("repeats only if it went down here", () => {
    const { log, keyboard } = setup();
    expect(keyboard.keydown(event("KeyA", "a", [], { repeat: true }))).toBe(true);
    expect(log.lines).toEqual([]);
  });

  test("of another HID page is kept from the page and from the wire", () => {
    const { log, keyboard } = setup();
    expect(keyboard.keydown(event("BrowserBack", "BrowserBack"))).toBe(true);
    expect(log.lines).toEqual([]);
  });

  test("that went down elsewhere has no up", () => {
    const { log, keyboard } = setup();
    keyboard.keyup(event("KeyA", "a"));
    expect(log.lines).toEqual([]);
  });

  test("types a character of several code points, but no name and no half character", () => {
    const { log, keyboard } = setup();
    keyboard.keydown(event("KeyA", "🙂"));
    keyboard.keydown(event("KeyB", "e\u0301"));
    keyboard.keydown(event("KeyC", "\ud83d"));
    keyboard.keydown(event("F1", "F1"));
    expect(log.lines).toEqual(["+04/🙂", "+05/e\u0301", "+06", "+3a"]);
  });
});

describe("text", () => {
  test.each([
    ["isComposing", { isComposing: true }],
    ["keyCode 229", { keyCode: 229 }],
  ])("an input method's key (%s) is not sent; its result is", (_, more) => {
    const { log, keyboard } = setup();
    keyboard.compositionStart();
    expect(keyboard.keydown(event("KeyN", "n", [], more))).toBe(false);
    keyboard.beforeInput("insertCompositionText", "n");
    keyboard.beforeInput("insertText", "n"); // some input methods say this as well
    keyboard.keyup(event("KeyN", "n", [], more));
    keyboard.compositionEnd("你");
    expect(log.lines).toEqual(["=你"]);
  });

  test("a composition that is given up sends nothing", () => {
    const { log, keyboard } = setup();
    keyboard.compositionStart();
    keyboard.compositionEnd("");
    expect(log.lines).toEqual([]);
  });

  test("a dead key waits for the letter that it changes", () => {
    const { log, keyboard } = setup();
    expect(keyboard.keydown(event("BracketLeft", "Dead"))).toBe(false);
    keyboard.keyup(event("BracketLeft", "Dead"));
    keyboard.keydown(event("KeyE", "ê"));
    keyboard.keyup(event("KeyE", "e"));
    expect(log.lines).toEqual(["+08/ê", "-08"]);
  });

  test("the Compose key and what it composes with are the input method's", () => {
    const { log, keyboard } = setup();
    expect(keyboard.keydown(event("ContextMenu", "Compose"))).toBe(false);
    keyboard.keyup(event("ContextMenu", "Compose"));
    keyboard.beforeInput("insertText", "ß");
    expect(log.lines).toEqual(["=ß"]);
  });

  test("from an emoji picker or a virtual keyboard arrives as text", () => {
    const { log, keyboard } = setup();
    keyboard.beforeInput("insertText", "🎉");
    expect(keyboard.keydown(event("", "Unidentified"))).toBe(false);
    keyboard.beforeInput("insertText", "ç");
    expect(keyboard.keydown(event("", "ö"))).toBe(true);
    expect(keyboard.keydown(event("", "v", ["Control"]))).toBe(true);
    expect(log.lines).toEqual(["=🎉", "=ç", "=ö"]);
  });

  test("a tool that sends a key and then its text as well types it once", () => {
    const { log, keyboard } = setup();
    keyboard.keydown(event("KeyB", "B"));
    keyboard.beforeInput("insertText", "B");
    keyboard.keyup(event("KeyB", "B"));
    keyboard.beforeInput("insertText", "B");
    expect(log.lines).toEqual(["+05/B", "-05", "=B"]);
  });

  test.each(["insertFromPaste", "insertFromDrop", "deleteContentBackward"])("%s is not for us", (type) => {
    const { log, keyboard } = setup();
    keyboard.beforeInput(type, "secret");
    expect(log.lines).toEqual([]);
  });
});

describe("everything goes up", () => {
  test("when the focus goes, once", () => {
    const { log, keyboard } = setup();
    keyboard.keydown(event("ShiftLeft", "Shift", ["Shift"]));
    keyboard.release();
    keyboard.keyup(event("ShiftLeft", "Shift"));
    expect(log.lines).toEqual(["+e1", "release"]);
  });

  test("a modifier whose keyup the window manager kept goes up before the next key", () => {
    const { log, keyboard } = setup();
    keyboard.keydown(event("AltLeft", "Alt", ["Alt"]));
    keyboard.keydown(event("Tab", "Tab", ["Alt"]));
    keyboard.keydown(event("KeyA", "a"));
    expect(log.lines).toEqual(["+e2", "+2b", "-e2", "+04/a"]);
  });

  test("but AltGr stays down while its own state says so", () => {
    const { log, keyboard } = setup();
    keyboard.keydown(event("AltRight", "AltGraph", ["AltGraph"]));
    keyboard.keydown(event("KeyE", "€", ["AltGraph"]));
    expect(log.lines).toEqual(["+e6", "+08/€"]);
  });
});

// C34: the browser's half, on what a page can know of it.
describe("what is held goes up", () => {
  type Page = EventTarget & { hidden: boolean };
  test.each<[string, (area: EventTarget, page: Page, stop: () => void) => void]>([
    ["when something else takes the focus", (area) => area.dispatchEvent(new Event("blur"))],
    [
      "when the page is hidden",
      (_, page) => {
        page.hidden = true;
        page.dispatchEvent(new Event("visibilitychange"));
      },
    ],
    ["when the hands are taken away", (_, __, stop) => stop()],
  ])("%s", (_, happens) => {
    const { log, keyboard } = setup();
    const page: Page = Object.assign(new EventTarget(), { hidden: false });
    const area = Object.assign(new EventTarget(), { value: "", ownerDocument: page });
    const stop = attachKeyboard(area as unknown as HTMLTextAreaElement, keyboard, () => undefined);
    keyboard.keydown(event("KeyA", "a"));
    page.dispatchEvent(new Event("visibilitychange")); // it is visible: nothing is lost
    expect(log.lines).toEqual(["+04/a"]);
    happens(area, page, stop);
    expect(log.lines).toEqual(["+04/a", "release"]);
    stop();
  });
});

describe("Windows", () => {
  test("AltGr is one key: the Control before it was never pressed", () => {
    const { log, keyboard } = setup("windows");
    keyboard.keydown(event("ControlLeft", "Control", ["Control"]));
    keyboard.keydown(event("AltRight", "AltGraph", ["Control", "Alt", "AltGraph"]));
    keyboard.keydown(event("KeyE", "€", ["Control", "Alt", "AltGraph"]));
    keyboard.keyup(event("KeyE", "€", ["Control", "Alt", "AltGraph"]));
    keyboard.keyup(event("ControlLeft", "Control", ["Alt", "AltGraph"]));
    keyboard.keyup(event("AltRight", "AltGraph"));
    vi.runAllTimers();
    expect(log.lines).toEqual(["+e6", "+08/€", "-08", "-e6"]);
    expect(log.details[1]?.modifiers).toBe(16);
  });

  test("a Control of its own goes out with the next key, or after 100 ms", () => {
    const { log, keyboard } = setup("windows");
    keyboard.keydown(event("ControlLeft", "Control", ["Control"]));
    expect(log.lines).toEqual([]);
    keyboard.keydown(event("KeyC", "c", ["Control"]));
    keyboard.keyup(event("KeyC", "c", ["Control"]));
    keyboard.keyup(event("ControlLeft", "Control"));
    keyboard.keydown(event("ControlLeft", "Control", ["Control"]));
    vi.advanceTimersByTime(100);
    expect(log.lines).toEqual(["+e0", "+06/c", "-06", "-e0", "+e0"]);
  });

  test("a Control that is only tapped is sent", () => {
    const { log, keyboard } = setup("windows");
    keyboard.keydown(event("ControlLeft", "Control", ["Control"]));
    keyboard.keyup(event("ControlLeft", "Control"));
    expect(log.lines).toEqual(["+e0", "-e0"]);
  });

  test("the Shift whose keyup is lost goes up with the other", () => {
    const { log, keyboard } = setup("windows");
    keyboard.keydown(event("ShiftLeft", "Shift", ["Shift"]));
    keyboard.keydown(event("ShiftRight", "Shift", ["Shift"]));
    keyboard.keyup(event("ShiftRight", "Shift"));
    expect(log.lines).toEqual(["+e1", "+e5", "-e5", "-e1"]);
  });
});

describe("macOS", () => {
  test("what was held with Meta goes up with it, since its own keyup never comes", () => {
    const { log, keyboard } = setup("mac");
    keyboard.keydown(event("MetaLeft", "Meta", ["Meta"]));
    keyboard.keydown(event("KeyC", "c", ["Meta"]));
    keyboard.keyup(event("MetaLeft", "Meta"));
    expect(log.lines).toEqual(["+e3", "+06/c", "-e3", "-06"]);
  });

  test("Option types like AltGr: no Alt opens a menu of the host", () => {
    const { log, keyboard } = setup("mac");
    keyboard.keydown(event("AltLeft", "Alt", ["Alt"]));
    keyboard.keydown(event("KeyL", "@", ["Alt"]));
    keyboard.keyup(event("KeyL", "@", ["Alt"]));
    keyboard.keyup(event("AltLeft", "Alt"));
    expect(log.lines).toEqual(["+0f/@", "-0f"]);
    expect(log.details[0]?.modifiers).toBe(16);
  });

  test("Option is Alt for a key that types nothing, and in a shortcut", () => {
    const { log, keyboard } = setup("mac");
    keyboard.keydown(event("AltLeft", "Alt", ["Alt"]));
    keyboard.keydown(event("F4", "F4", ["Alt"]));
    keyboard.keyup(event("F4", "F4", ["Alt"]));
    keyboard.keyup(event("AltLeft", "Alt"));
    expect(log.lines).toEqual(["+e2", "+3d", "-3d", "-e2"]);
    log.lines.length = 0;
    keyboard.keydown(event("ControlLeft", "Control", ["Control"]));
    keyboard.keydown(event("AltLeft", "Alt", ["Control", "Alt"]));
    keyboard.keydown(event("KeyT", "t", ["Control", "Alt"]));
    expect(log.lines).toEqual(["+e0", "+e2", "+17/t"]);
    expect(log.details.at(-1)?.modifiers).toBe(6);
  });

  test("CapsLock, which is down while the lock is on, is one press each time", () => {
    const { log, keyboard } = setup("mac");
    keyboard.keydown(event("CapsLock", "CapsLock", ["CapsLock"]));
    keyboard.keyup(event("CapsLock", "CapsLock"));
    expect(log.lines).toEqual(["+39", "-39", "+39", "-39"]);
  });
});

test("Ctrl+Alt+Home leaves, and nothing else does", () => {
  expect(isLeaveKey(event("Home", "Home", ["Control", "Alt"]))).toBe(true);
  expect(isLeaveKey(event("Home", "Home", ["Control"]))).toBe(false);
  expect(isLeaveKey(event("Home", "Home", ["Alt"]))).toBe(false);
  expect(isLeaveKey(event("End", "End", ["Control", "Alt"]))).toBe(false);
});

test("systems are told apart as far as keys differ", () => {
  expect(systemOf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/156")).toBe("windows");
  expect(systemOf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605")).toBe("mac");
  expect(systemOf("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Firefox/153.0")).toBe("other");
});

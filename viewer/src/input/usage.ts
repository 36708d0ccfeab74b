// Physical keys: KeyboardEvent.code (W3C UI Events code values) to the usage on
// page 7 (Keyboard/Keypad) of the USB HID Usage Tables 1.5. A key that only
// exists on another HID page (browser and media launch keys, Fn) has no entry
// and never leaves the browser.

function row(codes: string, first: number): [string, number][] {
  return codes.split(" ").map((code, i) => [code, first + i]);
}

const letters = Array.from({ length: 26 }, (_, i) => `Key${String.fromCharCode(65 + i)}`).join(" ");
const upperFunctions = Array.from({ length: 12 }, (_, i) => `F${i + 13}`).join(" ");

/** Usage of every code that has one on page 7. */
export const usages: ReadonlyMap<string, number> = new Map<string, number>([
  ...row(letters, 0x04),
  ...row("Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0", 0x1e),
  ...row("Enter Escape Backspace Tab Space Minus Equal BracketLeft BracketRight Backslash", 0x28),
  // 0x32 is the key beside Enter on ISO keyboards; browsers call it Backslash too.
  ...row("Semicolon Quote Backquote Comma Period Slash CapsLock", 0x33),
  ...row("F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12", 0x3a),
  ...row("PrintScreen ScrollLock Pause Insert Home PageUp Delete End PageDown", 0x46),
  ...row("ArrowRight ArrowLeft ArrowDown ArrowUp", 0x4f),
  ...row("NumLock NumpadDivide NumpadMultiply NumpadSubtract NumpadAdd NumpadEnter", 0x53),
  ...row(
    "Numpad1 Numpad2 Numpad3 Numpad4 Numpad5 Numpad6 Numpad7 Numpad8 Numpad9 Numpad0 NumpadDecimal",
    0x59,
  ),
  ...row("IntlBackslash ContextMenu Power NumpadEqual", 0x64),
  ...row(upperFunctions, 0x68),
  ...row("Open Help", 0x74),
  ["Props", 0xa3],
  ["Select", 0x77],
  ...row("Again Undo Cut Copy Paste Find AudioVolumeMute AudioVolumeUp AudioVolumeDown", 0x79),
  ["NumpadComma", 0x85],
  ...row("IntlRo KanaMode IntlYen Convert NonConvert", 0x87),
  ...row("Lang1 Lang2 Lang3 Lang4 Lang5", 0x90),
  ["Abort", 0x9b],
  ...row("NumpadParenLeft NumpadParenRight", 0xb6),
  ["NumpadBackspace", 0xbb],
  ...row("NumpadMemoryStore NumpadMemoryRecall NumpadMemoryClear NumpadMemoryAdd NumpadMemorySubtract", 0xd0),
  ...row("NumpadClear NumpadClearEntry", 0xd8),
  ...row("ControlLeft ShiftLeft AltLeft MetaLeft ControlRight ShiftRight AltRight MetaRight", 0xe0),
  // Firefox before 118 called the Meta keys OS.
  ...row("OSLeft", 0xe3),
  ...row("OSRight", 0xe7),
]);

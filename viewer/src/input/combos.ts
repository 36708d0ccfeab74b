// Keys that a browser or its system keeps for itself, pressed from the toolbar.

import { Modifier } from "../wire/input";
import type { KeySink } from "./keyboard";
import { usages } from "./usage";

/** Codes in the order in which they go down. */
export const combos = {
  ctrlAltDel: ["ControlLeft", "AltLeft", "Delete"],
  super: ["MetaLeft"],
  altTab: ["AltLeft", "Tab"],
  altF4: ["AltLeft", "F4"],
  ctrlShiftEsc: ["ControlLeft", "ShiftLeft", "Escape"],
  printScreen: ["PrintScreen"],
} as const satisfies Record<string, readonly string[]>;

export type Combo = keyof typeof combos;

const modifiers: ReadonlyMap<string, number> = new Map([
  ["ControlLeft", Modifier.control],
  ["ShiftLeft", Modifier.shift],
  ["AltLeft", Modifier.alt],
  ["MetaLeft", Modifier.meta],
]);

/**
 * How long they stay down, ms. A window manager that takes Alt+Tab grabs the
 * keyboard first, and waits for ever for an Alt that went up before (openbox 3.6).
 */
const holdFor = 80;

/** Presses the keys one after another, and lets them go the other way round a moment later. */
export function press(sink: Pick<KeySink, "key">, combo: Combo): void {
  const codes = combos[combo];
  let held = 0;
  const key = (code: string, down: boolean) => {
    const usage = usages.get(code);
    if (usage !== undefined) sink.key({ usage, down, modifiers: held, locks: 0, key: "" });
  };
  for (const code of codes) {
    held |= modifiers.get(code) ?? 0;
    key(code, true);
  }
  setTimeout(() => {
    for (const code of codes.toReversed()) {
      held &= ~(modifiers.get(code) ?? 0);
      key(code, false);
    }
  }, holdFor);
}

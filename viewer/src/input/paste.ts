// Pasting: what the technician copied has to be on the person's clipboard before
// the keys that paste it arrive there. Until then every key waits, in order.

import type { KeyInput, KeySink } from "./keyboard";

/** What a paste or a copy in the picture means besides its keys. */
export interface Paster {
  /** Whether a paste goes by the clipboard now. */
  ready(): boolean;
  /**
   * Puts it on the person's clipboard.
   * @returns false: it is not there, so that the keys would paste something else
   */
  paste(data: DataTransfer): Promise<boolean>;
  /** The keys that copy were pressed. */
  copies(): void;
}

/** How long the browser may take from the key to its paste event, ms. */
const pasteWait = 300;

/** A sink before another, in which keys can wait. */
export class Holding implements KeySink {
  #sink: KeySink;
  #waiting: (() => void)[] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sink: KeySink) {
    this.#sink = sink;
  }

  /** From now on everything waits; no longer than a moment, unless `keep` is called. */
  hold(): void {
    this.#waiting ??= [];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.resume(), pasteWait);
  }

  keep(): void {
    clearTimeout(this.#timer);
  }

  resume(): void {
    clearTimeout(this.#timer);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const send of waiting) send();
  }

  get holds(): boolean {
    return this.#waiting !== undefined;
  }

  key(event: Parameters<KeySink["key"]>[0]): void {
    if (this.#waiting) this.#waiting.push(() => this.#sink.key(event));
    else this.#sink.key(event);
  }

  text(text: string): void {
    if (this.#waiting) this.#waiting.push(() => this.#sink.text(text));
    else this.#sink.text(text);
  }

  /** What waits is dropped: it would come after everything went up. */
  release(): void {
    clearTimeout(this.#timer);
    this.#waiting = undefined;
    this.#sink.release();
  }
}

const command = (event: KeyInput) =>
  (event.getModifierState("Control") || event.getModifierState("Meta")) && !event.getModifierState("Alt");

/** The keys for which browsers paste. */
export function isPaste(event: KeyInput): boolean {
  if (event.repeat) return false;
  return (
    (command(event) && event.key.toLowerCase() === "v") ||
    (event.code === "Insert" && event.getModifierState("Shift") && !event.getModifierState("Control"))
  );
}

/** The keys with which programs copy. */
export function isCopy(event: KeyInput): boolean {
  if (event.repeat || !command(event)) return false;
  return event.key.toLowerCase() === "c" || event.key.toLowerCase() === "x" || event.code === "Insert";
}

// Puts the bytes of the zstd stream together from two channels: pieces, all of
// them and in order, and parts, which repeat some of them and may come sooner, in
// any order, or never (PROTOCOL.md §1.10). Whichever comes first counts.

import type { Part, Piece } from "../wire/picture";
import { BadStream } from "./zstd";

/** Parts that may wait for what comes before them; more are dropped: the pieces bring it too. */
const maxWaiting = 64;
/** How many updates ahead a part may be. */
const maxAhead = 16;

/** Whether update a comes before b; the numbers wrap. */
const before = (a: number, b: number) => ((a - b) | 0) < 0;

export class Assembly {
  #deliver: (update: number, data: Uint8Array<ArrayBuffer>, last: boolean, byPart: boolean) => void;
  #next: number | undefined; // the update whose bytes come next
  #got = 0; // of them, bytes that were delivered
  #piece: { update: number; size: number } | undefined; // how far the pieces are
  #waiting: Part[] = [];

  /** @param deliver takes the stream's bytes in order; byPart tells that a part brought them first */
  constructor(
    deliver: (update: number, data: Uint8Array<ArrayBuffer>, last: boolean, byPart: boolean) => void,
  ) {
    this.#deliver = deliver;
  }

  /** A picture begins: only a piece tells which update is its first. */
  reset(): void {
    this.#next = undefined;
    this.#got = 0;
    this.#piece = undefined;
    this.#waiting = [];
  }

  piece({ update, last, data }: Piece): void {
    if (this.#piece?.update !== update) this.#piece = { update, size: 0 };
    const offset = this.#piece.size;
    this.#piece.size += data.length;
    if (this.#next !== undefined && before(update, this.#next)) return; // parts brought it
    if (this.#next !== update) {
      if (this.#got > 0) throw new BadStream("pieces of two updates mixed");
      this.#next = update;
    }
    this.#take(offset, data, last, false);
    this.#drain();
  }

  part(part: Part): void {
    const ahead = this.#next === undefined ? -1 : (part.update - this.#next) | 0;
    if (ahead < 0 || ahead >= maxAhead || this.#waiting.length >= maxWaiting) return;
    this.#waiting.push(part);
    this.#drain();
  }

  #take(offset: number, data: Uint8Array<ArrayBuffer>, last: boolean, byPart: boolean): void {
    const known = this.#got - offset;
    if (known > data.length || (known === data.length && !last)) return;
    const update = this.#next ?? 0;
    this.#got += data.length - known;
    if (last) {
      this.#next = (update + 1) >>> 0;
      this.#got = 0;
    }
    this.#deliver(update, data.subarray(known), last, byPart);
  }

  #drain(): void {
    for (let again = true; again && this.#waiting.length > 0;) {
      again = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const part of waiting) {
        const { update, offset } = part;
        const next = this.#next;
        if (next === undefined || before(update, next)) continue;
        if (update !== next || offset > this.#got) {
          this.#waiting.push(part);
          continue;
        }
        this.#take(offset, part.data, part.last, true);
        again = true;
      }
    }
  }
}

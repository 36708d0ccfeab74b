// How many bytes of a file may be on their way: as many as the line takes, and no
// queue before keys and the picture. It watches delay, as LEDBAT does (RFC 6817), and
// every second round trip sets its window to what would have taken the line's own
// delay and a little, as FAST TCP does (draft-jin-wei-jacobsson-tcp-fast). The host's
// twin is host/session/scavenger.go.

/** How long what is on its way may wait in queues, in ms. */
export const delay = 25;
/** Bounds of the bytes on their way. */
const least = 8 << 10;
const most = 2 << 20;
/** How often the line's own delay is measured anew, in ms: that needs a line that is almost empty. */
const period = 30_000;

export class Scavenger {
  #window = 4 * least;
  #full = false; // the window kept something back in this round
  #sent = 0;
  #acked = 0;
  #flying: { end: number; at: number }[] = [];
  #round = 0; // acked ends a round there
  #settled = false; // all of the round was sent under this window
  #fastest = Infinity; // of the round
  #line = Infinity; // the least delay of this period
  #before = Infinity; // and of the one before
  #began: number;
  #emptying = false; // the line is left almost empty
  #kept = 0; // the window before that

  /** @param now as all times, in ms */
  constructor(now: number) {
    this.#began = now;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Whether more may be sent. */
  room(): boolean {
    if (this.#sent - this.#acked < this.#window) return true;
    this.#full = true;
    return false;
  }

  /** Bytes for one message, at most limit: a key waits behind it. */
  piece(limit: number): number {
    return Math.min(limit, Math.max(this.#window >> 2, least / 4));
  }

  sends(now: number, bytes: number): void {
    this.#sent += bytes;
    this.#flying.push({ end: this.#sent, at: now });
  }

  /** So many bytes have arrived, of all that were sent. */
  hears(now: number, acked: number): void {
    let n = 0;
    while ((this.#flying[n]?.end ?? Infinity) <= acked) n++;
    this.#acked = Math.max(this.#acked, acked);
    const last = this.#flying[n - 1];
    if (last === undefined) return;
    this.#fastest = Math.min(this.#fastest, now - last.at);
    this.#flying.splice(0, n);
    if (this.#acked < this.#round) return;
    if (this.#settled) this.#turn(now, Math.max(this.#fastest, 0.001));
    this.#settled = !this.#settled;
    this.#round = this.#sent;
    this.#fastest = Infinity;
    this.#full = false;
  }

  // Ends a round whose fastest message took that long.
  #turn(now: number, took: number): void {
    this.#line = Math.min(this.#line, took);
    if (this.#emptying) {
      this.#emptying = false;
      this.#window = Math.max(this.#kept >> 2, least);
      return;
    }
    if (now - this.#began >= period) {
      this.#before = this.#line;
      this.#line = Infinity;
      this.#began = now;
      this.#kept = this.#window;
      this.#window = least;
      this.#emptying = true;
      return;
    }
    let change = (Math.min(this.#line, this.#before) + delay) / took;
    if (change > 1) {
      if (!this.#full) return; // it was not the window that held it up
      change = (1 + change) / 2;
    }
    const next = Math.trunc(this.#window * Math.min(Math.max(change, 0.5), 1.5));
    this.#window = Math.min(Math.max(next, least), most);
  }
}

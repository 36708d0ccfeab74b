// The way into a session: what it needs is fetched while the code is being typed, and
// awaited when the code is sent. Whoever turns back meanwhile does not enter.

export interface Told {
  /** A code waits to be sent. It must not change any more: what was sent is what stands there. */
  busy(on: boolean): void;
  /** What a session needs could not be had. */
  failed(): void;
}

export class Entrance<T> {
  #fetch: () => Promise<T>;
  #told: Told;
  #coming: Promise<T> | undefined;
  #pending: object | undefined;

  constructor(fetch: () => Promise<T>, told: Told) {
    this.#fetch = fetch;
    this.#told = told;
  }

  /** Fetches once. A failure is not kept: what comes next tries again. */
  async fetch(): Promise<T> {
    const coming = (this.#coming ??= this.#fetch());
    try {
      return await coming;
    } catch (error) {
      if (this.#coming === coming) this.#coming = undefined;
      throw error;
    }
  }

  /** Enters with what was fetched, unless somebody is at it already. What enter throws is the caller's. */
  async go(enter: (room: T) => void): Promise<void> {
    if (this.#pending) return;
    const pending = (this.#pending = {});
    this.#told.busy(true);
    let room: { it: T } | undefined;
    try {
      room = { it: await this.fetch() };
    } catch {
      room = undefined; // told below, to who still waits for it
    }
    if (this.#pending !== pending) return; // called off
    this.callOff();
    if (room === undefined) this.#told.failed();
    else enter(room.it);
  }

  /** Nobody enters any more who has not yet. */
  callOff(): void {
    if (!this.#pending) return;
    this.#pending = undefined;
    this.#told.busy(false);
  }
}

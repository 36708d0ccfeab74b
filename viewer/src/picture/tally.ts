// What painting costs here, counted where it is done and taken about once a
// second by whoever looks: nothing is kept of a single update.

/** Sums since they were taken last. */
export interface Painted {
  readonly updates: number;
  /** Unpacking and painting them, ms. */
  readonly work: number;
  /** From their arrival until somebody had time for them, ms. */
  readonly wait: number;
}

export class Tally {
  #updates = 0;
  #work = 0;
  #wait = 0;

  /** One update is on the canvas. */
  painted(work: number, wait: number): void {
    this.#updates++;
    this.#work += work;
    this.#wait += wait;
  }

  take(): Painted {
    const taken = { updates: this.#updates, work: this.#work, wait: this.#wait };
    this.#updates = this.#work = this.#wait = 0;
    return taken;
  }
}

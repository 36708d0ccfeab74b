// How the picture comes, measured while somebody looks: the host's figures put
// together with what is counted here.

import type { HostConnection } from "./connection";
import type { Figures } from "./gen/session_pb";
import type { Painted } from "./picture/tally";
import type { View } from "./state";
import { measure, type Counters, type Measured } from "./verdict";

/** How long the host's figures may be late before that itself says something, ms. */
const figuresLate = 3_000;

export interface GaugeNeeds {
  connection(): HostConnection | undefined;
  /** What was painted since this was asked for last. */
  painted(): Promise<Painted>;
  changed(part: Pick<View, "route"> | Pick<View, "measured">): void;
}

export class Gauge {
  #needs: GaugeNeeds;
  #on = false;
  #counters: Counters | undefined; // when the figures came last
  #measured: Measured | null = null;
  #late: ReturnType<typeof setTimeout> | undefined;

  constructor(needs: GaugeNeeds) {
    this.#needs = needs;
  }

  /** Begins to measure, or ends it. */
  turn(on: boolean): void {
    if (on === this.#on) return;
    this.#on = on;
    this.#needs.connection()?.hint({ case: "measure", value: { on } });
    this.#counters = undefined;
    this.#show(null);
    clearTimeout(this.#late);
    if (!on) return;
    void this.#needs.painted(); // what was painted before is no part of it
    void this.#count();
  }

  /** The host of a new connection has to be told. */
  connected(): void {
    if (this.#on) this.#needs.connection()?.hint({ case: "measure", value: { on: true } });
    this.#counters = undefined;
  }

  async figures(host: Figures): Promise<void> {
    if (!this.#on) return;
    const [painted, before] = await Promise.all([this.#needs.painted(), this.#count()]);
    const now = this.#counters;
    if (!this.#on || now === undefined) return;
    if (before) this.#show(measure(host, painted, before, now));
    clearTimeout(this.#late);
    this.#late = setTimeout(() => {
      // What carries the figures carries the pictures.
      const measured = this.#measured;
      if (measured) this.#show({ ...measured, waits: figuresLate, held: Math.max(1, measured.held) });
    }, figuresLate);
  }

  close(): void {
    this.#on = false;
    clearTimeout(this.#late);
  }

  // The counters so far, and the way: the beginning of what is measured next.
  async #count(): Promise<Counters | undefined> {
    const stats = await this.#needs
      .connection()
      ?.stats()
      .catch(() => undefined);
    if (stats === undefined || !this.#on) return undefined;
    this.#needs.changed({ route: stats.route });
    const before = this.#counters;
    this.#counters = stats.counters;
    return before;
  }

  #show(measured: Measured | null): void {
    this.#measured = measured;
    this.#needs.changed({ measured });
  }
}

// Whether this browser paints as fast as pictures come. The host never has more
// than two updates on their way, so the time that one takes here is all that a
// slow browser adds; the line has no part in it. One for all connections of a
// session: what was said of this browser stands until it is taken back.

/** Over what time the median is taken, ms, and of how many updates at least. */
const span = 2_000;
const least = 3;
/** Slow above the first, good again below the second, ms. */
const slowAbove = 250;
const goodBelow = 150;
/** From one change to the next, ms. */
const calm = 5_000;
/** A burst of updates is judged by its newest. */
const maxSamples = 256;

export class Pace {
  #samples: { at: number; ms: number }[] = [];
  #slow = false;
  #changed = -Infinity;

  /**
   * An update was painted, ms after it arrived.
   * @returns the new state if it is another one
   */
  painted(at: number, ms: number): { slow: boolean; ms: number } | undefined {
    this.#samples.push({ at, ms });
    if (this.#samples.length > maxSamples) this.#samples.shift();
    while ((this.#samples[0]?.at ?? at) < at - span) this.#samples.shift();
    if (this.#samples.length < least || at - this.#changed < calm) return undefined;
    // Whether the median is past its limit is counted, not sorted: this runs for every update.
    let past = 0;
    for (const { ms } of this.#samples) if (this.#slow ? ms < goodBelow : ms > slowAbove) past++;
    const half = this.#samples.length >> 1;
    if (this.#slow ? past <= half : past < this.#samples.length - half) return undefined;
    this.#slow = !this.#slow;
    this.#changed = at;
    const sorted = this.#samples.map((s) => s.ms).sort((a, b) => a - b);
    return { slow: this.#slow, ms: Math.round(sorted[half] ?? 0) };
  }
}

// Why the picture is as late as it is: one sentence, and what each station
// takes. Written once a second while somebody looks; nothing moves in between.

import type { View } from "../state";
import { quick, stations, verdict, type Cause, type Measured, type Station, type Verdict } from "../verdict";
import { h, setText } from "./dom";
import { number, type T, type TextKey } from "./texts";

const said: Readonly<Record<Cause, TextKey>> = {
  unknown: "cause.unknown",
  still: "cause.still",
  film: "cause.film",
  good: "cause.good",
  capture: "cause.capture",
  encode: "cause.encode",
  narrow: "cause.narrow",
  far: "cause.far",
  loss: "cause.loss",
  wait: "cause.wait",
  paint: "cause.paint",
};

export class Causes {
  readonly element: HTMLElement;
  #title = h("h4", { id: "causes-title" });
  // Not announced by itself: once a second would drown everything else.
  #sentence = h("p", { id: "cause" });
  #rows = new Map<Station, { row: HTMLElement; name: HTMLElement; bar: HTMLElement; ms: HTMLElement }>();
  #table = h("dl", { class: "stations" });
  #last: Measured | null = null; // of the newest pictures: they stay while nothing changes

  constructor() {
    for (const station of stations) {
      const name = h("dt");
      const bar = h("span", { class: "bar" });
      const ms = h("dd");
      const row = h(
        "div",
        { "data-station": station },
        name,
        h("dd", { class: "scale", "aria-hidden": "true" }, bar),
        ms,
      );
      this.#rows.set(station, { row, name, bar, ms });
      this.#table.append(row);
    }
    this.element = h(
      "section",
      { class: "causes", "aria-labelledby": "causes-title" },
      this.#title,
      this.#sentence,
      this.#table,
    );
  }

  update({ measured }: View, t: T): void {
    const now = verdict(measured);
    const { cause } = now;
    setText(this.#title, t("cause.title"));
    setText(this.#sentence, causeText(now, measured, t));
    this.#sentence.dataset["cause"] = cause;
    if (measured !== null && cause !== "still" && cause !== "film") this.#last = measured;
    else if (measured === null) this.#last = null;
    const shown = this.#last;
    this.#table.hidden = shown === null;
    const longest = Math.max(quick, ...stations.map((station) => shown?.took[station] ?? 0));
    for (const [station, { row, name, bar, ms }] of this.#rows) {
      const took = shown?.took[station] ?? 0;
      setText(name, t(`station.${station}`));
      setText(ms, t("cause.ms", { ms: number(took, t, took < 10 ? 1 : 0) }));
      bar.style.width = `${Math.min(100, (took * 100) / longest).toFixed(1)}%`;
      row.toggleAttribute("data-worst", blames(cause, station));
    }
  }
}

function blames(cause: Cause, station: Station): boolean {
  return (
    cause === station || (station === "line" && (cause === "narrow" || cause === "far" || cause === "loss"))
  );
}

/** The cause in one sentence. */
export function causeText({ cause, ms }: Verdict, measured: Measured | null, t: T): string {
  return t(said[cause], {
    ms: number(ms, t),
    film: number(measured?.film ?? 0, t),
    rtt: number(measured?.rtt ?? 0, t),
    loss: number(measured?.loss ?? 0, t, 1),
    rate: number(((measured?.traffic ?? 0) * 8) / 1000, t, 1),
  });
}

// What identifies a session: its ticket and id, the server, the host's key; and
// with a picture its size, the way it comes, what comes of it in a second, and
// how the keyboard leaves it.

import type { View } from "../state";
import { h, setText } from "./dom";
import { number, type T, type TextKey } from "./texts";

export class Facts {
  readonly element = h("dl");
  #look = "";
  #rows: {
    key: TextKey;
    row: HTMLElement;
    term: HTMLElement;
    value: HTMLElement;
    of: (view: View, t: T) => string;
  }[] = [];

  constructor(withPicture: boolean) {
    this.#row("details.ticket", ({ ticket }) => (ticket ? `${ticket.number} · ${ticket.subject}` : ""));
    this.#row("details.session", (view) => view.session ?? "", "session-id");
    this.#row("details.server", (view) => view.server);
    this.#row("details.hostKey", (view) => view.hostKey.replace(/(.{4})(?=.)/g, "$1 "), "host-key");
    if (!withPicture) return;
    this.#row("details.picture", ({ width, height }, t) =>
      width > 0 ? `${t("details.pixels", { width, height })}${this.#look && `, ${this.#look}`}` : "",
    );
    this.#row("details.route", ({ route }, t) => {
      if (route === null) return "";
      const way = t(`route.${route.way}`);
      return route.rtt === null ? way : t("details.rtt", { way, ms: route.rtt });
    });
    this.#row("details.traffic", ({ measured }, t) => {
      if (measured === null) return "";
      const { rate, film, traffic, loss } = measured;
      return [
        t("details.rate", {
          rate: film === null ? rate : rate + film,
          traffic: number(traffic, t, traffic < 10 ? 1 : 0),
        }),
        loss === null ? "" : t("details.loss", { loss: number(loss, t, 1) }),
      ]
        .filter((text) => text !== "")
        .join(", ");
    });
    this.#row("details.keys", (_, t) => t("details.leave"));
  }

  /** @param look how the picture is looked at, in a few letters */
  update(view: View, t: T, look = ""): void {
    this.#look = look;
    for (const { key, row, term, value, of } of this.#rows) {
      const text = of(view, t);
      row.hidden = key === "details.ticket" && text === ""; // known to who joined it, and to nobody else here
      setText(term, t(key));
      setText(value, text || t("details.unknown"));
    }
  }

  #row(key: TextKey, of: (view: View, t: T) => string, name?: string): void {
    const term = h("dt");
    const value = h("dd", name ? { class: "code", "data-fact": name } : {});
    const row = h("div", {}, term, value);
    this.element.append(row);
    this.#rows.push({ key, row, term, value, of });
  }
}

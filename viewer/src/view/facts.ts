// What identifies a session: its id, the server, the host's key.

import type { View } from "../state";
import { h, setText } from "./dom";
import type { T, TextKey } from "./texts";

export class Facts {
  readonly element = h("dl");
  #rows: { key: TextKey; term: HTMLElement; value: HTMLElement; of: (view: View, t: T) => string }[] = [];

  constructor(withPicture: boolean) {
    this.#row("details.session", (view) => view.session ?? "", "session-id");
    this.#row("details.server", (view) => view.server);
    this.#row("details.hostKey", (view) => view.hostKey.replace(/(.{4})(?=.)/g, "$1 "), "host-key");
    if (!withPicture) return;
    this.#row("details.picture", ({ width, height }, t) =>
      width > 0 ? t("details.pixels", { width, height }) : "",
    );
    this.#row("details.route", ({ route }, t) => {
      if (route === null) return "";
      const way = t(`route.${route.way}`);
      return route.rtt === null ? way : t("details.rtt", { way, ms: route.rtt });
    });
    this.#row("details.keys", (_, t) => t("details.leave"));
  }

  update(view: View, t: T): void {
    for (const { key, term, value, of } of this.#rows) {
      setText(term, t(key));
      setText(value, of(view, t) || t("details.unknown"));
    }
  }

  #row(key: TextKey, of: (view: View, t: T) => string, name?: string): void {
    const term = h("dt");
    const value = h("dd", name ? { class: "code", "data-fact": name } : {});
    this.element.append(h("div", {}, term, value));
    this.#rows.push({ key, term, value, of });
  }
}

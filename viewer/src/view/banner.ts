// The notices: one calm box that says what is happening, why if that is known,
// and for how long already. Over the picture while there is one, else in the card.

import { otherHands } from "../participants";
import type { View } from "../state";
import { h, icon, setText, type IconName } from "./dom";
import { time, type T } from "./texts";

interface Notice {
  readonly text: string;
  readonly icon: IconName;
  /** Since when it counts the seconds (Date.now). */
  readonly since?: number;
}

export class Banner {
  readonly element: HTMLElement;
  #shown: { notice: Notice; seconds: HTMLElement }[] = [];
  #tick: ReturnType<typeof setInterval> | undefined;
  #t: T | undefined;

  constructor(id: string) {
    this.element = h("div", { id, class: "banner", part: "banner", role: "status", hidden: true });
  }

  update(notices: readonly Notice[], t: T): void {
    this.#t = t;
    const same =
      notices.length === this.#shown.length &&
      notices.every((n, i) => {
        const before = this.#shown[i]?.notice;
        return before?.text === n.text && before.since === n.since;
      });
    if (same) return;
    this.element.hidden = notices.length === 0;
    this.#shown = notices.map((notice) => ({
      notice,
      // Unheard: a screen reader that read every second aloud would say nothing else.
      seconds: h("span", { class: "seconds", "aria-hidden": "true" }),
    }));
    this.element.replaceChildren(
      ...this.#shown.map(({ notice, seconds }) =>
        h("p", {}, icon(notice.icon), h("span", {}, notice.text), seconds),
      ),
    );
    this.#count();
    // A text that changes once a second, and only while something is awaited: nothing moves beside a picture.
    clearInterval(this.#tick);
    this.#tick = notices.some(({ since }) => since !== undefined)
      ? setInterval(() => this.#count(), 1000)
      : undefined;
  }

  #count(): void {
    for (const { notice, seconds } of this.#shown) {
      const n = notice.since === undefined ? 0 : Math.floor((Date.now() - notice.since) / 1000);
      setText(seconds, n < 1 || !this.#t ? "" : this.#t("banner.seconds", { seconds: n }));
    }
  }
}

/** What is to be said about a session that stands. */
export function noticesOf(view: View, t: T): Notice[] {
  const list: Notice[] = [];
  const say = (text: string, more: Partial<Notice> = {}) => list.push({ text, icon: "warning", ...more });
  const { interrupted, serverAway, hostAway, restartUntil } = view;
  if (restartUntil !== null)
    say(t("banner.restarting", { time: time(restartUntil, t) }), { since: hostAway ?? restartUntil });
  else if (interrupted !== null) say(t(whyOf(view)), { since: interrupted });
  else if (serverAway !== null) say(t("banner.serverAway"), { since: serverAway });
  else if (hostAway !== null) say(t("banner.hostAway"), { since: hostAway });
  if (view.screen !== null)
    say(t(view.screen === "locked" ? "banner.locked" : "banner.secure"), { icon: "lock" });
  if (view.held === "question") say(t("banner.question"));
  if (view.held === "own window") say(t("banner.ownWindow"));
  if (view.held === "person") say(t("banner.person"));
  if (view.held === "password") say(t("banner.password"), { icon: "lock" });
  if (view.held === "private") say(t("banner.private"), { icon: "lock" });
  if (view.slowLine !== null) say(t("banner.slowLine", { rate: rate(view.slowLine, t) }));
  if (view.slowHost !== null) say(t("banner.slowHost", { ms: view.slowHost }));
  if (view.slowBrowser !== null) say(t("banner.slowBrowser", { ms: view.slowBrowser }));
  if (view.endsAt !== null) say(t("banner.timeShort", { time: time(view.endsAt, t) }));
  const { news } = view;
  switch (news?.kind) {
    case undefined:
      break;
    case "pathBack":
    case "serverBack":
    case "hostBack":
      say(t(`banner.${news.kind}`, { seconds: news.seconds }), { icon: "check" });
      break;
    case "displayGone":
      say(t("banner.displayGone", { name: news.name || t("look.someDisplay") }), { icon: "info" });
      break;
    case "handedOver":
      say(t("banner.handedOver", { name: otherHands(view.members)?.name || t("people.someone") }), {
        icon: "info",
      });
      break;
    case "lead":
      say(t("banner.lead"), { icon: "info" });
      break;
    case "untyped":
    case "reserved":
    case "denied":
    case "ruledOut":
    case "revoked":
      say(t(`banner.${news.kind}`));
  }
  return list;
}

function whyOf({ cause, serverAway, hostAway }: View) {
  if (cause === "offline") return "banner.offline";
  if (serverAway !== null) return "banner.bothAway";
  if (hostAway !== null) return "banner.hostGone";
  return cause === "host moved" ? "banner.hostMoved" : "banner.interrupted";
}

/** kbit/s as Mbit/s, with as many digits as say something. */
function rate(kbit: number, t: T): string {
  return new Intl.NumberFormat(t.lang, { maximumSignificantDigits: 2 }).format(kbit / 1000);
}

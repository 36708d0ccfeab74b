// What is handed from one to another as the console knows it, and the clock by which
// things are due.
import { api, type Ticket, type Transfer } from "../lib/api";
import { t } from "../lib/i18n.svelte";

export const whoses = ["mine", "team", "all"] as const;
export type Whose = (typeof whoses)[number];

const place = "mf_queue";

/** Of a note to whoever gets a ticket, in characters, as the server takes it. */
export const noteMax = 4000;

/** Whose tickets this browser showed last. */
export const whoseQueue = {
  read(): Whose {
    try {
      const kept = localStorage.getItem(place);
      return whoses.find((w) => w === kept) ?? "all";
    } catch {
      return "all"; // storage is blocked: the default
    }
  },
  keep(whose: Whose): void {
    try {
      localStorage.setItem(place, whose);
    } catch {
      // Storage is blocked: it holds until the page is left.
    }
  },
};

const soonMs = 2 * 60 * 60_000;

/** Whether something is late, or due within two hours. */
export function dueState(due: string | null, now: number): "late" | "soon" | null {
  const left = due === null ? Number.NaN : Date.parse(due) - now;
  if (Number.isNaN(left) || left > soonMs) return null;
  return left < 0 ? "late" : "soon";
}

const fold = (s: string): string => s.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The tickets in whose number, subject or requester each word stands. */
export function matching(list: readonly Ticket[], query: string): Ticket[] {
  const words = fold(query)
    .split(/\s+/)
    .filter((w) => w !== "");
  return list.filter((x) => {
    const text = fold(`${x.number}\n${x.subject}\n${x.requester}`);
    return words.every((w) => text.includes(w));
  });
}

export class Duties {
  toTake = $state.raw<readonly Transfer[]>([]);
  sent = $state.raw<readonly Transfer[]>([]);
  /** We say to be away. */
  away = $state(false);
  /** The server's clock less ours, in milliseconds. */
  ahead = $state(0);
  private loaded = false;
  private run = 0;
  private said = 0; // changes while we say whether we are away: what was asked for meanwhile knows nothing of it

  /** Those that it is ours to take; supervisors see others too. */
  get ours(): number {
    return this.toTake.filter((x) => x.mine || x.orphan).length;
  }

  /** The transfer of a ticket that we sent and nobody has taken. */
  waiting(ticket: string): Transfer | null {
    return this.sent.find((x) => x.ticket.id === ticket && x.taken === null) ?? null;
  }

  /** Loads what there is. The answer is what came since the last time, in words. */
  async load(): Promise<string | null> {
    const run = ++this.run;
    const { said } = this;
    try {
      const work = await api.work();
      if (run !== this.run) return null;
      const { toTake, sent, loaded } = this;
      this.toTake = work.toTake;
      this.sent = work.sent;
      if (said === this.said) this.away = work.away;
      this.ahead = Date.parse(work.now) - Date.now();
      this.loaded = true;
      if (!loaded) return null;
      const fresh = work.toTake.find((x) => (x.mine || x.orphan) && !toTake.some((y) => y.id === x.id));
      if (fresh !== undefined)
        return t(fresh.back ? "hand.came_back" : "hand.came", {
          name: fresh.from,
          number: fresh.ticket.number,
        });
      const gone = work.sent.find(
        (x) => x.taken !== null && sent.some((y) => y.id === x.id && y.taken === null),
      );
      return gone === undefined
        ? null
        : t("hand.taken", { name: gone.taken ?? "", number: gone.ticket.number });
    } catch {
      return null; // the last ones stay; the list beside it says what is wrong
    }
  }

  async setAway(away: boolean): Promise<void> {
    this.said++;
    await api.setAway(away);
    this.said++;
    this.away = away;
  }
}

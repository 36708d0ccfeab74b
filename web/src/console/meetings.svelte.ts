// The appointments of who is signed in, as the console knows them. The server tells when one comes near: no clock runs
// here.
import { appointmentsApi, type Appointment } from "../lib/appointments";
import { shortTime } from "../lib/format";
import { t } from "../lib/i18n.svelte";

export class Meetings {
  mine = $state.raw<readonly Appointment[]>([]);
  /** How often they were loaded: what shows others of them looks again. */
  turns = $state(0);
  private loaded = false;
  private run = 0;

  /** Those that are to be thought of now: near, in their time, or over and nobody said how. */
  get due(): Appointment[] {
    return this.mine.filter((x) => x.state === "made" && x.phase !== "ahead");
  }

  /** Loads what there is. The answer is what is new about it, in words. */
  async load(): Promise<string | null> {
    const run = ++this.run;
    try {
      const mine = await appointmentsApi.of("mine");
      if (run !== this.run) return null;
      const { mine: before, loaded } = this;
      this.mine = mine;
      this.turns++;
      this.loaded = true;
      return loaded ? news(before, mine) : null;
    } catch {
      return null; // the last ones stay; their page says what is wrong
    }
  }
}

function news(before: readonly Appointment[], now: readonly Appointment[]): string | null {
  for (const x of now) {
    const was = before.find((y) => y.id === x.id);
    const { number } = x.ticket;
    if (was === undefined) continue; // made here, or by a supervisor who says so
    if (x.here !== "" && was.here === "") return t("meet.came", { name: x.here, number });
    if (x.state === "declined" && was.state === "made") return t("meet.called_off", { number });
    if (x.state === "made" && x.phase !== was.phase && (x.phase === "soon" || x.phase === "now"))
      return t(x.phase === "soon" ? "meet.told_soon" : "meet.told_now", {
        number,
        time: shortTime(x.starts),
      });
  }
  return null;
}

import { api, asProblem, type Problem, type Session } from "../lib/api";
import { everything, queryOf, type Filter } from "./filter";

/** The sessions found so far, newest first; more are fetched page by page. */
export class SessionList {
  filter = $state<Filter>({ ...everything });
  found = $state<Session[] | null>(null);
  more = $state(false);
  problem = $state<Problem | null>(null);
  busy = $state(false);
  private run = 0;

  async load(): Promise<void> {
    await this.fetch("");
  }

  async older(): Promise<void> {
    const last = this.found?.at(-1);
    if (last !== undefined) await this.fetch(last.id);
  }

  private async fetch(before: string): Promise<void> {
    const run = ++this.run;
    this.busy = true;
    try {
      const page = await api.sessions(queryOf(this.filter), before);
      if (run !== this.run) return; // a newer search is on its way
      this.found = before === "" ? page.sessions : [...(this.found ?? []), ...page.sessions];
      this.more = page.more;
      this.problem = null;
    } catch (e) {
      if (run === this.run) this.problem = asProblem(e);
    } finally {
      if (run === this.run) this.busy = false;
    }
  }
}

import { api, asProblem, type Problem, type Session } from "../lib/api";
import { Pages } from "../lib/page.svelte";
import { everything, queryOf, type Filter } from "./filter";

/** The sessions found, newest first, one page of them at a time. */
export class SessionList {
  filter = $state<Filter>({ ...everything });
  found = $state<Session[] | null>(null);
  more = $state(false);
  problem = $state<Problem | null>(null);
  busy = $state(false);
  readonly pages = new Pages();
  private run = 0;

  /** Looks for them, from the newest on. */
  async load(): Promise<void> {
    this.pages.first();
    await this.fetch(() => undefined);
  }

  async older(): Promise<void> {
    const [rows, last] = [this.found?.length ?? 0, this.found?.at(-1)];
    if (last === undefined) return;
    const undo = this.pages.mark();
    this.pages.next(last.id, rows);
    await this.fetch(undo);
  }

  async newer(): Promise<void> {
    const undo = this.pages.mark();
    this.pages.before();
    await this.fetch(undo);
  }

  /** Fetches the page; where that fails, what is shown stays, and undo the way to it. */
  private async fetch(undo: () => void): Promise<void> {
    const run = ++this.run;
    this.busy = true;
    try {
      const page = await api.sessions(queryOf(this.filter), this.pages.after);
      if (run !== this.run) return; // a newer search is on its way
      this.found = page.sessions;
      this.more = page.more;
      this.problem = null;
    } catch (e) {
      if (run !== this.run) return;
      undo();
      this.problem = asProblem(e);
    } finally {
      if (run === this.run) this.busy = false;
    }
  }
}

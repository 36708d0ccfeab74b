import { asProblem, type Problem } from "../lib/api";
import { adminApi, type AccountState, type Team, type User } from "./api";

/** The accounts found so far, by name, and the teams they may be in. */
export class People {
  query = $state("");
  state = $state<AccountState>("open");
  found = $state<User[] | null>(null);
  more = $state(false);
  busy = $state(false);
  problem = $state<Problem | null>(null);
  teams = $state<Team[]>([]);
  private run = 0;

  async load(): Promise<void> {
    await Promise.all([this.fetch(""), this.loadTeams()]);
  }

  async next(): Promise<void> {
    const last = this.found?.at(-1);
    if (last !== undefined && !this.busy) await this.fetch(last.id);
  }

  async loadTeams(): Promise<void> {
    try {
      this.teams = await adminApi.teams();
    } catch (e) {
      this.problem = asProblem(e);
    }
  }

  /** Shows an account as it is now, or not, if it does not belong into the list any more. */
  put(u: User): void {
    const belongs = (u.disabled !== null) === (this.state === "closed");
    const list = this.found ?? [];
    const known = list.some((f) => f.id === u.id);
    if (!belongs) this.found = list.filter((f) => f.id !== u.id);
    else if (known) this.found = list.map((f) => (f.id === u.id ? u : f));
    else void this.fetch("");
  }

  teamNames(u: User): string[] {
    return this.teams.filter((team) => u.teams.includes(team.id)).map((team) => team.name);
  }

  private async fetch(after: string): Promise<void> {
    const run = ++this.run;
    this.busy = true;
    try {
      const page = await adminApi.users(this.query.trim(), this.state, after);
      if (run !== this.run) return; // a newer search is on its way
      this.found = after === "" ? page.users : [...(this.found ?? []), ...page.users];
      this.more = page.more;
      this.problem = null;
    } catch (e) {
      if (run === this.run) this.problem = asProblem(e);
    } finally {
      if (run === this.run) this.busy = false;
    }
  }
}

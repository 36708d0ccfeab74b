import type { Role } from "../lib/api";
import type { Kept, Policy, Preset } from "./api";

/** Bounds that the server has too. */
export const minutesMin = 5;
export const minutesMax = 1440;
export const daysMin = 30;
export const daysMax = 36525;

/** What would be different: a line of the page, as it is and as it would be. */
export interface Difference {
  line: "grant" | "factor" | "minutes" | "sessions" | "outside";
  /** Of a grant or a role. */
  name: string;
  from: boolean | number | null;
  to: boolean | number | null;
}

const typed = (n: number | undefined): string => (n === undefined || n === 0 ? "" : String(n));

/** What an administrator is choosing, beside what is in force. Numbers are as typed: empty is no limit. */
export class Draft {
  ruledOut = $state<readonly string[]>([]);
  factor = $state<readonly Role[]>([]);
  minutes = $state("");
  sessions = $state("");
  outside = $state("");
  private force: Policy;

  constructor(force: Policy) {
    this.force = force;
    this.reset();
  }

  reset(): void {
    this.fill(this.force, this.force.retention);
  }

  take(preset: Preset): void {
    this.fill(preset, preset.retention);
  }

  private fill(
    p: { ruledOut: readonly string[]; factor: readonly Role[]; minutes: number },
    kept: Kept | null,
  ): void {
    this.ruledOut = p.ruledOut;
    this.factor = p.factor;
    this.minutes = typed(p.minutes);
    this.sessions = typed(kept?.sessions);
    this.outside = typed(kept?.outside);
  }

  /** Whether the lines are those of a preset. */
  is(preset: Preset): boolean {
    return (
      same(this.ruledOut, preset.ruledOut) &&
      same(this.factor, preset.factor) &&
      this.minutes === typed(preset.minutes) &&
      this.sessions === typed(preset.retention.sessions) &&
      this.outside === typed(preset.retention.outside)
    );
  }

  allow(grant: string, on: boolean): void {
    this.ruledOut = on ? this.ruledOut.filter((g) => g !== grant) : [...this.ruledOut, grant];
  }

  require(role: Role, on: boolean): void {
    this.factor = on ? [...this.factor, role] : this.factor.filter((r) => r !== role);
  }

  get minutesFit(): boolean {
    return fits(this.minutes, minutesMin, minutesMax);
  }
  get sessionsFit(): boolean {
    return fits(this.sessions, daysMin, daysMax);
  }
  get outsideFit(): boolean {
    return fits(this.outside, daysMin, daysMax);
  }

  get differences(): Difference[] {
    const f = this.force;
    const list: Difference[] = [];
    for (const name of f.grants) {
      const [from, to] = [!f.ruledOut.includes(name), !this.ruledOut.includes(name)];
      if (from !== to) list.push({ line: "grant", name, from, to });
    }
    const number = (line: "minutes" | "sessions" | "outside", from: number, now: string): void => {
      if (typed(from) !== now)
        list.push({ line, name: "", from: from === 0 ? null : from, to: now === "" ? null : Number(now) });
    };
    number("minutes", f.minutes, this.minutes);
    for (const name of ["technician", "supervisor", "auditor", "admin"] as const) {
      const [from, to] = [f.factor.includes(name), this.factor.includes(name)];
      if (from !== to) list.push({ line: "factor", name, from, to });
    }
    number("sessions", f.retention?.sessions ?? 0, this.sessions);
    number("outside", f.retention?.outside ?? 0, this.outside);
    return list;
  }

  /** What the server is sent. How long names are kept stays unsaid where nobody said it. */
  get body(): object {
    const unsaid = this.force.retention === null && this.sessions === "" && this.outside === "";
    return {
      version: this.force.version,
      ruled_out: this.ruledOut,
      minutes: Number(this.minutes),
      factor: this.factor,
      retention: unsaid ? null : { sessions_days: Number(this.sessions), outside_days: Number(this.outside) },
    };
  }
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((x) => b.includes(x));
}

function fits(text: string, min: number, max: number): boolean {
  return text === "" || (/^\d{1,5}$/.test(text) && Number(text) >= min && Number(text) <= max);
}

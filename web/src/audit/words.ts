// A verdict in plain words.
import { number, t } from "../lib/i18n.svelte";
import { verdict, type Problem, type Report } from "./proof/verify";

export function problemText(p: Problem): string {
  const why = t(`proof.problem.${p.code}`, p.values);
  return p.index < 0 ? upper(why) : t("proof.at", { n: p.index, why });
}

function upper(s: string): string {
  return s.slice(0, 1).toUpperCase() + s.slice(1);
}

/** What the verdict means. */
export function verdictText(r: Report): string {
  const v = verdict(r);
  const first = r.problems[0];
  if (v === "broken") return first === undefined ? "" : problemText(first);
  return t(`proof.said.${v}`, { n: r.ticket - 1 });
}

/** What else a proof that is not broken shows, one sentence each. */
export function facts(r: Report): string[] {
  if (r.problems.length > 0) return [];
  const out = [t(r.complete ? "proof.fact.complete" : "proof.fact.incomplete")];
  if (r.ended === null) out.push(t("proof.fact.open"));
  else if (r.counted === null) out.push(t("proof.fact.no_close"));
  else if (r.missing === 0) out.push(t("proof.fact.counted", { n: number(r.counted) }));
  else {
    const here = number(r.counted - r.missing);
    out.push(t("proof.fact.differs", { counted: number(r.counted), here }));
  }
  if (r.counted === null && r.missing > 0) out.push(t("proof.fact.missing", { n: number(r.missing) }));
  if (r.checked > 0) out.push(t("proof.fact.checked", { n: number(r.checked) }));
  if (r.withheld > 0) out.push(t("proof.fact.withheld", { n: number(r.withheld) }));
  if (r.purged > 0) out.push(t("proof.fact.purged", { n: number(r.purged), policy: r.policy }));
  if (r.rotations > 0) out.push(t("proof.fact.rotations", { n: number(r.rotations) }));
  return out;
}

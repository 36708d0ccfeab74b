// Every text of the element, from locales/*.json. A page passes none.

import en from "../../locales/en.json";
import fr from "../../locales/fr.json";
import { Reason } from "../gen/signaling_pb";
import type { View } from "../state";
import { reasonName } from "../wire/codec";

export type Lang = "en" | "fr";
export type TextKey = keyof typeof en;
/** A text in the present language, with its {fields} filled in. */
export interface T {
  (key: TextKey, fields?: Record<string, string | number>): string;
  readonly lang: Lang;
}

const locales: Record<Lang, Record<TextKey, string>> = { en, fr };

export function langOf(value: string | null): Lang {
  return /^fr\b/i.test(value ?? "") ? "fr" : "en";
}

export function textsFor(lang: Lang): T {
  const texts = locales[lang];
  const t = (key: TextKey, fields: Record<string, string | number> = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (field, name: string) => String(fields[name] ?? field));
  return Object.assign(t, { lang });
}

/** A time of day as it is said. */
export function time(at: number, t: T): string {
  return new Intl.DateTimeFormat(t.lang, { timeStyle: "short" }).format(at);
}

/** A number as it is written. */
export function number(value: number, t: T, digits = 0): string {
  return new Intl.NumberFormat(t.lang, { maximumFractionDigits: digits }).format(value);
}

/** How a session ended, or a claim failed, and what to do next. */
export function endTexts(view: Pick<View, "reason" | "ours" | "says">, t: T): { what: string; next: string } {
  const { reason, ours, says } = view;
  if (reason === Reason.TECHNICIAN_ENDED && !ours)
    return { what: t("ended.byOther"), next: t("ended.byOtherNext") };
  const texts = reasonTexts(reason ?? Reason.UNSPECIFIED, t);
  if (says === null) return texts;
  const claim = t("ended.says", { what: reasonTexts(says, t).what });
  return { what: says === reason ? claim : `${texts.what} ${claim}`, next: texts.next };
}

/** What happened, and what to do next. A reason of a newer version is told as an unknown one. */
export function reasonTexts(reason: Reason, t: T): { what: string; next: string } {
  const name = reasonName(reason);
  const key = `reason.${name}` in en ? name : "UNSPECIFIED";
  return { what: t(`reason.${key}` as TextKey), next: t(`next.${key}` as TextKey) };
}

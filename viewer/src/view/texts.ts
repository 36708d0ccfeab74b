// Every text of the element, from locales/*.json. A page passes none.

import en from "../../locales/en.json";
import fr from "../../locales/fr.json";
import type { Reason } from "../gen/signaling_pb";
import { reasonName } from "../wire/codec";

export type Lang = "en" | "fr";
export type TextKey = keyof typeof en;
/** A text in the present language, with its {fields} filled in. */
export type T = (key: TextKey, fields?: Record<string, string | number>) => string;

const locales: Record<Lang, Record<TextKey, string>> = { en, fr };

export function langOf(value: string | null): Lang {
  return /^fr\b/i.test(value ?? "") ? "fr" : "en";
}

export function textsFor(lang: Lang): T {
  const texts = locales[lang];
  return (key, fields = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (field, name: string) => String(fields[name] ?? field));
}

/** What happened, and what to do next. A reason of a newer version is told as an unknown one. */
export function reasonTexts(reason: Reason, t: T): { what: string; next: string } {
  const name = reasonName(reason);
  const key = `reason.${name}` in en ? name : "UNSPECIFIED";
  return { what: t(`reason.${key}` as TextKey), next: t(`next.${key}` as TextKey) };
}

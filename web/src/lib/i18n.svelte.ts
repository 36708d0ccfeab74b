// Texts, in the two languages of locales/. The catalogue is shared with the Go
// templates; tests in both languages hold the files together.
import en from "../../locales/en.json";
import fr from "../../locales/fr.json";

export type Key = keyof typeof en;
export type Lang = "en" | "fr";

/** Keys that come as KEY.one and KEY.other. */
export type PluralKey = Key extends infer K ? (K extends `${infer Base}.one` ? Base : never) : never;

export type Values = Record<string, string | number>;

const catalogues: Record<Lang, Record<Key, string>> = { en, fr };

export const langs: readonly Lang[] = ["en", "fr"];

const current = $state<{ lang: Lang }>({ lang: "en" });

export function lang(): Lang {
  return current.lang;
}

export function isLang(v: string): v is Lang {
  return v === "en" || v === "fr";
}

/** The sentence of a key, with each {name} filled in. */
export function t(key: Key, values: Values = {}): string {
  return fill(catalogues[current.lang][key], values);
}

/** The sentence of a key in a language that is not the page's: for what is sent to somebody else. */
export function inLang(l: Lang, key: Key, values: Values = {}): string {
  return fill(catalogues[l][key], values);
}

/** The sentence of a key for a count, which is also {n}. */
export function plural(key: PluralKey, n: number, values: Values = {}): string {
  // French counts zero and one alike; Intl knows. "many" (a million) reads as other here.
  const form = new Intl.PluralRules(current.lang).select(n) === "one" ? "one" : "other";
  return t(`${key}.${form}` as Key, { n: number(n), ...values });
}

/** The sentence of a key that came over the wire, or null if there is none. */
export function lookup(key: string): string | null {
  return Object.hasOwn(en, key) ? t(key as Key) : null;
}

function fill(text: string, values: Values): string {
  return text.replace(/\{([a-z_]+)\}/g, (hole, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : hole,
  );
}

export function number(n: number): string {
  return new Intl.NumberFormat(locale()).format(n);
}

/** The reader's own variant of the page's language (fr-CA rather than fr), for dates and numbers. */
export function locale(preferred: readonly string[] = navigator.languages): string {
  return preferred.find((l) => l === current.lang || l.startsWith(`${current.lang}-`)) ?? current.lang;
}

/** The language to start in: the cookie that the pages share, else the browser's, else English. */
export function detect(cookie: string, preferred: readonly string[]): Lang {
  const kept = /(?:^|;\s*)mf_lang=(en|fr)(?:;|$)/.exec(cookie)?.[1];
  if (kept !== undefined && isLang(kept)) return kept;
  for (const l of preferred) {
    const base = l.toLowerCase().split("-")[0] ?? "";
    if (isLang(base)) return base;
  }
  return "en";
}

/** Shows every page of this browser in a language from now on. */
export function use(l: Lang): void {
  current.lang = l;
  document.documentElement.lang = l;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `mf_lang=${l}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

/** Called once, before a page is mounted. */
export function start(): void {
  current.lang = detect(document.cookie, navigator.languages);
  document.documentElement.lang = current.lang;
}

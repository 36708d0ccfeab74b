// Canned texts, resolution codes, the preview of a closing note: what the server keeps of them and says.
import { at, call, id } from "./api";
import type { Lang } from "./i18n.svelte";
import { integer, language, list, record, string } from "./api/shapes";
import { resolutions } from "./rules";

export type Outcome = (typeof resolutions)[number];

/** A canned text; somebody's words. */
export interface Phrase {
  id: string;
  lang: Lang;
  name: string;
  body: string;
  version: number;
}

/** Says more about one of the outcomes. */
export interface Code {
  code: string;
  outcome: Outcome;
  en: string;
  fr: string;
  version: number;
}

/** A closing note as it would stand in the ticket. */
export interface Shown {
  author: string;
  text: string;
  public: boolean;
  lang: Lang;
  /** Empty for a session without one. */
  ticket: string;
}

export interface Said {
  text: string;
  resolution: string;
  code: string;
}

function phrase(v: unknown): Phrase {
  const o = record(v);
  return {
    id: string(o, "id"),
    lang: language(o),
    name: string(o, "name"),
    body: string(o, "body"),
    version: integer(o, "version"),
  };
}

function code(v: unknown): Code {
  const o = record(v);
  const outcome = string(o, "outcome");
  return {
    code: string(o, "code"),
    outcome: resolutions.find((r) => r === outcome) ?? "unsolved",
    en: string(o, "en"),
    fr: string(o, "fr"),
    version: integer(o, "version"),
  };
}

/** A code in words. */
export function labelOf(c: Code, lang: Lang): string {
  return (lang === "fr" ? c.fr || c.en : c.en || c.fr) || c.code;
}

export const wordsApi = {
  async phrases(lang: Lang, q: string): Promise<{ phrases: Phrase[]; more: boolean }> {
    const o = record(await call("GET", at("/api/v1/phrases", { lang, q })));
    return { phrases: list(o, "phrases", phrase), more: o["more"] === true };
  },
  async add(lang: Lang, name: string, body: string): Promise<Phrase> {
    return phrase(await call("POST", "/api/v1/phrases", { lang, name, body }));
  },
  async set(p: Phrase): Promise<Phrase> {
    const { lang, name, body, version } = p;
    return phrase(await call("PUT", `/api/v1/phrases/${id(p.id)}`, { lang, name, body, version }));
  },
  async remove(phraseID: string): Promise<void> {
    await call("DELETE", `/api/v1/phrases/${id(phraseID)}`);
  },
  async codes(): Promise<Code[]> {
    return list(await call("GET", "/api/v1/resolutions"), "codes", code);
  },
  /** Makes one where its version is 0. */
  async setCode(c: Code): Promise<Code> {
    const { outcome, en, fr, version } = c;
    return code(await call("PUT", `/api/v1/resolutions/${id(c.code)}`, { outcome, en, fr, version }));
  },
  async removeCode(name: string): Promise<void> {
    await call("DELETE", `/api/v1/resolutions/${id(name)}`);
  },
  async preview(session: string, said: Said): Promise<Shown> {
    const o = record(await call("POST", `/api/v1/sessions/${id(session)}/closing/preview`, said));
    return {
      author: string(o, "author"),
      text: string(o, "text"),
      public: o["public"] === true,
      lang: language(o),
      ticket: string(o, "ticket"),
    };
  },
  async close(session: string, said: Said): Promise<void> {
    await call("POST", `/api/v1/sessions/${id(session)}/closing`, said);
  },
};

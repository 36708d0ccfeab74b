// What helped before: closing notes that became solutions.
import { at, call, id } from "./api";
import type { Lang } from "./i18n.svelte";
import { integer, language, list, record, string } from "./api/shapes";

/** Somebody's words, all of them. */
export interface Solution {
  id: string;
  lang: Lang;
  subject: string;
  /** The device or the program that it is about; may be empty. */
  asset: string;
  body: string;
  author: string;
  /** Who is signed in may mend and withdraw it. */
  mine: boolean;
  withdrawn: boolean;
  version: number;
  updated: string;
}

export type Words = Pick<Solution, "lang" | "subject" | "asset" | "body">;

function solution(v: unknown): Solution {
  const o = record(v);
  return {
    id: string(o, "id"),
    lang: language(o),
    subject: string(o, "subject"),
    asset: string(o, "asset"),
    body: string(o, "body"),
    author: string(o, "author"),
    mine: o["mine"] === true,
    withdrawn: o["withdrawn"] === true,
    version: integer(o, "version"),
    updated: string(o, "updated"),
  };
}

export const solutionsApi = {
  async near(ticket: string): Promise<Solution[]> {
    return list(await call("GET", `/api/v1/tickets/${id(ticket)}/solutions`), "solutions", solution);
  },
  /** What a solution of that session begins with. */
  async draft(session: string): Promise<Words> {
    const o = record(await call("GET", at("/api/v1/solutions/draft", { session })));
    return { lang: language(o), subject: string(o, "subject"), asset: "", body: string(o, "body") };
  },
  async promote(session: string, words: Words): Promise<Solution> {
    return solution(await call("POST", "/api/v1/solutions", { session, ...words }));
  },
  async mend(s: Solution, words: Words): Promise<Solution> {
    const { version } = s;
    return solution(await call("PUT", `/api/v1/solutions/${id(s.id)}`, { ...words, version }));
  },
  async withdraw(solutionID: string, withdrawn: boolean): Promise<Solution> {
    const what = withdrawn ? "withdraw" : "restore";
    return solution(await call("POST", `/api/v1/solutions/${id(solutionID)}/${what}`, {}));
  },
};

import { t } from "../i18n.svelte";

/** Why a request did not work: message is a sentence for the reader. */
export class Problem extends Error {
  constructor(
    readonly status: number, // 0: no answer came
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function asProblem(e: unknown): Problem {
  return e instanceof Problem ? e : new Problem(0, "ANSWER", t("problem.answer"));
}

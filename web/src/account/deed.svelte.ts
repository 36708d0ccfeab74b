// What one part of the page does: one thing at a time, what hurts only after a yes, and
// what went wrong is said.
import { asProblem } from "../lib/api";
import { t } from "../lib/i18n.svelte";
import { CalledOff } from "../lib/passkey";

export interface Question {
  title: string;
  /** What will happen, in one sentence. */
  text: string;
  /** What the button is called that does it. */
  yes: string;
  act: () => Promise<void>;
}

export class Deed {
  busy = $state(false);
  trouble = $state("");
  /** What waits for a yes. */
  asking = $state.raw<Question | null>(null);

  async run(act: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.trouble = "";
    try {
      await act();
    } catch (e) {
      this.trouble = e instanceof CalledOff ? t("account.key.called_off") : asProblem(e).message;
    } finally {
      this.busy = false;
    }
  }

  ask(question: Question): void {
    if (!this.busy) this.asking = question;
  }

  /** Nothing happens. */
  leave(): void {
    this.asking = null;
  }

  async confirm(): Promise<void> {
    const question = this.asking;
    this.asking = null;
    if (question !== null) await this.run(question.act);
  }
}

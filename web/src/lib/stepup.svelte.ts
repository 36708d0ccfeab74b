// What needs a fresh proof of who one is: done at once where there is one, else after
// a dialog has asked for it. Nothing that was typed is lost meanwhile.
import { asProblem, Problem } from "./api";

export class StepUp {
  /** Whether the dialog is open. */
  asking = $state(false);
  #settle: ((proven: boolean) => void) | null = null;

  /** Asks; true once it is proven, false if it was called off. */
  ask(): Promise<boolean> {
    this.settle(false);
    this.asking = true;
    return new Promise((resolve) => (this.#settle = resolve));
  }

  settle(proven: boolean): void {
    this.asking = false;
    this.#settle?.(proven);
    this.#settle = null;
  }

  /** Does it, after asking if the server says so. Null: it was called off. */
  async run<T>(act: () => Promise<T>): Promise<T | null> {
    try {
      return await act();
    } catch (e) {
      const p: Problem = asProblem(e);
      if (p.code !== "STEP_UP") throw p;
      return (await this.ask()) ? act() : null;
    }
  }
}

import { t } from "./i18n.svelte";

/** Keeps the document's title: the page first, then the product. Call while a component is set up. */
export function titled(title: () => string): void {
  $effect(() => {
    document.title = `${title()} · ${t("product")}`;
  });
}

/** The way through a long list that is shown page by page: behind which row each page so far begins. */
export class Pages {
  /** How many rows stand before the page that is shown. */
  from = $state(0);
  private begins: { after: string; from: number }[] = [{ after: "", from: 0 }];

  /** The row behind which the page begins; "" is the first one. */
  get after(): string {
    return this.begins.at(-1)?.after ?? "";
  }

  /** To the page behind a row, which is the last of the ones that are shown now. */
  next(last: string, rows: number): void {
    this.begins.push({ after: last, from: this.from + rows });
    this.from += rows;
  }

  before(): void {
    if (this.begins.length > 1) this.begins.pop();
    this.from = this.begins.at(-1)?.from ?? 0;
  }

  /** What puts the way back to where it is now. */
  mark(): () => void {
    const [begins, from] = [[...this.begins], this.from];
    return () => {
      this.begins = begins;
      this.from = from;
    };
  }

  first(): void {
    this.begins = [{ after: "", from: 0 }];
    this.from = 0;
  }
}

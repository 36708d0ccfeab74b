import { t } from "./i18n.svelte";

/** Keeps the document's title: the page first, then the product. Call while a component is set up. */
export function titled(title: () => string): void {
  $effect(() => {
    document.title = `${title()} · ${t("product")}`;
  });
}

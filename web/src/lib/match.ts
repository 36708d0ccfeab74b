// Finds by what is typed: every word must stand somewhere, accents and case do not matter.

/** As text is compared. */
export function fold(s: string): string {
  return s.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/**
 * The items in whose text every word of the query stands, at most so many: first those that have its words whole,
 * then those in which they begin words; of each those first that begin with it, and then in the order they came.
 */
export function matching<T>(
  items: readonly T[],
  query: string,
  text: (item: T) => string,
  most: number,
): T[] {
  const whole = fold(query.trim());
  const words = whole.split(/\s+/u).filter((w) => w !== "");
  if (words.length === 0) return items.slice(0, most);
  const ranks: T[][] = [[], [], [], [], []];
  for (const item of items) {
    const said = fold(text(item));
    if (!words.every((w) => said.includes(w))) continue;
    const begin = said.split(/[^\p{L}\p{N}]+/u);
    const begins = (w: string): boolean => begin.some((b) => b.startsWith(w));
    const exact = words.every((w) => begin.includes(w));
    const rank =
      (exact ? 0 : words.every(begins) ? 2 : 4) + (said.startsWith(whole) || !words.every(begins) ? 0 : 1);
    ranks[rank]?.push(item);
  }
  return ranks.flat().slice(0, most);
}

// A world that stands still: the components of the gallery see the same moment, the same answers and no network, so
// that a picture of them changes only when they do. Imported before everything else.

/** Thursday, 12 March 2026, 14:30 in the zone of the browser, which the test sets to UTC. */
export const now = Date.UTC(2026, 2, 12, 14, 30);

export const ago = (minutes: number): string => new Date(now - minutes * 60_000).toISOString();

globalThis.Date = new Proxy(Date, {
  construct: (real, args: unknown[]) => Reflect.construct(real, args.length === 0 ? [now] : args) as Date,
  get: (real, key) => (key === "now" ? () => now : (Reflect.get(real, key) as unknown)),
});

// What goes away after a while stays.
const rest = window.setTimeout.bind(window);
window.setTimeout = ((act: () => void, ms = 0) =>
  ms > 1000 ? 0 : rest(act, ms)) as typeof window.setTimeout;

/** What the server would answer to a path; a path without one is asked for ever. */
export type Answers = Readonly<Record<string, unknown>>;

let answers: Answers = {};

export function answering(by: Answers): void {
  answers = by;
}

window.fetch = (asked) => {
  const path = new URL(asked instanceof Request ? asked.url : asked, location.href).pathname;
  if (!Object.hasOwn(answers, path)) return new Promise(() => undefined);
  return Promise.resolve(new Response(JSON.stringify(answers[path])));
};

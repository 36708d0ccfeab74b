// Times and durations as people read them.
import { localDesk } from "./api";
import { locale, lookup, t } from "./i18n.svelte";

/** Day and minute, in the reader's time zone. */
export function dateTime(iso: string): string {
  return format(iso, { dateStyle: "medium", timeStyle: "short" });
}

/** The minute if it is today's, else the day: short enough for a list. */
export function shortTime(iso: string, now = new Date()): string {
  const then = new Date(iso);
  if (then.toDateString() === now.toDateString()) return format(iso, { timeStyle: "short" });
  const sameYear = then.getFullYear() === now.getFullYear();
  return format(iso, sameYear ? { day: "numeric", month: "short" } : { dateStyle: "medium" });
}

/** Whether a desk told this time: Go's zero time is none. */
export function known(iso: string): boolean {
  return new Date(iso).getFullYear() > 1970;
}

/** How a service desk is called: ours by the product, others as their admin named them. */
export function deskName(name: string): string {
  return name === localDesk ? t("desk.local") : name;
}

/** When today began, where the reader is. */
export function midnight(now = new Date()): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate());
}

/** The hour of the day alone, for what is counted by hours. */
export function hour(iso: string): string {
  return format(iso, { hour: "numeric" });
}

/** To the second, of a day that is known. */
export function clock(iso: string): string {
  return format(iso, { timeStyle: "medium" });
}

/** To the millisecond: for the order of events. */
export function exactTime(iso: string): string {
  return format(iso, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
}

function format(iso: string, options: Intl.DateTimeFormatOptions): string {
  const d = new Date(iso);
  return Number.isNaN(d.getTime()) ? iso : new Intl.DateTimeFormat(locale(), options).format(d);
}

/** The reader's time zone by name, with its distance from UTC. */
export function zone(): string {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const part = new Intl.DateTimeFormat(locale(), { timeZoneName: "shortOffset" })
    .formatToParts(new Date())
    .find((p) => p.type === "timeZoneName");
  return part === undefined || part.value === name ? name : `${name} (${part.value})`;
}

/** A length of time in words; ms in milliseconds, never shown below a second's precision. */
export function duration(ms: number): string {
  const all = Math.max(0, Math.round(ms / 1000));
  const h = Math.floor(all / 3600);
  const m = Math.floor((all % 3600) / 60);
  const s = all % 60;
  if (h > 0) return t("time.hms", { h, m });
  if (m > 0) return t("time.ms", { m, s });
  return t("time.s", { s });
}

/** A length of time to the minute, for what goes on counting. */
export function minutes(ms: number): string {
  const all = Math.max(0, Math.floor(ms / 60_000));
  if (all < 1) return t("time.moment");
  return all < 60 ? t("time.min", { m: all }) : t("time.hms", { h: Math.floor(all / 60), m: all % 60 });
}

/** How long from one RFC 3339 time to another, or null while the second is open. */
export function between(started: string, ended: string | null): string | null {
  if (ended === null) return null;
  const ms = Date.parse(ended) - Date.parse(started);
  return Number.isNaN(ms) ? null : duration(ms);
}

/** A session's end in words; an unknown reason shows its technical name. */
export function reasonText(reason: string): string {
  return lookup(`reason.${reason}`) ?? reason;
}

/** An event's type in words, or null if there are none yet. */
export function eventText(type: string): string | null {
  return lookup(`event.${type}`);
}

/** What to type to reach the server that hosts dial: with the port of this page where it is the same server. */
export function reached(publicHost: string): string {
  return publicHost === location.hostname ? location.host : publicHost;
}

// Small decisions that the pages share and the tests pin down.
import type { Role } from "./api";

export const passwordMin = 12;
export const passwordMax = 256;
export const nameMax = 64;
export const textMax = 256; // subject, requester: the protocol's limit for names and titles
export const noteMax = 16_384;
export const closingMax = 4_000;
export const phraseNameMax = 80;
export const whyMax = 500; // with which a session is ended from outside
/** How a session's trouble may have been resolved: the server's words. */
export const resolutions = ["solved", "workaround", "escalated", "unsolved"] as const;

/** Characters as people count them. */
export function characters(s: string): number {
  return [...s].length;
}

export type Strength = { kind: "short"; missing: number } | { kind: "long" | "weak" | "fair" | "strong" };

// The words that lead every list of leaked passwords, in both languages.
const known =
  /passw|motdepasse|azerty|qwert|123456|abcdef|bonjour|welcome|bienvenue|mainforte|soleil|sunshine|iloveyou|jetaime/;

/**
 * A password in one of five words. Length carries it; what repeats itself or
 * holds the person's own name counts as easy. It is advice: only short and long
 * are refused.
 */
export function strength(password: string, name: string): Strength {
  const n = characters(password);
  if (n < passwordMin) return { kind: "short", missing: passwordMin - n };
  if (n > passwordMax) return { kind: "long" };
  const plain = fold(password);
  const parts = fold(name)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((p) => p.length >= 4);
  const rest = parts.reduce((left, part) => left.replaceAll(part, ""), plain).replace(known, "");
  const different = new Set(plain).size;
  if (rest.length < 8 || different < 7 || /^(.{1,6})\1+.{0,5}$/u.test(plain)) return { kind: "weak" };
  return { kind: n >= 18 && different >= 10 ? "strong" : "fair" };
}

/** Lower case, without accents. */
function fold(s: string): string {
  return s.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Where to go after signing in: a path of this site only, else the role's own page. */
export function destination(next: string | null, role: Role): string {
  const home = role === "auditor" ? "/audit" : "/console";
  const here = "https://here.invalid";
  if (next === null || !next.startsWith("/") || !URL.canParse(next, here)) return home;
  const url = new URL(next, here);
  // "/.//elsewhere" has our host and yet a path that, taken alone, leads to another.
  // And whoever decodes the path once too often must not find that either.
  if (url.origin !== here || /^\/(\/|%2f|%5c)/i.test(url.pathname) || url.pathname.startsWith("/signin"))
    return home;
  return url.pathname + url.search + url.hash;
}

/** The token of /signin/{token}, or null on /signin itself. */
export function linkToken(path: string): string | null {
  const m = /^\/signin\/([^/]+)$/.exec(path);
  return m?.[1] === undefined ? null : safeDecode(m[1]);
}

function safeDecode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}

export const mayClaim = (role: Role): boolean => role === "technician" || role === "supervisor";
export const mayAdmin = (role: Role): boolean => role === "admin";
export const mayReadOutbox = (role: Role): boolean => role === "supervisor" || role === "admin";
export const mayKeepWords = (role: Role): boolean => role === "supervisor" || role === "admin";
export const mayReadTickets = (role: Role): boolean => role !== "auditor";
export const mayReadSessions = (role: Role): boolean => role !== "technician";
export const maySupervise = (role: Role): boolean => role === "supervisor";
export const mayReadTrends = (role: Role): boolean => role === "supervisor" || role === "admin";
export const mayReadEvents = (role: Role): boolean => role === "supervisor" || role === "auditor";

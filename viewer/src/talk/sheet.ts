// What the person's computer is, as its host says it (JSON of host/sysinfo), as
// lines in the technician's language. Everything in it is hostile.

import { number, type T, type TextKey } from "../view/texts";
import { clean } from "../wire/codec";

const keys = [
  "os",
  "arch",
  "hostname",
  "uptime",
  "cpu",
  "memory",
  "disk",
  "display",
  "network",
  "timezone",
  "locale",
  "update",
] as const;
const whys = ["unsupported", "denied", "failed", "late"] as const;

/** One fact and its name. */
export interface Fact {
  readonly label: string;
  readonly value: string;
}

/** The facts of a sheet; an empty list: it is none. */
export function facts(data: Uint8Array, t: T): Fact[] {
  let sheet: unknown;
  try {
    sheet = JSON.parse(new TextDecoder().decode(data));
  } catch {
    return [];
  }
  const rows = isObject(sheet) && Array.isArray(sheet["rows"]) ? (sheet["rows"] as unknown[]) : [];
  return rows.slice(0, 1000).flatMap((row) => {
    const key = isObject(row) ? keys.find((k) => k === row["key"]) : undefined;
    return isObject(row) && key ? [{ label: t(`sysinfo.${key}` as TextKey), value: valueOf(row, t) }] : [];
  });
}

/** The same as text, one fact a line. */
export function asText(list: readonly Fact[], t: T): string {
  return list.map(({ label, value }) => `${label}${t("colon")}${value}`).join("\n");
}

function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === "object" && v !== null;
}

function valueOf(row: Record<string, unknown>, t: T): string {
  const why = whys.find((w) => w === row["missing"]);
  if (why) return t(`sysinfo.missing.${why}` as TextKey);
  const parts: string[] = [];
  if (typeof row["name"] === "string") parts.push(clean(row["name"]));
  if (Array.isArray(row["text"]))
    parts.push(
      ...(row["text"] as unknown[]).slice(0, 16).flatMap((x) => (typeof x === "string" ? [clean(x)] : [])),
    );
  const count = amount(row["count"]);
  if (count > 1) parts.push(t("sysinfo.cores", { n: number(count, t) }));
  const size = amount(row["size"]);
  if (size > 0) parts.push(t("sysinfo.free", { size: bytes(size, t), free: bytes(amount(row["free"]), t) }));
  const seconds = amount(row["seconds"]);
  if (seconds > 0)
    parts.push(
      t("sysinfo.days", {
        days: number(Math.floor(seconds / 86400), t),
        hours: Math.floor(seconds / 3600) % 24,
      }),
    );
  return parts.filter((p) => p !== "").join(", ");
}

function amount(v: unknown): number {
  return typeof v === "number" && Number.isFinite(v) && v > 0 ? v : 0;
}

function bytes(n: number, t: T): string {
  return `${number(n / 1e9, t, 1)}\u00a0${t("unit.gigabytes")}`;
}

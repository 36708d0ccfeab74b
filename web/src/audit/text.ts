// A session's log as plain text, for a message or a file: UTC, technical names, one event a block.
import type { LogEvent, SessionLog } from "../lib/api";
import { eventText, reasonText } from "../lib/format";
import { t } from "../lib/i18n.svelte";

/** A value of the log as text; structures as JSON. */
export function plain(v: unknown): string {
  if (typeof v === "string") return v;
  if (typeof v === "number" || typeof v === "boolean") return String(v);
  return v === null || v === undefined ? "–" : JSON.stringify(v);
}

/** What a session is called: by its ticket, if it has one. */
export function titleOf(s: SessionLog["session"]): string {
  return s.ticket.number === ""
    ? t("audit.session_alone")
    : t("audit.session_of", { number: s.ticket.number });
}

export function asText({ session, events, tree }: SessionLog): string {
  const lines = [
    titleOf(session),
    line("audit.id", session.id),
    line("audit.col.ticket", `${session.ticket.number} ${session.ticket.subject}`),
    line("audit.col.technician", session.technician),
    line("audit.col.started", utc(session.started)),
    line("audit.ended", session.ended === null ? t("audit.running") : utc(session.ended)),
  ];
  if (session.reason !== null)
    lines.push(line("audit.col.reason", `${reasonText(session.reason)} [${session.reason}]`));
  lines.push("", ...events.flatMap(block));
  lines.push(line("audit.tree.size", String(tree.size)), line("audit.tree.root", tree.root), "");
  return lines.join("\n");
}

function block(e: LogEvent): string[] {
  const words = eventText(e.type);
  const who = e.actor.name === null ? e.actor.kind : `${e.actor.name} (${e.actor.kind})`;
  const out = [`${e.index}  ${utc(e.time)}  ${e.type}${words === null ? "" : ` – ${words}`}`];
  out.push(`    ${e.outcome}, ${who}${e.actor.ref === "" ? "" : ` ${e.actor.ref}`}, ${e.origin}`);
  for (const [key, v] of Object.entries(e.data)) out.push(`    ${key} = ${oneLine(plain(v))}`);
  if (e.personal === "sealed" || e.personal === "purged")
    out.push(`    ${t(`audit.personal.${e.personal}`)}`);
  else
    for (const [key, v] of Object.entries(e.personal ?? {})) out.push(`    (${key}) = ${oneLine(plain(v))}`);
  if (e.leaf !== "") out.push(`    ${t("audit.event.leaf")} ${e.leaf}`);
  out.push("");
  return out;
}

// A value with line breaks must not be able to pass for another event.
function oneLine(s: string): string {
  return s.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ");
}

function line(key: Parameters<typeof t>[0], value: string): string {
  return `${t(key)}: ${oneLine(value)}`;
}

function utc(iso: string): string {
  const d = new Date(iso);
  return Number.isNaN(d.getTime()) ? iso : d.toISOString();
}

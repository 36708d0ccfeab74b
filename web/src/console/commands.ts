// What the palette offers: everything the console can do just now, as it says so.
import type { Ticket } from "../lib/api";
import { deskName } from "../lib/format";
import { lang, langs, t, type Lang } from "../lib/i18n.svelte";
import { matching } from "../lib/match";
import type { Choice, Group } from "../lib/Picker.svelte";
import { inProgress } from "../lib/remote-session";
import { mayAdmin, mayClaim, mayKeepWords, mayReadOutbox, mayReadSessions, maySupervise } from "../lib/rules";
import { singleKeys } from "../lib/shortcuts.svelte";
import { localDesk } from "../lib/api";
import type { Desk } from "./desk.svelte";
import { passing } from "./handing";
import type { SessionTab } from "./tabs";

export interface Command extends Choice {
  run: () => void;
}

/** What the frame of the console does itself. */
export interface Acts {
  newTicket: () => void;
  search: () => void;
  help: () => void;
  signOut: () => void;
  closeSession: (tab: SessionTab) => void;
  use: (l: Lang) => void;
  go: (path: string) => void;
  focus: (id: string) => void;
}

const mostCommands = 30;
const mostTickets = 8;

/** In groups what fits the query, the tickets that the server found for it among the others. */
export function offer(desk: Desk, acts: Acts, query: string, found: readonly Ticket[]): Group<Command>[] {
  const q = query.trim();
  const fit = (list: Command[], most = mostCommands): Command[] =>
    matching(list, q, (c) => `${c.label} ${c.detail ?? ""}`, most);
  const groups = [
    { title: t("palette.session"), items: fit(session(desk, acts)) },
    { title: t("palette.tabs"), items: fit(tabs(desk)) },
    { title: t("palette.tickets"), items: tickets(desk, q, found) },
    { title: t("palette.commands"), items: fit(commands(desk, acts)) },
  ];
  if (q !== "") groups.push({ title: t("palette.search"), items: [everywhere(desk, q)] });
  return groups;
}

function everywhere(desk: Desk, q: string): Command {
  return {
    label: t("palette.find", { query: q }),
    ...(desk.where === localDesk ? {} : { detail: deskName(desk.where) }),
    icon: "search",
    run: () => {
      desk.filter = "all";
      desk.query = q;
      desk.go({ kind: "list" });
      void desk.find(); // and opens it where there is but one
    },
  };
}

/** What the session that is looked at offers: the buttons of its toolbar, as they stand. */
function session(desk: Desk, acts: Acts): Command[] {
  const a = desk.active;
  const here = a.kind === "session" ? desk.sessions.find((s) => s.key === a.key) : undefined;
  const list: Command[] = [];
  if (here?.state === "live")
    for (const { id, text } of here.element?.offers?.() ?? [])
      list.push({ label: text, icon: "screen", run: () => here.element?.press?.(id) });
  const pass = here === undefined ? null : passing(desk, here);
  if (pass !== null) list.push({ label: pass.text, icon: "people", run: pass.run });
  for (const s of desk.sessions)
    if (inProgress(s.state))
      list.push({
        label: t("palette.end", { name: nameOf(s) }),
        icon: "stop",
        run: () => acts.closeSession(s),
      });
  return list;
}

function nameOf(s: SessionTab): string {
  return s.number !== ""
    ? t("console.tab.session", { number: s.number })
    : t(s.ticketless ? "console.tab.ticketless" : "console.tab.joining");
}

/** Where one can go: what is open, but for what is looked at. */
function tabs(desk: Desk): Command[] {
  const a = desk.active;
  const list: Command[] = [];
  if (a.kind !== "list")
    list.push({ label: t("console.tickets"), icon: "ticket", run: () => desk.go({ kind: "list" }) });
  for (const s of desk.sessions)
    if (a.kind !== "session" || a.key !== s.key)
      list.push({
        label: nameOf(s),
        detail: t(`session.state.${s.state}`),
        icon: "screen",
        run: () => desk.go({ kind: "session", key: s.key }),
      });
  for (const x of desk.tickets)
    if (a.kind !== "ticket" || a.id !== x.id)
      list.push({
        label: t("ticket.number", { number: x.number }),
        detail: x.detail.value?.ticket.subject ?? "",
        icon: "note",
        run: () => void desk.open(x.id, x.number),
      });
  return list;
}

/** Tickets that have no tab: mine, those touched last, and what the server found. */
function tickets(desk: Desk, q: string, found: readonly Ticket[]): Command[] {
  const open = new Set(desk.tickets.map((x) => x.id));
  const known = new Map<string, Ticket>();
  for (const x of [...desk.queue, ...(desk.list.value ?? []), ...found])
    if (!open.has(x.id)) known.set(x.id, x);
  const text = (x: Ticket): string => `${x.number} ${x.subject} ${x.requester}`;
  const near = matching([...known.values()], q, text, mostTickets);
  // What the server found, it found by its own rules: it stays, after the rest.
  const more = q === "" ? [] : found.filter((x) => known.has(x.id) && !near.includes(x));
  return [...near, ...more].slice(0, mostTickets).map((x) => ({
    label: x.subject,
    detail: [x.number, x.requester, ...(x.open ? [] : [t("ticket.closed")])]
      .filter((s) => s !== "")
      .join(" · "),
    icon: "ticket",
    run: () => void desk.open(x.id, x.number),
  }));
}

function commands(desk: Desk, acts: Acts): Command[] {
  const { role } = desk.me;
  const writes = mayClaim(role);
  const list: Command[] = [];
  const key = (k: string): { keys?: string } => (singleKeys.on ? { keys: k } : {});
  const current = desk.current?.detail.value ?? null;
  if (current !== null && writes) {
    const { ticket } = current;
    const start = desk.startable(ticket);
    if (start === "yes" || start === "resume")
      list.push({
        label: t(start === "resume" ? "session.resume" : "session.start"),
        detail: ticket.number,
        icon: "screen",
        run: () => desk.startSession(current),
      });
    if (ticket.desk === localDesk) {
      list.push({
        label: t("note.title"),
        detail: ticket.number,
        icon: "note",
        run: () => acts.focus("note-text"),
      });
      list.push({
        label: t(ticket.open ? "ticket.close" : "ticket.reopen"),
        detail: ticket.number,
        icon: "check",
        run: () => void desk.setOpen(ticket.id, !ticket.open).catch((e: unknown) => desk.complain(e)),
      });
    }
  }
  if (writes && desk.where === localDesk)
    list.push({ label: t("keys.new"), icon: "plus", run: acts.newTicket, ...key("n") });
  list.push({ label: t("keys.search"), icon: "search", run: acts.search, ...key("/") });
  if (writes) list.push({ label: t("console.join"), icon: "people", run: () => desk.joinSession() });
  if (writes && desk.policy.ticket !== "required")
    list.push({ label: t("console.ticketless"), icon: "screen", run: () => desk.startTicketless() });
  if (mayReadOutbox(role))
    list.push({ label: t("outbox.title"), icon: "note", run: () => desk.go({ kind: "outbox" }) });
  if (mayKeepWords(role)) list.push({ label: t("words.title"), icon: "note", run: () => acts.go("/words") });
  if (maySupervise(role))
    list.push({ label: t("nav.supervise"), icon: "chart", run: () => acts.go("/supervise") });
  if (mayReadSessions(role)) list.push({ label: t("nav.audit"), icon: "log", run: () => acts.go("/audit") });
  if (mayAdmin(role)) list.push({ label: t("nav.admin"), icon: "people", run: () => acts.go("/admin") });
  list.push({ label: t("keys.title"), icon: "keyboard", run: acts.help, ...key("?") });
  list.push({
    label: t(singleKeys.on ? "palette.keys_off" : "palette.keys_on"),
    icon: "keyboard",
    run: () => singleKeys.set(!singleKeys.on),
  });
  for (const l of langs)
    if (l !== lang()) list.push({ label: t("palette.language"), icon: "user", run: () => acts.use(l) });
  list.push({ label: t("nav.my_account"), icon: "user", run: () => acts.go("/account") });
  list.push({ label: t("nav.signout"), icon: "leave", run: acts.signOut });
  return list;
}

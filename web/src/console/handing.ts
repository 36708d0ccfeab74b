// A ticket that goes from one to another, and how urgent it is: what the console does about it.
import { api, type Priority, type Ticket, type Transfer } from "../lib/api";
import { t } from "../lib/i18n.svelte";
import type { Desk } from "./desk.svelte";
import type { SessionTab } from "./tabs";

/** What has to be known of a ticket to hand it over. */
export type Handed = Pick<Ticket, "id" | "number">;

/** Takes a ticket that was handed over: the first who does has it. */
export async function takeOver(desk: Desk, x: Transfer): Promise<void> {
  try {
    const ticket = await api.takeTransfer(x.id);
    desk.toast = null; // it said that this one came
    await desk.open(ticket.id, ticket.number);
  } catch (e) {
    desk.complain(e);
  }
  await Promise.all([desk.loadDuties(), desk.loadQueue()]);
  void desk.loadList();
}

export async function handBack(desk: Desk, x: Transfer, note: string): Promise<void> {
  await api.returnTransfer(x.id, note);
  desk.toast = { text: t("hand.returned", { number: x.ticket.number, name: x.from }), undo: null };
  await desk.loadDuties();
}

export async function handOver(
  desk: Desk,
  ticket: Handed,
  to: { user: string } | { team: string },
  name: string,
  note: string,
): Promise<void> {
  await api.handOver(ticket.id, to, note);
  desk.drafts[ticket.id] = "";
  await desk.loadDuties();
  const x = desk.duties.waiting(ticket.id);
  desk.toast = {
    text: t("hand.sent", { number: ticket.number, name }),
    undo: x === null ? null : () => void undo(desk, x),
  };
}

/** What a session offers to do with its ticket: hand it over, or take it back; null where it may do neither. */
export function passing(desk: Desk, tab: SessionTab): { text: string; run: () => void } | null {
  if (tab.state !== "live" || tab.ticket === "" || tab.role !== "lead") return null;
  const waits = desk.duties.waiting(tab.ticket);
  return waits === null
    ? { text: t("hand.ticket"), run: () => (tab.handing = true) }
    : { text: t("hand.undo_ticket", { name: waits.to }), run: () => void undo(desk, waits) };
}

/** Takes back what nobody has taken yet; its note is kept for the next time. */
export async function undo(desk: Desk, x: Transfer): Promise<void> {
  try {
    await api.undoTransfer(x.id);
    desk.drafts[x.ticket.id] = x.note;
    desk.toast = { text: t("hand.undone", { number: x.ticket.number }), undo: null };
  } catch (e) {
    desk.complain(e);
  }
  await Promise.all([desk.loadDuties(), desk.loadQueue()]);
}

/** Works on a ticket that nobody works on. */
export async function takeTicket(desk: Desk, id: string): Promise<void> {
  try {
    desk.changed(await api.takeTicket(id));
  } catch (e) {
    desk.complain(e);
  }
  void desk.loadQueue();
}

export async function setUrgency(
  desk: Desk,
  id: string,
  priority: Priority,
  due: string | null,
): Promise<void> {
  desk.changed(await api.setUrgency(id, priority, due));
  void desk.loadQueue();
}

// The note of a session, or one that closes it, on its way into the ticket.
import { tick } from "svelte";
import { localDesk, type Note } from "../lib/api";
import type { Desk } from "./desk.svelte";

/** After these pauses, in milliseconds, the ticket is looked at again for the note of an ended session. */
export const noteWaits: readonly number[] = [0, 300, 700, 1000, 2000, 3000, 5000, 8000];

/** Looks until the session's note stands in the ticket. */
export async function awaitNote(desk: Desk, ticket: string, before: readonly string[]): Promise<void> {
  for (const ms of noteWaits) {
    await desk.pause(ms);
    const detail = await desk.load(ticket);
    const ended = desk.tickets.find((x) => x.id === ticket)?.ended;
    if (ended == null) return; // dismissed, closed, or a new session began
    if (detail === null) continue;
    if (detail.ticket.desk !== localDesk) {
      // The notes of another desk are not here: what the outbox says of this one is.
      const state = detail.sessions.find((s) => s.id === ended.session)?.note;
      if (state !== "written" && state !== "dead") continue;
      ended.note = state === "dead" ? "dead" : "there";
      return;
    }
    const note = newest(detail.notes.filter((n) => !before.includes(n.id)));
    if (note === undefined) continue;
    ended.note = "written";
    ended.id = note.id;
    void desk.loadList();
    await tick();
    return;
  }
  const ended = desk.tickets.find((x) => x.id === ticket)?.ended;
  if (ended != null) ended.note = "late";
}

/** Looks until one more note stands in a ticket of ours: a closing note that was written is on its way. */
export async function awaitOneMore(desk: Desk, ticket: string): Promise<void> {
  const before = desk.tickets.find((x) => x.id === ticket)?.detail.value?.notes.length ?? 0;
  for (const ms of noteWaits) {
    await desk.pause(ms);
    const detail = await desk.load(ticket);
    if (detail !== null && (detail.ticket.desk !== localDesk || detail.notes.length > before)) return;
  }
}

export function lookAgain(desk: Desk, ticket: string): void {
  const tab = desk.tickets.find((x) => x.id === ticket);
  if (tab?.ended == null) return;
  tab.ended.note = "waiting";
  const s = desk.sessions.find((x) => x.ticket === ticket);
  void awaitNote(desk, ticket, s?.before ?? tab.detail.value?.notes.map((n) => n.id) ?? []);
}

export function newest(notes: readonly Note[]): Note | undefined {
  return [...notes].sort((a, b) => Date.parse(b.created) - Date.parse(a.created))[0];
}

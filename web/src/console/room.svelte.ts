// Persons without a technician, as the console knows them: the longest wait first.
import { api, type Ticket, type Waiting } from "../lib/api";

export class Room {
  people = $state.raw<readonly Waiting[]>([]);
  /** Now by the server's clock, as it was when they were asked for, and since then by ours. */
  at = $state.raw({ server: 0, here: 0 });

  async load(): Promise<void> {
    try {
      const room = await api.waiting();
      this.people = room.waiting;
      this.at = { server: Date.parse(room.now), here: Date.now() };
    } catch {
      // The last ones stay; the list beside it says what is wrong.
    }
  }

  /** Takes care of somebody who waits; the answer is their ticket. */
  take(person: Waiting): Promise<Ticket> {
    return api.takeWaiting(person.id);
  }
}

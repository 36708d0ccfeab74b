// What the console knows and does: one object, one writer. The components show
// it and call it; nothing here touches the document.
import {
  api,
  asProblem,
  type Problem,
  localDesk,
  type DeskInfo,
  type Me,
  type Note,
  type Policy,
  type Ticket,
  type TicketDetail,
  type TicketState,
  type Waiting,
  type Watch,
} from "../lib/api";
import { t, type Lang } from "../lib/i18n.svelte";
import { mayClaim } from "../lib/rules";
import { awaitNote } from "./notes";
import { Room } from "./room.svelte";
import { Duties, matching, whoseQueue, type Whose } from "./duties.svelte";
import type { News } from "../lib/news";
import { inProgress, type RemoteSession, type StateDetail } from "../lib/remote-session";
import type { Active, Closing, Loaded, SessionTab, TicketTab, Toast } from "./tabs";

const mostTickets = 8;
/** News that come together load the lists once. */
const freshenMs = 1000;
const slowAfterMs = 1200;
const endPatienceMs = 3000;
const endStepMs = 50;

export class Desk {
  readonly me: Me;
  filter = $state<TicketState>("open");
  query = $state("");
  /** The service desks there are, the embedded one first. */
  desks = $state.raw<DeskInfo[]>([{ name: localDesk, system: localDesk, search: true, blind: false }]);
  policy = $state.raw<Policy>({ desk: localDesk, ticket: "required", offline: "refuse" });
  /** The desk whose tickets are listed. */
  where = $state(localDesk);
  /** Notes that were given up; null for who may not know. */
  dead = $state<number | null>(null);
  /** A desk has been asked and is taking its time. */
  slow = $state(false);
  list = $state<Loaded<Ticket[]>>({ value: null, problem: null });
  /** Whose tickets are shown; the choice outlives the page. */
  whose = $state<Whose>("all");
  /** Tickets that this technician works on, or their teams: what is due first stands first. */
  queue = $state<Ticket[]>([]);
  queueProblem = $state.raw<Problem | null>(null);
  /** What is handed over, to us and by us, and whether we are here. */
  readonly duties = new Duties();
  /** Notes of transfers that were undone, by ticket: nothing typed is lost. */
  drafts = $state<Record<string, string>>({});
  /** Who would like to watch a session that this technician leads. */
  watches = $state.raw<Watch[]>([]);
  /** Persons who wait for a technician. */
  readonly room = new Room();
  tickets = $state<TicketTab[]>([]);
  sessions = $state<SessionTab[]>([]);
  active = $state<Active>({ kind: "list" });
  toast = $state<Toast | null>(null);
  /** How many solutions this page made: what is suggested is not as it was. */
  promoted = $state(0);
  /** Called after the active tab changed, so that the page's address can follow. */
  onmove: () => void = () => undefined;
  private listRun = 0;
  /** Tickets that this page is closing or opening itself. */
  private turning: readonly string[] = [];
  /** News came since the lists were loaded. */
  private stale = false;
  private freshening = false;
  private nextKey = 1;

  constructor(
    me: Me,
    readonly pause: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
  ) {
    this.me = me;
    if (mayClaim(me.role)) this.whose = whoseQueue.read();
  }

  /** The sessions that leaving would cut off. */
  get live(): SessionTab[] {
    return this.sessions.filter((s) => inProgress(s.state));
  }

  get current(): TicketTab | null {
    const a = this.active;
    return a.kind === "ticket" ? (this.tickets.find((x) => x.id === a.id) ?? null) : null;
  }

  /** Learns which desks there are, and begins with the one of the policy. */
  async loadDesks(): Promise<void> {
    try {
      const { desks, policy } = await api.desks();
      this.desks = desks;
      this.policy = policy;
      if (desks.some((d) => d.name === policy.desk)) this.where = policy.desk;
    } catch (e) {
      this.complain(e); // the embedded desk is there whatever happens
    }
    await this.loadList();
  }

  /** Counts the notes that somebody must look after. */
  async countDead(): Promise<void> {
    try {
      this.dead = (await api.outbox()).dead.length;
    } catch {
      // Their page says what is wrong; a number on a button need not.
    }
  }

  /** Lists another desk; what was found in the one before is not its. */
  choose(name: string): void {
    this.where = name;
    this.list = { value: null, problem: null };
    void this.loadList();
  }

  /** A desk that is not ours is searched, never listed. */
  get waitsForQuery(): boolean {
    return this.where !== localDesk && this.query.trim() === "";
  }

  async loadList(): Promise<void> {
    const run = ++this.listRun;
    this.slow = false;
    if (this.waitsForQuery) {
      this.list = { value: [], problem: null };
      return;
    }
    const impatience = setTimeout(() => {
      if (run === this.listRun) this.slow = true;
    }, slowAfterMs);
    try {
      const tickets = await api.tickets(this.filter, this.query.trim(), this.where);
      if (run === this.listRun) this.list = { value: tickets, problem: null };
    } catch (e) {
      if (run === this.listRun) this.list = { value: this.list.value, problem: asProblem(e) };
    } finally {
      clearTimeout(impatience);
      if (run === this.listRun) this.slow = false;
    }
  }

  /** Searches, and opens what was found where that is one ticket: the way to one by its number. */
  async find(): Promise<void> {
    if (this.whose !== "all" && this.query.trim() !== "") {
      const [one, ...others] = this.queued;
      if (one !== undefined && others.length === 0) return this.open(one.id, one.number);
      if (one !== undefined) return;
      this.showQueue("all");
    }
    await this.loadList();
    const [one, ...others] = this.list.value ?? [];
    if (one !== undefined && others.length === 0 && this.list.problem === null && this.query.trim() !== "")
      await this.open(one.id, one.number);
  }

  /** Who would like to watch a session that we lead. */
  async loadWatches(): Promise<void> {
    if (!mayClaim(this.me.role)) return;
    try {
      this.watches = await api.watches();
    } catch {
      return; // what is known stays; whoever asked sees that there is no answer
    }
    for (const s of this.sessions) {
      const looked = this.active.kind === "session" && this.active.key === s.key;
      if (!looked && this.watches.some((x) => x.session === s.session)) s.unread = true;
    }
  }

  /**
   * Makes an invite code for who would like to watch, or says that it is not the moment. False: there can be no code
   * just now.
   */
  async answerWatch(s: SessionTab, invite: boolean): Promise<boolean> {
    if (s.session === null || (invite && s.element?.inviteObserver() !== true)) return false;
    const session = s.session;
    try {
      await api.answerWatch(session, invite);
      this.watches = this.watches.filter((x) => x.session !== session);
    } catch (e) {
      this.complain(e);
      await this.loadWatches();
    }
    return true;
  }

  async loadWaiting(): Promise<void> {
    if (mayClaim(this.me.role)) await this.room.load();
  }

  /** Takes care of somebody who waits: their ticket is opened. */
  async take(person: Waiting): Promise<void> {
    try {
      const ticket = await this.room.take(person);
      await this.open(ticket.id, ticket.number);
      const text =
        person.phone === ""
          ? t("console.waiting.calls", { name: person.name })
          : t("console.waiting.call", { name: person.name, phone: person.phone });
      this.toast = { text, undo: null };
    } catch (e) {
      this.complain(e);
    }
    await this.loadWaiting();
    void this.loadList();
  }

  async loadQueue(): Promise<void> {
    if (!mayClaim(this.me.role)) return;
    const whose = this.whose;
    try {
      const queue = await api.queue(whose === "team" ? "team" : "mine");
      if (whose !== this.whose) return;
      this.queue = queue;
      this.queueProblem = null;
    } catch (e) {
      if (whose === this.whose) this.queueProblem = asProblem(e); // the last one stays
    }
  }

  /** The tickets of the queue that the search asks for. */
  get queued(): Ticket[] {
    return matching(this.queue, this.query);
  }

  showQueue(whose: Whose): void {
    if (this.whose !== whose) this.queue = [];
    this.whose = whose;
    whoseQueue.keep(whose);
    void (whose === "all" ? this.loadList() : this.loadQueue());
  }

  /** What is handed over; what is new is said, unless a session is seen. */
  async loadDuties(): Promise<void> {
    if (!mayClaim(this.me.role)) return;
    const said = await this.duties.load();
    if (said !== null && this.active.kind !== "session") this.toast = { text: said, undo: null };
  }

  /** A ticket is known anew. */
  changed(ticket: Ticket): void {
    const tab = this.tickets.find((x) => x.id === ticket.id);
    if (tab?.detail.value != null) tab.detail.value.ticket = ticket;
    void this.loadList();
  }

  async setAway(away: boolean): Promise<void> {
    try {
      await this.duties.setAway(away);
    } catch (e) {
      this.complain(e);
    }
  }

  /** The server told that a ticket is not as it was. */
  async told(n: News): Promise<void> {
    if (n.kind === "watch") return this.loadWatches();
    if (n.kind === "waiting") return this.loadWaiting();
    if (n.kind === "work") return this.loadDuties();
    if (n.ticket === "") return; // of no ticket: not for this page
    const turned =
      (n.kind === "closed" || n.kind === "opened") && !this.turning.includes(n.ticket) ? n.kind : null;
    const tab = this.tickets.find((x) => x.id === n.ticket);
    // What stands there already needs no banner: it came by loading, or twice.
    const open = tab?.detail.value?.ticket.open;
    if (tab !== undefined && turned !== null && open !== (turned === "opened")) tab.told = turned;
    if (turned !== null)
      for (const s of this.sessions) {
        if (s.ticket !== n.ticket) continue;
        s.closed = turned === "closed";
        if (s.closed && !(this.active.kind === "session" && this.active.key === s.key)) s.unread = true;
      }
    if (tab !== undefined) await this.load(n.ticket);
    void this.freshen();
    if (!n.mine || n.kind !== "assigned") return;
    await this.loadQueue();
    const given = this.queue.find((x) => x.id === n.ticket && (x.holder?.me ?? true));
    // Nothing lies over the remote screen; the list has it when the technician comes back.
    if (given !== undefined && this.active.kind !== "session")
      this.toast = { text: t("console.given", { number: given.number }), undo: null };
  }

  /** Loads the lists again, once for all the news of a moment, and not while only a session is seen. */
  private async freshen(): Promise<void> {
    this.stale = true;
    if (this.freshening) return;
    this.freshening = true;
    await this.pause(freshenMs);
    this.freshening = false;
    if (this.stale && this.active.kind !== "session") {
      this.stale = false;
      await Promise.all([this.loadList(), this.loadQueue()]);
    }
  }

  /** Opens a ticket in a tab of its own, or goes to the one it has. */
  async open(id: string, number = ""): Promise<void> {
    if (!this.tickets.some((x) => x.id === id)) {
      this.tickets.push({
        kind: "ticket",
        id,
        number,
        detail: { value: null, problem: null },
        draft: "",
        draftPublic: false,
        told: null,
        ended: null,
      });
      this.dropOldest(id);
    }
    this.go({ kind: "ticket", id });
    await this.load(id);
  }

  /** Opens a ticket with its code field, if it can have a session now. */
  async launch(id: string): Promise<void> {
    await this.open(id);
    const detail = this.tickets.find((x) => x.id === id)?.detail.value;
    const here = this.active.kind === "ticket" && this.active.id === id;
    if (
      detail != null &&
      here &&
      mayClaim(this.me.role) &&
      ["yes", "resume"].includes(this.startable(detail.ticket))
    )
      this.startSession(detail);
  }

  /** A tab with an unfinished note or a session is never dropped. */
  private dropOldest(keep: string): void {
    if (this.tickets.length <= mostTickets) return;
    const i = this.tickets.findIndex(
      (x) => x.id !== keep && x.draft === "" && !this.sessions.some((s) => s.ticket === x.id),
    );
    if (i >= 0) this.tickets.splice(i, 1);
  }

  async load(id: string): Promise<TicketDetail | null> {
    try {
      const value = await api.ticket(id);
      const tab = this.tickets.find((x) => x.id === id);
      if (tab !== undefined) {
        tab.number = value.ticket.number;
        tab.detail = { value, problem: null };
      }
      return value;
    } catch (e) {
      const tab = this.tickets.find((x) => x.id === id);
      if (tab !== undefined) tab.detail = { value: tab.detail.value, problem: asProblem(e) };
      return null;
    }
  }

  go(to: Active): void {
    this.active = to;
    if (to.kind === "session") {
      this.toast = null; // nothing lies over the remote screen
      const s = this.sessions.find((x) => x.key === to.key);
      if (s !== undefined) s.unread = false;
    } else if (this.stale) void this.freshen();
    this.onmove();
  }

  closeTicketTab(id: string): void {
    const i = this.tickets.findIndex((x) => x.id === id);
    if (i < 0) return;
    this.tickets.splice(i, 1);
    if (this.active.kind === "ticket" && this.active.id === id) {
      const next = this.tickets[i] ?? this.tickets[i - 1];
      this.go(next === undefined ? { kind: "list" } : { kind: "ticket", id: next.id });
    }
  }

  async create(subject: string, requester: string, lang: Lang): Promise<void> {
    const ticket = await api.createTicket(subject, requester, lang);
    this.toast = { text: t("new.created_toast", { number: ticket.number }), undo: null };
    void this.loadList();
    await this.open(ticket.id, ticket.number);
  }

  /** Closes or reopens a ticket and offers the way back. */
  async setOpen(id: string, open: boolean, offerUndo = true): Promise<void> {
    this.turning = [...this.turning, id];
    const ticket = await api.setOpen(id, open).finally(() => {
      this.turning = this.turning.filter((x) => x !== id);
    });
    this.toast = {
      text: t(open ? "ticket.opened_toast" : "ticket.closed_toast", { number: ticket.number }),
      undo: offerUndo
        ? () => void this.setOpen(id, !open, false).catch((e: unknown) => this.complain(e))
        : null,
    };
    const tab = this.tickets.find((x) => x.id === id);
    if (tab?.detail.value != null) tab.detail.value.ticket = ticket;
    if (tab !== undefined) tab.told = null;
    void this.loadList();
  }

  complain(e: unknown): void {
    this.toast = { text: asProblem(e).message, undo: null };
  }

  async addNote(id: string, text: string, isPublic: boolean): Promise<Note> {
    const note = await api.addNote(id, text, isPublic);
    const tab = this.tickets.find((x) => x.id === id);
    if (tab !== undefined) {
      tab.draft = "";
      tab.draftPublic = false; // each note is made public on purpose
      if (tab.detail.value !== null) tab.detail.value.notes.push(note);
    }
    void this.loadList();
    return note;
  }

  /** Whether a session can be started for a ticket, and if not, why. */
  startable(ticket: Ticket): "yes" | "resume" | "closed" | "elsewhere" | "away" {
    const own = this.sessions.find((s) => s.ticket === ticket.id && s.state !== "ended");
    if (own !== undefined) return "resume";
    if (ticket.remembered && this.policy.offline !== "allow") return "away";
    if (ticket.open) return "yes";
    return ticket.desk === localDesk ? "closed" : "elsewhere";
  }

  startSession(detail: TicketDetail): void {
    const id = detail.ticket.id;
    const own = this.sessions.find((s) => s.ticket === id && s.state !== "ended");
    if (own !== undefined) return this.go({ kind: "session", key: own.key });
    this.sessions = this.sessions.filter((s) => s.ticket !== id);
    this.newSession(
      id,
      detail.ticket.number,
      detail.notes.map((n) => n.id),
    );
    const tab = this.tickets.find((x) => x.id === id);
    if (tab !== undefined) tab.ended = null;
  }

  /** A tab in which a colleague's session is joined by an invite code. */
  joinSession(): void {
    this.withoutTicket(false);
  }

  /** A tab for a session that no ticket asked for. */
  startTicketless(): void {
    this.withoutTicket(true);
  }

  private withoutTicket(ticketless: boolean): void {
    const open = this.sessions.find(
      (s) => s.ticket === "" && s.state === "code" && s.ticketless === ticketless,
    );
    if (open !== undefined) this.go({ kind: "session", key: open.key });
    else this.newSession("", "", [], ticketless);
  }

  private newSession(ticket: string, number: string, before: readonly string[], ticketless = false): void {
    const key = this.nextKey++;
    this.sessions.push({
      kind: "session",
      key,
      ticket,
      number,
      role: "lead",
      others: 0,
      notices: 0,
      messages: 0,
      unread: false,
      ticketless,
      handing: false,
      state: "code",
      session: null,
      before,
      closed: false,
      element: null,
    });
    this.go({ kind: "session", key });
  }

  /** The element of a session tab is in the page. */
  placed(key: number, element: RemoteSession): void {
    const s = this.sessions.find((x) => x.key === key);
    if (s !== undefined) s.element = element;
  }

  /** The element of a session tab told how it stands. */
  heard(key: number, d: StateDetail): void {
    const s = this.sessions.find((x) => x.key === key);
    if (s === undefined) return;
    const wasOver = s.state === "ended";
    const looked = this.active.kind === "session" && this.active.key === key;
    if (!looked && (d.state !== s.state || d.notices > s.notices || d.unread > s.messages)) s.unread = true;
    s.state = d.state;
    s.role = d.kind;
    s.others = d.others;
    s.notices = d.notices;
    s.messages = d.unread;
    if (s.ticket === "" && d.ticket !== null) void this.joined(s, d.ticket);
    if (d.state === "code") {
      // The element took itself back to the start: what ended before is no longer its session.
      s.session = null;
      s.before =
        this.tickets.find((x) => x.id === s.ticket)?.detail.value?.notes.map((n) => n.id) ?? s.before;
      return;
    }
    s.session = d.session ?? s.session;
    // Before pairing there is no session to show: the element says itself what was wrong with the code.
    if (d.state === "ended" && !wasOver && s.session !== null) void this.finish(s, d.reason);
  }

  /** The session that was joined has told its ticket. */
  private async joined(s: SessionTab, ticket: { id: string; number: string }): Promise<void> {
    s.ticket = ticket.id;
    s.number = ticket.number;
    try {
      const detail = await api.ticket(ticket.id);
      s.before = detail.notes.map((n) => n.id);
    } catch {
      // Not every ticket that can be helped with can be read; its tab will say so.
    }
  }

  private async finish(s: SessionTab, reason: string | null): Promise<void> {
    if (s.ticket === "") return; // the element itself says how it ended
    // Somebody who went to another ticket meanwhile is left there.
    const wasThere = this.active.kind === "session" && this.active.key === s.key;
    if (wasThere || (this.active.kind === "ticket" && this.active.id === s.ticket))
      await this.open(s.ticket, s.number);
    const tab = this.tickets.find((x) => x.id === s.ticket);
    if (tab === undefined) return;
    if (reason === "LEFT") {
      tab.ended = { reason, note: "later", id: null, session: s.session, closing: unsaid() };
      return;
    }
    tab.ended = { reason, note: "waiting", id: null, session: s.session, closing: unsaid() };
    await awaitNote(this, s.ticket, s.before);
  }

  /** Takes a session's tab away; one in progress is ended first. */
  async closeSessionTab(key: number): Promise<void> {
    const s = this.sessions.find((x) => x.key === key);
    if (s === undefined) return;
    const was = this.active;
    if (inProgress(s.state)) await this.end(key);
    this.sessions = this.sessions.filter((x) => x.key !== key);
    if (was.kind !== "session" || was.key !== key) return;
    if (s.ticket === "") this.go({ kind: "list" });
    else await this.open(s.ticket, s.number);
  }

  /** Ends a session and waits until its element says that it is over, but not for ever. */
  async end(key: number): Promise<void> {
    const s = this.sessions.find((x) => x.key === key);
    if (s === undefined) return;
    s.element?.end();
    for (let waited = 0; waited < endPatienceMs && inProgress(s.state); waited += endStepMs)
      await this.pause(endStepMs);
    if (inProgress(s.state))
      this.heard(key, {
        state: "ended",
        session: s.session,
        reason: null,
        kind: s.role,
        others: 0,
        notices: 0,
        unread: 0,
        ticket: null,
      });
  }

  /** Ends every session that is in progress. */
  async endAll(): Promise<void> {
    await Promise.all(this.live.map((s) => this.end(s.key)));
  }
}

export const unsaid = (): Closing => ({
  text: "",
  resolution: "",
  code: "",
  done: false,
});

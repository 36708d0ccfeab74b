// One session, from the typed code to its end: the only writer of what the
// element shows. It owns the line to the server, the pairing, the sealed
// attachment and the connection, and holds no DOM but the canvas it passes on.

import { Attachment, type SealedContent } from "./attach";
import { restartUntil, returnUntil } from "./comeback";
import type { HostConnection } from "./connection";
import type { ControlBody } from "./control";
import { displays } from "./displays";
import { weigh } from "./ending";
import { GrantState, NoticeCode, type Displays, type Notice } from "./gen/session_pb";
import { ParticipantKind, Reason, type HostState, type Welcome } from "./gen/signaling_pb";
import { Gauge } from "./gauge";
import { answer, noticed } from "./notices";
import type { Keys, Link } from "./pake/link";
import { Pairing, type Paired } from "./pairing";
import { invite, members } from "./participants";
import type { Report } from "./picture/painter";
import { iceServers } from "./relay";
import { Route } from "./route";
import type { Grants, ToolChannel } from "./tool";
import { Line, type ServerBody } from "./signaling";
import type { Surroundings } from "./surroundings";
import { firstView, type News, type View } from "./state";
import { parseCode } from "./wire/code";
import { clean, reasonOf, WireError } from "./wire/codec";

/** How long a claim may take to pair, ms. */
const pairTimeout = 30_000;
/** How long the host's own word may come behind the server's, ms. */
const byeTimeout = 1_000;
/** How long the news that the host's addresses changed explain an interruption, ms. */
const causeFor = 10_000;
/** How long news stand, ms. */
const newsFor = 6_000;
/** Bounds of what the server says about its grace time, s. */
const maxGrace = 600;

export class Session {
  #around: Surroundings;
  #view: View = firstView;
  #line: Line;
  #pairing: Pairing | undefined;
  #attachment: Attachment | undefined;
  #connection: HostConnection | undefined;
  #route: Route | undefined;
  #relays: RTCIceServer[] = [];
  #graceMs = 0;
  #painted = false;
  #over = false;
  #gauge: Gauge;
  #claimed: Reason | undefined; // an end that the host has yet to confirm
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #claim: { typed: string; ticketId: string } | undefined;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#gauge = new Gauge({
      connection: () => this.#connection,
      painted: () => around.picture.figures(),
      changed: (part) => this.#change(part),
    });
    this.#line = new Line(() => around.dial(), around.lang, {
      welcome: (welcome) => this.#guard(() => this.#welcome(welcome)),
      message: (body) => this.#guard(() => this.#message(body)),
      away: () => this.#lineAway(),
      lost: (reason) => this.#refused(reason),
    });
  }

  get view(): View {
    return this.#view;
  }

  get connection(): HostConnection | undefined {
    return this.#connection;
  }

  /** Claims with what was typed. What is no code never leaves the browser. */
  start(typed: string, ticketId: string): void {
    try {
      parseCode(typed);
    } catch (error) {
      this.#finish(reasonOf(error), true);
      return;
    }
    this.#claim = { typed, ticketId };
    this.#change({ state: "pairing", reason: null });
    this.#after("pair", pairTimeout, () => this.#finish(Reason.HOST_GONE));
    this.#line.open();
  }

  /** Asks the person for a grant. */
  ask(name: string): void {
    this.#connection?.send({ case: "ask", value: { name } });
  }

  /** Gives a grant back, or takes the question back. */
  giveBack(name: string): void {
    if (name === "control") this.#setHands(false); // at once, whatever the host answers
    this.#connection?.send({ case: "giveBack", value: { name } });
  }

  /** Gives control to another participant; the host asks the person (C45). */
  handOver(participant: string): void {
    this.#connection?.send({ case: "handOver", value: { participant } });
  }

  /** Wants an invite code for a colleague. */
  askInvite(kind: ParticipantKind): void {
    if (this.#connection === undefined) return;
    this.#connection.send({ case: "askInvite", value: { kind } });
    this.#change({ invite: { kind, state: "asked", code: "", until: 0, reason: Reason.UNSPECIFIED } });
  }

  /** The invite is read and put away; a code that is still good becomes worthless. */
  closeInvite(): void {
    const state = this.#view.invite?.state;
    if (state === "asked" || state === "open") this.#connection?.send({ case: "cancelInvite", value: {} });
    this.#change({ invite: null });
  }

  /** Ends the session, and tells both sides: the host by ways that the server cannot forge. */
  end(reason: Reason = Reason.TECHNICIAN_ENDED): void {
    if (this.#over) return;
    if (this.#view.session === null) {
      this.#pairing?.giveUp(reason);
      this.#finish(reason, true);
    } else {
      this.#give(reason, true);
    }
  }

  /** Takes only us out of the session. */
  leave(): void {
    this.end(this.#view.session === null ? Reason.TECHNICIAN_ENDED : Reason.LEFT);
  }

  /** Somebody looks at how the picture comes, or does no more: only then it is measured and told. */
  measure(on: boolean): void {
    if (!this.#over) this.#gauge.turn(on);
  }

  /** Looks at one display, or at all (null): the host need not send more. */
  watch(display: number | null): void {
    if (display === this.#view.watched) return;
    this.#change({ watched: display });
    this.#tellWatched();
  }

  /** This computer's network changed. */
  moved(sure: boolean): void {
    if (this.#over || this.#route === undefined) return;
    if (this.#view.cause === "offline") this.#change({ cause: null });
    const whole = this.#view.pathUp && this.#view.serverAway === null;
    if (!sure && whole) return; // an estimate changed, and nothing is wrong
    if (sure || this.#view.serverAway !== null) this.#line.redial();
    this.#route.moved();
  }

  /** This computer has no network at all. */
  offline(): void {
    if (this.#view.session !== null) this.#change({ cause: "offline" });
  }

  /** What the painter has to say. */
  painted(report: Report): void {
    this.#guard(() => this.#picture(report));
  }

  #welcome(welcome: Welcome): void {
    this.#graceMs = Math.min(welcome.graceS, maxGrace) * 1000;
    if (this.#view.session !== null) {
      this.#back("serverBack", this.#view.serverAway);
      this.#change({ serverAway: null });
      return; // the server says next whether the host's line stands
    }
    const claim = this.#claim;
    this.#claim = undefined; // the secret is held no longer than it takes
    if (claim === undefined) return;
    this.#change({ server: clean(welcome.publicHost) });
    this.#pairing = new Pairing((body) => this.#line.send(body));
    this.#pairing.claim(claim.typed, claim.ticketId, welcome.publicHost);
  }

  #message(body: ServerBody): void {
    switch (body.case) {
      case "claimResult":
        this.#finish(this.#paired("claimResult").refused(body.value));
        return;
      case "pakeReply":
        this.#paired("pakeReply").reply(body.value);
        return;
      case "opened":
        this.#opened(this.#paired("opened").opened(body.value));
        return;
      case "relay":
        if (this.#attachment === undefined) throw outOfOrder("relay");
        this.#relays = iceServers(body.value);
        this.#connection?.relays(this.#relays);
        return;
      case "attach":
        this.#attached().attach(body.value);
        return;
      case "sealed":
        this.#attached().sealed(body.value);
        return;
      case "host":
        this.#hostState(body.value);
        return;
      case "end":
        this.#ended(body.value.reason);
        return;
      default:
        throw outOfOrder(body.case);
    }
  }

  #paired(what: string): Pairing {
    if (this.#pairing === undefined) throw outOfOrder(what);
    return this.#pairing;
  }

  #attached(): Attachment {
    if (this.#attachment === undefined) throw outOfOrder("attach");
    return this.#attachment;
  }

  #opened({ keys, session, token, kind, ticket }: Paired): void {
    this.#cancel("pair");
    this.#pairing = undefined;
    this.#line.keep(session, token, this.#graceMs);
    const attachment = new Attachment(keys, (body) => this.#line.send(body), {
      mayReturn: () => this.#view.returnUntil !== null,
      attached: (link, kept, returned) => {
        this.#linked(link, kept);
        if (returned) this.#cameBack();
      },
      body: (content) => this.#sealedBody(content),
      failed: (reason) => this.#give(reason),
    });
    this.#attachment = attachment;
    this.#route = new Route(this.#graceMs, {
      sealable: () => attachment.usable,
      reachable: () => this.#reachable(),
      attach: (keep) => attachment.begin(keep),
      offer: () => this.#connection?.restart(),
      suspect: () => this.#line.redial(),
      changed: (since) => this.#interrupted(since),
      gaveUp: (reason) => this.#give(reason),
    });
    this.#change({
      state: "asking",
      session: clean(session),
      kind: kind === ParticipantKind.UNSPECIFIED ? ParticipantKind.LEAD : kind,
      ticket: ticket && { id: ticket.id, number: clean(ticket.number), subject: clean(ticket.subject) },
    });
    this.#route.begin();
    void this.#fingerprint(keys);
  }

  async #fingerprint({ hostKey }: Keys): Promise<void> {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(hostKey)));
    this.#change({ hostKey: Array.from(hash, (b) => b.toString(16).padStart(2, "0")).join("") });
  }

  #reachable(): boolean {
    return this.#line.ready && this.#view.serverAway === null && this.#view.hostAway === null;
  }

  #hostState({ connected }: HostState): void {
    const attachment = this.#attached();
    if (connected) {
      this.#back("hostBack", this.#view.hostAway);
      this.#change({ hostAway: null, restartUntil: null });
      this.#route?.linesBack();
    } else {
      attachment.interrupted();
      const since = this.#view.hostAway ?? Date.now();
      this.#change({
        hostAway: since,
        restartUntil: restartUntil(this.#view.returnUntil, since, this.#graceMs),
      });
      this.#route?.lineBroke();
    }
  }

  #lineAway(): void {
    this.#attachment?.interrupted();
    this.#change({ serverAway: this.#view.serverAway ?? Date.now(), hostAway: null });
    this.#route?.lineBroke();
  }

  #linked(link: Link, kept: boolean): void {
    if (kept) this.#connection?.kept();
    else {
      this.#connection?.close();
      this.#disconnect();
      // What stood on the last connection, its host says again on this one.
      this.#change({ held: null, screen: null, slowLine: null, slowHost: null });
      this.#connect(link).catch((error: unknown) => this.#give(reasonOf(error)));
    }
    this.#route?.attached(kept);
  }

  // The host came back after a restart. It knows nothing of the tools any more, and asks the person anew.
  #cameBack(): void {
    this.#change({ returnUntil: null, restartUntil: null });
    for (const tool of this.#around.tools) tool.anew?.();
  }

  async #connect(link: Link): Promise<void> {
    const connection = await this.#around.connect(link, this.#relays, {
      seal: (body) => this.#attachment?.send(body),
      proven: () => this.#proven(),
      toolsUp: () => this.#guard(() => this.#toolsUp()),
      control: (body) => this.#guard(() => this.#control(body)),
      cursor: (data) => this.#around.cursor(data),
      tool: (channel, message) => this.#guard(() => this.#tool(channel, message)),
      path: (path) => this.#route?.path(path),
      answered: () => this.#route?.answered(),
      lost: (refused) => {
        this.#disconnect();
        this.#route?.lost(refused);
      },
      failed: (reason) => this.#give(reason),
    });
    if (this.#over) {
      connection.close();
      return;
    }
    this.#connection = connection;
    await connection.start();
  }

  // The way to the host stands (null), or is interrupted since then.
  #interrupted(since: number | null): void {
    if (since === null) {
      this.#back("pathBack", this.#view.interrupted);
      if (this.#view.cause === "host moved") this.#change({ cause: null });
    }
    this.#change({ interrupted: since, pathUp: since === null });
    this.#setHands(since === null && this.#mayDrive());
  }

  // Tells how long something was away, if anybody can have noticed.
  #back(kind: "pathBack" | "serverBack" | "hostBack", since: number | null): void {
    if (since === null) return;
    const seconds = Math.round((Date.now() - since) / 1000);
    if (seconds >= 1) this.#news({ kind, seconds });
  }

  #sealedBody(content: SealedContent): void {
    switch (content.case) {
      case "description":
        this.#connection?.description(content.value);
        return;
      case "candidate":
        this.#connection?.candidate(content.value);
        return;
      case "routeChanged":
        this.#change({ cause: "host moved" });
        this.#after("cause", causeFor, () => {
          if (this.#view.cause === "host moved") this.#change({ cause: null });
        });
        this.#route?.moved();
        return;
      case "bye":
        this.#finish(content.value.reason);
    }
  }

  #control(body: ControlBody): void {
    switch (body.case) {
      case "grants": {
        this.#grants(
          Object.fromEntries(body.value.grants.toReversed().map(({ name, state }) => [name, state])),
        );
        return;
      }
      case "participants": {
        const list = members(body.value);
        const kind = list.find(({ you }) => you)?.kind ?? this.#view.kind;
        if (kind === ParticipantKind.LEAD && this.#view.kind !== kind) this.#news({ kind: "lead" });
        this.#change({ members: list, kind });
        return;
      }
      case "invite": {
        const asked = this.#view.invite;
        const answer = invite(body.value);
        // Put away meanwhile; or the end of one before it, which was.
        if (asked === null || (asked.state === "asked" && answer.state === "used")) return;
        this.#change({ invite: answer });
        return;
      }
      case "displays":
        this.#displays(body.value);
        return;
      case "figures":
        void this.#gauge.figures(body.value);
        return;
      case "notice":
        this.#notice(body.value);
        return;
      case "bye":
        this.#finish(body.value.reason);
        return;
      default:
        throw outOfOrder(body.case);
    }
  }

  // What a host heard on the last connection, one of a new connection has to be told.
  #proven(): void {
    this.#route?.proven();
    if (this.#view.watched !== null) this.#tellWatched();
    this.#gauge.connected();
  }

  #toolsUp(): void {
    const connection = this.#connection;
    if (connection) for (const tool of this.#around.tools) tool.connected(connection.outlet(tool.channel));
  }

  #disconnect(): void {
    if (this.#connection !== undefined) for (const tool of this.#around.tools) tool.disconnected();
    this.#connection = undefined;
  }

  #tool(channel: ToolChannel, message: ArrayBuffer): void {
    this.#around.tools.find((tool) => tool.channel === channel)?.heard(message);
  }

  #tellWatched(): void {
    const { watched } = this.#view;
    this.#connection?.hint({ case: "watch", value: watched === null ? {} : { display: watched } });
  }

  #displays(message: Displays): void {
    const before = this.#view.displays.find(({ id }) => id === this.#view.watched);
    const now = displays(message);
    this.#change({ displays: now });
    if (before === undefined || now.some(({ id }) => id === before.id)) return;
    this.watch(null);
    this.#news({ kind: "displayGone", name: before.name });
  }

  #grants(grants: Grants): void {
    const { view = GrantState.UNSPECIFIED, control = GrantState.UNSPECIFIED } = grants;
    const saw = this.#view.view === GrantState.ALLOWED;
    const sees = view === GrantState.ALLOWED;
    if (saw && !sees) {
      this.#painted = false;
      this.#around.picture.blank();
    }
    if (!saw && sees) this.#around.picture.unblank();
    const state = sees ? (this.#painted ? "live" : "connecting") : "asking";
    const answered = control !== this.#view.control;
    this.#change({ view, control, grants, state, returnUntil: returnUntil(grants, this.#view.returnUntil) });
    if (answered) this.#news(answer(control));
    this.#setHands(this.#mayDrive());
    for (const tool of this.#around.tools) tool.granted(grants);
  }

  #mayDrive(): boolean {
    return this.#view.control === GrantState.ALLOWED && this.#view.view === GrantState.ALLOWED;
  }

  // Opens or closes the hands. The host enforces the grant; this only spares it what it would refuse.
  #setHands(open: boolean): void {
    if (this.#connection) this.#connection.sender.open = open;
  }

  #news(news: News | null): void {
    this.#change({ news });
    this.#cancel("news");
    if (news !== null) this.#after("news", newsFor, () => this.#change({ news: null }));
  }

  #notice(notice: Notice): void {
    const { change, news } = noticed(notice);
    if (change) this.#change(change);
    if (news) this.#news(news);
  }

  #picture(report: Report): void {
    switch (report.kind) {
      case "size":
        this.#change({ width: report.width, height: report.height });
        return;
      case "painted":
        if (this.#view.view !== GrantState.ALLOWED) return; // of a view that was just taken back
        this.#painted = true;
        this.#change({ state: "live" });
        return;
      case "pace": {
        const slow = report.slow;
        const code = slow ? NoticeCode.BROWSER_SLOW : NoticeCode.BROWSER_GOOD;
        this.#connection?.hint({ case: "notice", value: { code, value: report.ms } });
        this.#change({ slowBrowser: slow ? report.ms : null });
        return;
      }
      case "failed":
        this.#give(
          report.why === "too large"
            ? Reason.TOO_LARGE
            : report.why === "worker"
              ? Reason.INTERNAL
              : Reason.PROTOCOL,
        );
    }
  }

  // The server's End. What only the host can know is believed when the host says it.
  #ended(reason: Reason): void {
    const weight = weigh(reason);
    if (weight === "own") this.#finish(reason);
    else if (weight === "none" || this.#attachment === undefined) this.#finish(Reason.PROTOCOL);
    else if (this.#claimed === undefined) {
      this.#claimed = reason;
      this.#after("bye", byeTimeout, () => {
        // A host that we hear did not say so; of one that we do not hear nobody knows.
        const heard = this.#view.pathUp || this.#attachment?.usable === true;
        this.#finish(heard ? Reason.PROTOCOL : reason, false, reason);
      });
    }
  }

  // The line is gone for good: the server refused, or was away too long.
  #refused(reason: Reason): void {
    const weight = weigh(reason);
    if (weight === "own") this.#finish(reason);
    else if (weight === "none" || this.#view.session === null) this.#finish(Reason.PROTOCOL);
    else this.#finish(reason, false, reason); // it ended while we were away
  }

  // Both sides are told why: a fault that we found, or our own end.
  #give(reason: Reason, ours = false): void {
    if (this.#over) return;
    this.#connection?.close(reason);
    this.#line.send({ case: "end", value: { reason } });
    this.#finish(reason, ours);
  }

  #guard(work: () => void): void {
    if (this.#over) return;
    try {
      work();
    } catch (error) {
      const reason = reasonOf(error);
      if (this.#view.session === null)
        this.#finish(reason); // the pairing said what was to be said
      else this.#give(reason);
    }
  }

  #finish(reason: Reason, ours = false, says: Reason | null = null): void {
    if (this.#over) return;
    this.#over = true;
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    this.#gauge.close();
    this.#claim = undefined;
    this.#route?.close();
    this.#pairing?.drop();
    this.#connection?.close();
    this.#disconnect();
    for (const tool of this.#around.tools) tool.over();
    this.#around.picture.close();
    this.#attachment?.close();
    this.#line.close();
    const { server, session, hostKey, kind, ticket } = this.#view;
    const state = session === null ? "code" : "ended";
    this.#view = { ...firstView, server, session, hostKey, kind, ticket, state, reason, ours, says };
    this.#around.changed(this.#view);
  }

  #after(name: string, ms: number, then: () => void): void {
    this.#cancel(name);
    this.#timers.set(name, setTimeout(then, ms));
  }

  #cancel(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #change(part: Partial<View>): void {
    if (this.#over) return;
    this.#view = { ...this.#view, ...part };
    this.#around.changed(this.#view);
  }
}

function outOfOrder(what: string | undefined): WireError {
  return new WireError(Reason.PROTOCOL, `out of order: ${what ?? "nothing"}`);
}

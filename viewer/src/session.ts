// One session, from the typed code to its end: the only writer of what the
// element shows. It owns the line to the server, the pairing, the sealed
// attachment and the connection, and holds no DOM but the canvas it passes on.

import { Attachment, type SealedContent } from "./attach";
import type { ConnectionEvents, HostConnection } from "./connection";
import type { ControlBody } from "./control";
import { GrantState, NoticeCode } from "./gen/session_pb";
import { Reason, type Welcome } from "./gen/signaling_pb";
import type { Keys, Link } from "./pake/link";
import { Pairing } from "./pairing";
import type { Report } from "./picture/painter";
import { Line, type ServerBody, type Socket } from "./signaling";
import { parseCode } from "./wire/code";
import { clean, reasonOf, WireError } from "./wire/codec";

export type State = "code" | "pairing" | "asking" | "connecting" | "live" | "ended";

/** Everything the element shows of a session. */
export interface View {
  readonly state: State;
  readonly session: string | null;
  /** Why the claim failed (state code) or the session ended (state ended). */
  readonly reason: Reason | null;
  readonly server: string;
  /** SHA-256 of the key with which the host signs the session's close, hex; empty before the pairing. */
  readonly hostKey: string;
  readonly view: GrantState;
  readonly control: GrantState;
  /** A notice that stands until it is resumed. */
  readonly held: "question" | "own window" | null;
  /** What has just happened and is told for a moment. */
  readonly news: "untyped" | "denied" | "revoked" | null;
  readonly serverAway: boolean;
  readonly hostAway: boolean;
  readonly pathUp: boolean;
  readonly width: number;
  readonly height: number;
}

export const firstView: View = {
  state: "code",
  session: null,
  reason: null,
  server: "",
  hostKey: "",
  view: GrantState.UNSPECIFIED,
  control: GrantState.UNSPECIFIED,
  held: null,
  news: null,
  serverAway: false,
  hostAway: false,
  pathUp: false,
  width: 0,
  height: 0,
};

/** Where the picture is painted. */
export interface Picture {
  blank(): void;
  unblank(): void;
  close(): void;
}

export interface Surroundings {
  dial(): Socket;
  connect(link: Link, events: ConnectionEvents): Promise<HostConnection>;
  picture: Picture;
  lang: string;
  changed(view: View): void;
  cursor(data: unknown): void;
}

/** How long a claim may take to pair, ms. */
const pairTimeout = 30_000;
/** How long the first connection may take, and one that was lost to come back, ms. */
const returnTimeout = 30_000;
const retryDelay = 1_000;
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
  #graceMs = 0;
  #proven = false; // the present connection
  #wasProven = false; // any connection
  #painted = false;
  #over = false;
  #returnTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #pairTimer: ReturnType<typeof setTimeout> | undefined;
  #newsTimer: ReturnType<typeof setTimeout> | undefined;
  #claim: { typed: string; ticketId: string } | undefined;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#line = new Line(() => around.dial(), around.lang, {
      welcome: (welcome) => this.#guard(() => this.#welcome(welcome)),
      message: (body) => this.#guard(() => this.#message(body)),
      away: () => this.#lineAway(),
      lost: (reason) => this.#finish(reason),
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
      this.#finish(reasonOf(error));
      return;
    }
    this.#claim = { typed, ticketId };
    this.#change({ state: "pairing", reason: null });
    this.#pairTimer = setTimeout(() => this.#finish(Reason.HOST_GONE), pairTimeout);
    this.#line.open();
  }

  askControl(): void {
    this.#connection?.send({ case: "ask", value: { name: "control" } });
  }

  giveBack(): void {
    this.#setHands(false); // at once, whatever the host answers
    this.#connection?.send({ case: "giveBack", value: { name: "control" } });
  }

  /** Ends the session, and tells both sides: the host by ways that the server cannot forge. */
  end(reason: Reason = Reason.TECHNICIAN_ENDED): void {
    if (this.#over) return;
    if (this.#view.session === null) {
      this.#pairing?.giveUp(reason);
      this.#finish(reason);
    } else {
      this.#give(reason);
    }
  }

  /** The person took the view back, and the technician would like to see again. */
  askView(): void {
    this.#connection?.send({ case: "ask", value: { name: "view" } });
  }

  /** What the painter has to say. */
  painted(report: Report): void {
    this.#guard(() => this.#picture(report));
  }

  #welcome(welcome: Welcome): void {
    this.#graceMs = Math.min(welcome.graceS, maxGrace) * 1000;
    if (this.#view.session !== null) {
      this.#change({ serverAway: false });
      this.#reattach();
      return;
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
      case "attach":
        this.#attached().attach(body.value);
        return;
      case "sealed":
        this.#attached().sealed(body.value);
        return;
      case "host":
        if (this.#attachment === undefined) throw outOfOrder("host");
        this.#change({ hostAway: !body.value.connected });
        if (!body.value.connected) this.#attachment.interrupted();
        else this.#reattach();
        return;
      case "end":
        this.#finish(body.value.reason);
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

  #opened({ keys, session, token }: { keys: Keys; session: string; token: Uint8Array }): void {
    clearTimeout(this.#pairTimer);
    this.#pairing = undefined;
    this.#line.keep(session, token, this.#graceMs);
    this.#attachment = new Attachment(keys, (body) => this.#line.send(body), {
      attached: (link) => this.#linked(link),
      body: (content) => this.#sealedBody(content),
      failed: (reason) => this.#give(reason),
    });
    this.#change({ state: "asking", session: clean(session) });
    this.#awaitConnection();
    this.#attachment.begin();
    void this.#fingerprint(keys.hostKey);
  }

  async #fingerprint(key: Uint8Array): Promise<void> {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(key)));
    this.#change({ hostKey: Array.from(hash, (b) => b.toString(16).padStart(2, "0")).join("") });
  }

  // The line stands again: an attach that was under way, or is needed, is begun.
  #reattach(): void {
    const attachment = this.#attachment;
    if (attachment === undefined || this.#view.serverAway || this.#view.hostAway) return;
    if (attachment.pending || !this.#proven) {
      this.#connection?.close();
      this.#connection = undefined;
      attachment.begin();
    }
  }

  #linked(link: Link): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#connect(link).catch((error: unknown) => this.#give(reasonOf(error)));
  }

  async #connect(link: Link): Promise<void> {
    this.#proven = false;
    const connection = await this.#around.connect(link, {
      seal: (body) => this.#attachment?.send(body),
      sealable: () => this.#attachment?.usable ?? false,
      proven: () => this.#connected(),
      control: (body) => this.#guard(() => this.#control(body)),
      cursor: (data) => this.#around.cursor(data),
      path: (up) => {
        this.#change({ pathUp: up });
        this.#setHands(up && this.#mayDrive());
      },
      lost: () => this.#lost(),
      failed: (reason) => this.#give(reason),
    });
    if (this.#over) {
      connection.close();
      return;
    }
    this.#connection = connection;
    await connection.start();
  }

  #connected(): void {
    this.#proven = true;
    this.#wasProven = true;
    clearTimeout(this.#returnTimer);
    this.#returnTimer = undefined;
    this.#change({ pathUp: true });
  }

  // The keys live on: another attach may find a way, as long as there was one before.
  #lost(): void {
    this.#connection = undefined;
    this.#proven = false;
    if (!this.#wasProven) {
      this.#give(Reason.NO_ROUTE);
      return;
    }
    this.#change({ pathUp: false });
    this.#awaitConnection();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#reattach(), retryDelay);
  }

  // Whatever the server keeps back, nobody waits for a connection for ever.
  #awaitConnection(): void {
    this.#returnTimer ??= setTimeout(() => this.#give(Reason.NO_ROUTE), returnTimeout);
  }

  #sealedBody(content: SealedContent): void {
    switch (content.case) {
      case "description":
        this.#connection?.description(content.value);
        return;
      case "candidate":
        this.#connection?.candidate(content.value);
        return;
      case "bye":
        this.#finish(content.value.reason);
    }
  }

  #control(body: ControlBody): void {
    switch (body.case) {
      case "grants": {
        const state = (name: string) =>
          body.value.grants.find((grant) => grant.name === name)?.state ?? GrantState.UNSPECIFIED;
        this.#grants(state("view"), state("control"));
        return;
      }
      case "displays":
        return; // one picture holds them all; choosing one comes later
      case "notice":
        this.#notice(body.value.code);
        return;
      case "bye":
        this.#finish(body.value.reason);
        return;
      default:
        throw outOfOrder(body.case);
    }
  }

  #grants(view: GrantState, control: GrantState): void {
    const saw = this.#view.view === GrantState.ALLOWED;
    const sees = view === GrantState.ALLOWED;
    if (saw && !sees) {
      this.#painted = false;
      this.#around.picture.blank();
    }
    if (!saw && sees) this.#around.picture.unblank();
    const state = sees ? (this.#painted ? "live" : "connecting") : "asking";
    const answered = control !== this.#view.control;
    this.#change({ view, control, state });
    if (answered) {
      const answer = { [GrantState.DENIED]: "denied", [GrantState.REVOKED]: "revoked" } as const;
      this.#news(answer[control as keyof typeof answer] ?? null);
    }
    this.#setHands(this.#mayDrive());
  }

  #mayDrive(): boolean {
    return this.#view.control === GrantState.ALLOWED && this.#view.view === GrantState.ALLOWED;
  }

  // Opens or closes the hands. The host enforces the grant; this only spares it what it would refuse.
  #setHands(open: boolean): void {
    if (this.#connection) this.#connection.sender.open = open;
  }

  #news(news: View["news"]): void {
    this.#change({ news });
    clearTimeout(this.#newsTimer);
    if (news !== null) this.#newsTimer = setTimeout(() => this.#change({ news: null }), newsFor);
  }

  #notice(code: NoticeCode): void {
    switch (code) {
      case NoticeCode.INPUT_HELD_QUESTION:
        this.#change({ held: "question" });
        break;
      case NoticeCode.INPUT_HELD_OWN_WINDOW:
        this.#change({ held: "own window" });
        break;
      case NoticeCode.INPUT_RESUMED:
        this.#change({ held: null });
        break;
      case NoticeCode.KEY_NOT_TYPED:
        this.#news("untyped");
        break;
      case NoticeCode.SERVER_AWAY:
      case NoticeCode.SERVER_BACK:
        break; // the server says it too, and says it when it matters: HostState
    }
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

  #lineAway(): void {
    this.#attachment?.interrupted();
    this.#change({ serverAway: true });
  }

  // A fault that we found: both sides are told why.
  #give(reason: Reason): void {
    if (this.#over) return;
    this.#connection?.close(reason);
    this.#line.send({ case: "end", value: { reason } });
    this.#finish(reason);
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

  #finish(reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#pairTimer);
    clearTimeout(this.#newsTimer);
    clearTimeout(this.#returnTimer);
    clearTimeout(this.#retryTimer);
    this.#claim = undefined;
    this.#pairing?.drop();
    this.#connection?.close();
    this.#around.picture.close();
    this.#attachment?.close();
    this.#line.close();
    const state = this.#view.session === null ? "code" : "ended";
    this.#view = {
      ...this.#view,
      state,
      reason,
      held: null,
      news: null,
      serverAway: false,
      hostAway: false,
      pathUp: false,
    };
    this.#around.changed(this.#view);
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

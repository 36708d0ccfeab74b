// The way to the host, and what is done when it is interrupted.
//
// Descriptions travel sealed by way of the server, so a new way can be looked
// for only while both lines to the server stand. In order of what it costs the
// technician: an ICE restart under the present epoch (nothing is seen of it);
// if a sealed body may have been lost, an attach that keeps the connection,
// then the ICE restart; and when that does not help, an attach with a new
// connection, whose picture begins anew. This class decides which and when. It
// holds no connection and no keys: it is told what happens and says what to do.

import { Reason } from "./gen/signaling_pb";

/** How the connection itself sees its way. */
export type Path = "up" | "interrupted" | "failed";

export interface RouteActions {
  /** Whether a body can be sealed now, and none of this epoch was lost. */
  sealable(): boolean;
  /** Whether both lines to the server stand. */
  reachable(): boolean;
  /** Begins the next epoch, or says again that it has begun. */
  attach(keep: boolean): void;
  /** Offers an ICE restart on the present connection. */
  offer(): void;
  /** Our own line may be dead without saying so. */
  suspect(): void;
  /** The way is interrupted since this time (Date.now), or stands. */
  changed(interruptedSince: number | null): void;
  gaveUp(reason: Reason): void;
}

/** How long the first connection may take, ms. */
export const firstTimeout = 30_000;
/**
 * How long a first connection that was lost waits for a reason, ms. A host that ends the session
 * closes the connection and says why by way of the server, which can be the later of the two: that
 * somebody tampers must not read as a bad network.
 */
export const reasonWait = 1_500;
/** How long a browser may see its way interrupted before we look for another, ms. */
const patience = 1_000;
/** From one ICE restart to the next, ms. */
const backoff = [1_000, 2_000, 4_000, 8_000];
/** How long ICE restarts are tried before a new connection is, ms. */
const restartWindow = 8_000;
/** How long an answer to an offer or an attach may take before it is asked for anew, ms. */
const answerTimeout = 3_000;
/** From one new connection to the next at least this, and up to as much again, ms. */
const renewDelay = 1_000;
/** Offers in an epoch; the host takes 16. */
const maxOffers = 15;

export class Route {
  #do: RouteActions;
  #random: () => number;
  #graceMs: number;
  #stands: "nothing" | "unproven" | "proven" = "nothing"; // the present connection
  #was = false; // some connection was proven
  #over = false;
  #since: number | null = null; // of the interruption
  #window: number | undefined; // when the restarts of this interruption began
  #tries = 0; // restarts of this interruption
  #attaching: number | undefined; // since when the host's answer to an attach is awaited
  #offered: number | undefined; // since when its answer to an offer is
  #offers = 0; // in this epoch
  #renewed = 0; // when the last new connection was begun
  #wanted = false; // an ICE restart, as soon as an epoch stands
  #refused: boolean | undefined; // every connection that was lost ended at a relay that refused
  #tick: ReturnType<typeof setTimeout> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  /** @param graceMs how long an interruption is waited for */
  constructor(graceMs: number, actions: RouteActions, random: () => number = Math.random) {
    this.#graceMs = graceMs;
    this.#do = actions;
    this.#random = random;
  }

  /** The session stands: the first attach. */
  begin(): void {
    this.#deadline = setTimeout(() => this.#giveUp(), firstTimeout);
    this.#attach(false);
  }

  /** An epoch stands. A connection that was not kept is replaced, and the new one makes its first offer. */
  attached(kept: boolean): void {
    // What was offered under the last epoch is not answered any more.
    const wanted = this.#wanted || this.#offered !== undefined;
    this.#wanted = false;
    this.#attaching = this.#offered = undefined;
    this.#offers = 0;
    if (!kept) {
      if (this.#was) this.#interrupted(); // until the new one is proven
      this.#stands = "unproven";
      this.#renewed = Date.now();
      this.#offers = 1;
      this.#offered = Date.now();
    } else if (this.#stands !== "proven") {
      this.#attach(false); // it was lost while the host agreed to keep it
    } else if (this.#since !== null) {
      this.#try();
    } else if (wanted) this.#restart();
  }

  /** The host answered an offer. */
  answered(): void {
    this.#offered = undefined;
  }

  proven(): void {
    this.#stands = "proven";
    this.#was = true;
    this.#refused = undefined;
    this.#restored();
  }

  path(path: Path): void {
    if (this.#over || this.#stands !== "proven") return;
    if (path === "up") {
      if (this.#since !== null) this.#restored();
    } else {
      const first = this.#since === null;
      this.#interrupted();
      if (path === "failed") this.#try();
      else if (first) this.#next(patience);
    }
  }

  /** Something says that addresses changed: here, or at the host. */
  moved(): void {
    if (this.#over || this.#stands !== "proven") return;
    this.#restart();
  }

  /** The connection is gone, and nothing comes of it any more. */
  lost(refused: boolean): void {
    if (this.#over) return;
    this.#refused = refused && this.#refused !== false;
    this.#stands = "nothing";
    if (!this.#was) {
      clearTimeout(this.#deadline);
      this.#deadline = setTimeout(() => this.#giveUp(), reasonWait);
      return;
    }
    this.#interrupted();
    this.#next(Math.max(0, this.#renewed + renewDelay * (1 + this.#random()) - Date.now()));
  }

  /** A line to the server broke. */
  lineBroke(): void {
    this.#attaching = undefined;
  }

  /** Both lines to the server stand again. */
  linesBack(): void {
    if (this.#over) return;
    this.#window = undefined; // restarts get another chance
    this.#tries = 0;
    if (!this.#do.sealable()) {
      this.#attach(this.#stands === "proven");
      if (this.#since !== null) this.#next(answerTimeout);
    } else if (this.#since !== null) this.#try();
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#tick);
    clearTimeout(this.#deadline);
  }

  #interrupted(): void {
    if (this.#since !== null) return;
    this.#since = Date.now();
    this.#window = undefined;
    this.#tries = 0;
    this.#deadline = setTimeout(() => this.#giveUp(), this.#graceMs);
    this.#do.changed(this.#since);
  }

  #restored(): void {
    clearTimeout(this.#tick);
    clearTimeout(this.#deadline);
    this.#since = null;
    this.#do.changed(null);
  }

  #next(ms: number): void {
    clearTimeout(this.#tick);
    this.#tick = setTimeout(() => this.#try(), ms);
  }

  // One step of an interruption.
  #try(): void {
    clearTimeout(this.#tick);
    if (this.#over || this.#since === null) return;
    if (!this.#do.reachable()) return; // linesBack goes on
    const now = Date.now();
    if (this.#attaching !== undefined) {
      const left = this.#attaching + answerTimeout - now;
      if (left > 0) this.#next(left);
      else this.#do.suspect();
      return;
    }
    if (this.#stands === "unproven") return; // it is proven or lost soon
    this.#window ??= now;
    const left = this.#window + restartWindow - now;
    if (this.#stands === "nothing" || left <= 0) {
      this.#attach(false);
      this.#next(answerTimeout);
      return;
    }
    this.#restart();
    this.#next(Math.min(backoff[this.#tries++] ?? restartWindow, left));
  }

  #restart(): void {
    if (this.#attaching !== undefined || !this.#do.reachable()) {
      this.#wanted = true; // when the next epoch stands
      return;
    }
    if (this.#offered !== undefined && Date.now() - this.#offered < answerTimeout) return;
    if (this.#do.sealable() && this.#offered === undefined && this.#offers < maxOffers) {
      this.#offers++;
      this.#offered = Date.now();
      this.#do.offer();
    } else {
      this.#wanted = true;
      this.#attach(true);
    }
  }

  #attach(keep: boolean): void {
    this.#attaching = Date.now();
    this.#do.attach(keep);
  }

  #giveUp(): void {
    if (this.#over) return;
    this.close();
    this.#do.gaveUp(this.#refused === true ? Reason.RELAY_REFUSED : Reason.NO_ROUTE);
  }
}

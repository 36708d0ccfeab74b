// The viewer's line to the server: one WebSocket to /ws/viewer, one protobuf
// message a binary frame (PROTOCOL.md §2). It says Hello, waits for the
// server's Hello and Welcome, then passes messages on, in order. Once a session
// stands (`keep`) a broken line is dialled again with full jitter and resumed;
// before that a broken line is the end of the try.

import {
  Kind,
  Reason,
  ServerToViewerSchema,
  ViewerMessageSchema,
  type ServerToViewer,
  type ViewerMessage,
  type Welcome,
} from "./gen/signaling_pb";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { decode, encode, known, negotiate, reasonOf, WireError } from "./wire/codec";
import { maxFrame, minVersion, version } from "./wire/limits";

/** What the line needs of a WebSocket. */
export interface Socket {
  binaryType: string;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export type ViewerBody = NonNullable<MessageInitShape<typeof ViewerMessageSchema>["body"]>;
export type ServerBody = Exclude<ServerToViewer["body"], { case: undefined }>;

export interface LineEvents {
  /** The server said who it is; from now on messages may be sent. Again after each resume. */
  welcome(welcome: Welcome): void;
  message(body: ServerBody): void;
  /** The line broke in a session and is being dialled again. */
  away(): void;
  /** The line is gone for good. */
  lost(reason: Reason): void;
}

/** How long a new line may take to reach Welcome, ms. */
const welcomeTimeout = 10_000;
const firstDelay = 500;
/** Somebody is being helped: the line is back within 5 s of the server, whatever came before. */
const maxDelay = 4_000;

interface Resume {
  session: string;
  token: Uint8Array;
  graceMs: number;
}

export class Line {
  #dial: () => Socket;
  #events: LineEvents;
  #lang: string;
  #random: () => number;
  #socket: Socket | undefined;
  #stage: "closed" | "dialling" | "hello" | "welcome" | "ready" = "closed";
  #resume: Resume | undefined;
  #tries = 0;
  #awaySince: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(dial: () => Socket, lang: string, events: LineEvents, random: () => number = Math.random) {
    this.#dial = dial;
    this.#lang = lang;
    this.#events = events;
    this.#random = random;
  }

  get ready(): boolean {
    return this.#stage === "ready";
  }

  open(): void {
    this.#stage = "dialling";
    this.#deadline(welcomeTimeout, () => this.#broken());
    let socket: Socket;
    try {
      socket = this.#dial();
    } catch {
      this.#broken();
      return;
    }
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      if (socket === this.#socket) this.#hello();
    };
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#frame(event.data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#broken();
    };
    this.#socket = socket;
  }

  /** Sends a message, or drops it when the line is away: what must survive that is resumed, not queued. */
  send(body: ViewerBody): void {
    if (this.#stage === "ready") this.#put(body);
  }

  /** Dials anew at once: what this line went by is gone, or the wait for the next try is too long now. */
  redial(): void {
    if (this.ready && this.#resume !== undefined) this.#broken();
    if (this.#resume === undefined || this.#socket !== undefined) return; // over, or dialling already
    this.#tries = 0;
    this.open();
  }

  /** A session stands: from now on a broken line is resumed, for at most graceMs. */
  keep(session: string, token: Uint8Array, graceMs: number): void {
    this.#resume = { session, token, graceMs };
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stage = "closed";
    this.#resume = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
  }

  #hello(): void {
    this.#put({
      case: "hello",
      value: {
        minVersion,
        maxVersion: version,
        kind: Kind.VIEWER,
        lang: this.#lang,
        software: "mainforte viewer",
      },
    });
    if (this.#resume) {
      const { session, token } = this.#resume;
      this.#put({ case: "resume", value: { session, token } });
    }
    this.#stage = "hello";
  }

  #put(body: ViewerBody): void {
    this.#socket?.send(encode(ViewerMessageSchema, { body }, maxFrame));
  }

  #frame(data: unknown): void {
    try {
      if (!(data instanceof ArrayBuffer)) throw new WireError(Reason.PROTOCOL, "a text frame");
      const message = decode(ServerToViewerSchema, data, maxFrame);
      if (!known(message) || message.body.case === undefined) return;
      this.#take(message.body);
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  #take(body: ServerBody): void {
    if (body.case === "end" && this.#stage !== "ready") {
      this.#fail(body.value.reason); // a resume that does not stand, or no version in common
      return;
    }
    switch (this.#stage) {
      case "hello":
        if (body.case !== "hello" || body.value.kind !== Kind.SERVER) throw outOfOrder();
        negotiate(body.value);
        this.#stage = "welcome";
        return;
      case "welcome":
        if (body.case !== "welcome") throw outOfOrder();
        clearTimeout(this.#timer);
        this.#stage = "ready";
        this.#tries = 0;
        this.#awaySince = undefined;
        this.#events.welcome(body.value);
        return;
      case "ready":
        if (body.case === "hello" || body.case === "welcome") throw outOfOrder();
        this.#events.message(body);
        return;
      default:
        throw outOfOrder();
    }
  }

  #fail(reason: Reason): void {
    this.close();
    this.#events.lost(reason);
  }

  #broken(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    if (this.#stage === "closed") return;
    const resume = this.#resume;
    const now = Date.now();
    const since = (this.#awaySince ??= now);
    const left = resume ? since + resume.graceMs - now : 0;
    if (left <= 0) {
      this.#fail(Reason.SERVER_GONE);
      return;
    }
    if (this.#stage === "ready") this.#events.away();
    this.#stage = "dialling";
    const delay = this.#random() * Math.min(maxDelay, firstDelay * 2 ** this.#tries++);
    this.#deadline(Math.min(delay, left), () => this.open());
  }

  #deadline(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }
}

function outOfOrder(): WireError {
  return new WireError(Reason.PROTOCOL, "a message out of order");
}

export type { ViewerMessage };

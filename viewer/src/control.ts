// The channel `ctl` (PROTOCOL.md §3). The first message in each direction is
// the proof that the connection ends at the other side of the pairing; nothing
// else is sent or believed before the host's proof has passed (C25).

import type { MessageInitShape } from "@bufbuild/protobuf";
import { ControlSchema, type Control as ControlMessage } from "./gen/session_pb";
import { Kind, Reason } from "./gen/signaling_pb";
import { decode, encode, known, negotiate, reasonOf, WireError } from "./wire/codec";
import { maxControl, minVersion, version } from "./wire/limits";

export type ControlInit = NonNullable<MessageInitShape<typeof ControlSchema>["body"]>;
export type ControlBody = Exclude<ControlMessage["body"], { case: undefined }>;

/** What the control plane needs of an RTCDataChannel. */
export interface Channel {
  readonly readyState: string;
  send(data: Uint8Array<ArrayBuffer>): void;
}

/** The certificate proof of PROTOCOL.md §1.6 over the certificates in use. */
export interface Proof {
  ours(): Promise<Uint8Array<ArrayBuffer>>;
  /** Rejects with CERTIFICATE_MISMATCH. */
  check(mac: Uint8Array): Promise<void>;
}

export interface ControlEvents {
  /** The host's proof passed: other channels may be used. */
  proven(): void;
  /** A message after both Hellos. */
  message(body: ControlBody): void;
  failed(reason: Reason): void;
}

/** Messages that may wait while a proof is checked. */
const maxWaiting = 64;

export class Control {
  #channel: Channel;
  #proof: Proof;
  #lang: string;
  #events: ControlEvents;
  #stage: "proof" | "hello" | "ready" | "over" = "proof";
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(channel: Channel, proof: Proof, lang: string, events: ControlEvents) {
    this.#channel = channel;
    this.#proof = proof;
    this.#lang = lang;
    this.#events = events;
  }

  get proven(): boolean {
    return this.#stage === "hello" || this.#stage === "ready";
  }

  /** The channel is open: sends our proof, and nothing else. */
  opened(): void {
    this.#enqueue(async () => {
      const mac = await this.#proof.ours();
      if (this.#stage === "proof") this.#put({ case: "proof", value: { mac } });
    });
  }

  /** Takes one message of the channel. */
  received(data: unknown): void {
    if (++this.#waiting > maxWaiting) {
      this.#fail(new WireError(Reason.PROTOCOL, "too many messages at once"));
      return;
    }
    this.#enqueue(async () => {
      this.#waiting--;
      if (!(data instanceof ArrayBuffer)) throw new WireError(Reason.PROTOCOL, "a text message");
      const message = decode(ControlSchema, data, maxControl);
      if (known(message) && message.body.case !== undefined) await this.#take(message.body);
    });
  }

  /** Sends a message, if the host is proven. */
  send(body: ControlInit): void {
    if (this.proven) this.#put(body);
  }

  /** Sends what a host that does not know it may skip. */
  hint(body: ControlInit): void {
    if (this.proven) this.#put(body, true);
  }

  /** Resolves when everything that was received is taken. */
  settled(): Promise<void> {
    return this.#work;
  }

  close(): void {
    this.#stage = "over";
  }

  async #take(body: ControlBody): Promise<void> {
    switch (this.#stage) {
      case "proof":
        if (body.case !== "proof")
          throw new WireError(Reason.CERTIFICATE_MISMATCH, "a message before the proof");
        await this.#proof.check(body.value.mac);
        if (this.closed) return;
        this.#stage = "hello";
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
        this.#events.proven();
        return;
      case "hello":
        if (body.case !== "hello" || body.value.kind !== Kind.HOST)
          throw new WireError(Reason.PROTOCOL, "no hello");
        negotiate(body.value);
        this.#stage = "ready";
        return;
      case "ready":
        if (body.case === "hello" || body.case === "proof")
          throw new WireError(Reason.PROTOCOL, "out of order");
        this.#events.message(body);
    }
  }

  private get closed(): boolean {
    return this.#stage === "over";
  }

  #put(body: ControlInit, optional = false): void {
    if (this.#channel.readyState === "open")
      this.#channel.send(encode(ControlSchema, { body, optional }, maxControl));
  }

  // One after another, in the order of arrival: the proof is checked asynchronously.
  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.closed) return;
      try {
        await work();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #fail(error: unknown): void {
    if (this.closed) return;
    this.close();
    this.#events.failed(reasonOf(error));
  }
}

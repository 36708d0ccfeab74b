// Sealed messages between viewer and host, relayed by the server, which cannot
// read them (PROTOCOL.md §1.5). The viewer begins each attach; its epoch has
// fresh keys, and either a peer connection of its own or, if both sides say
// `keep`, the one that stands. When the line of either side broke, a sealed
// message may be lost and the counters would no longer meet: nothing more is
// sealed or opened then until the next attach.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { Reason, SealedBodySchema, type Attach, type Sealed, type SealedBody } from "./gen/signaling_pb";
import { newNonce, type Keys, type Link } from "./pake/link";
import type { ViewerBody } from "./signaling";
import { decode, encode, known, reasonOf, WireError } from "./wire/codec";
import { maxSealed, nonceSize } from "./wire/limits";

export type SealedInit = NonNullable<MessageInitShape<typeof SealedBodySchema>["body"]>;
export type SealedContent = Exclude<SealedBody["body"], { case: undefined }>;

export interface AttachEvents {
  /** Whether the host may say now that it came back after a restart. */
  mayReturn(): boolean;
  /**
   * An epoch stands.
   * @param kept both sides keep the peer connection that stands
   * @param returned the host came back after a restart
   */
  attached(link: Link, kept: boolean, returned: boolean): void;
  /** A body that opened under the host's key, in the host's order. */
  body(content: SealedContent): void;
  /** Ends the attempt: C22 to C24, or a fault. */
  failed(reason: Reason): void;
}

export class Attachment {
  #keys: Keys;
  #send: (body: ViewerBody) => void;
  #events: AttachEvents;
  #link: Link | undefined;
  #epoch = 0;
  #ours: { epoch: number; nonce: Uint8Array<ArrayBuffer>; keep: boolean } | undefined; // sent, not yet answered
  #broken = false;
  #breaks = 0; // how often a line broke
  #incoming: Promise<void> = Promise.resolve();
  #over = false;

  constructor(keys: Keys, send: (body: ViewerBody) => void, events: AttachEvents) {
    this.#keys = keys;
    this.#send = send;
    this.#events = events;
  }

  /** Whether bodies can be sealed now. */
  get usable(): boolean {
    return this.#link !== undefined && this.#ours === undefined && !this.#broken && !this.#over;
  }

  /**
   * Begins the next epoch, or says again that it has begun.
   * @param keep our peer connection stands and is proven
   */
  begin(keep: boolean): void {
    if (this.#over) return;
    this.#ours ??= { epoch: this.#epoch + 1, nonce: newNonce(), keep };
    this.#send({ case: "attach", value: this.#ours });
  }

  /** The line of either side broke. */
  interrupted(): void {
    this.#breaks++;
    this.#broken = true;
  }

  /** Seals a body and sends it, after those before it; drops it when nothing can be sealed. */
  send(body: SealedInit): void {
    const link = this.#link;
    if (link === undefined || !this.usable) return;
    link
      .seal(encode(SealedBodySchema, { body }, maxSealed))
      .then((sealed) => {
        // An attach that began meanwhile ends this epoch: the host would refuse what follows it.
        if (link === this.#link && this.usable) this.#send({ case: "sealed", value: sealed });
      })
      .catch((error: unknown) => this.#fail(error));
  }

  /** Takes the host's Attach. */
  attach(message: Attach): void {
    const breaks = this.#breaks; // of the time of its arrival: what is lost later is lost for it too
    this.#enqueue(async () => {
      const ours = this.#ours;
      // C22: exactly one higher.
      if (message.epoch !== this.#epoch + 1) throw new WireError(Reason.OLD_EPOCH, "another attach");
      if (ours === undefined) throw new WireError(Reason.PROTOCOL, "an attach that we did not begin");
      if (message.nonce.length !== nonceSize)
        throw new WireError(Reason.PROTOCOL, "a nonce of another length");
      const returned = message.returned.length > 0;
      // C86: only while the person allowed it, and once.
      if (returned && !this.#events.mayReturn())
        throw new WireError(Reason.PROTOCOL, "a host that may not come back");
      const link = returned
        ? await this.#keys.attachReturned(message.epoch, ours.nonce, message.nonce, message.returned)
        : await this.#keys.attach(message.epoch, ours.nonce, message.nonce);
      if (this.#over) return;
      this.#ours = undefined;
      this.#epoch = message.epoch;
      this.#broken = breaks !== this.#breaks;
      this.#link = link;
      this.#events.attached(link, ours.keep && message.keep && !returned, returned);
    });
  }

  /** Takes a sealed message of the host. */
  sealed(message: Sealed): void {
    this.#enqueue(async () => {
      const link = this.#link;
      if (link === undefined) throw new WireError(Reason.PROTOCOL, "sealed before an attach");
      // Sent under the present epoch before the host knew that it ends: neither opened nor believed.
      if ((this.#broken || this.#ours !== undefined) && message.epoch === link.epoch) return;
      const body = decode(SealedBodySchema, await link.open(message), maxSealed);
      if (!this.#over && known(body) && body.body.case !== undefined) this.#events.body(body.body);
    });
  }

  close(): void {
    this.#over = true;
    this.#keys.wipe();
  }

  // One after another, in the order of arrival: opening is asynchronous.
  #enqueue(work: () => Promise<void>): void {
    this.#incoming = this.#incoming.then(async () => {
      if (this.#over) return;
      try {
        await work();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.close();
    this.#events.failed(reasonOf(error));
  }
}

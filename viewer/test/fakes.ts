// A server and a host that follow the protocol until a test tells them not to.

import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Kind,
  Reason,
  SealedBodySchema,
  ServerToViewerSchema,
  ViewerMessageSchema,
  type Claim,
  type Sealed,
  type ViewerMessage,
} from "../src/gen/signaling_pb";
import { Run, scalar } from "../src/pake/cpace";
import { Keys, newNonce, Role, type Link } from "../src/pake/link";
import type { Socket } from "../src/signaling";
import { hostAD, utf8 } from "../src/wire/codec";

export type ServerInit = NonNullable<MessageInitShape<typeof ServerToViewerSchema>["body"]>;
export type SealedInit = NonNullable<MessageInitShape<typeof SealedBodySchema>["body"]>;

type Sent = Exclude<ViewerMessage["body"], { case: undefined }>;
type Values = { [M in Sent as M["case"]]: M["value"] };

export const publicHost = "help.example.org";
export const session = "01JD0000000000000000000000";
export const claimId = new Uint8Array(16).fill(7);
export const token = new Uint8Array(32).fill(9);

export class FakeSocket implements Socket {
  binaryType = "blob";
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  closed = false;
  sent: ViewerMessage[] = [];
  raw: Uint8Array[] = [];

  send(data: Uint8Array<ArrayBuffer>): void {
    if (this.closed) throw new Error("closed");
    this.raw.push(Uint8Array.from(data));
    this.sent.push(fromBinary(ViewerMessageSchema, data));
  }
  close(): void {
    this.closed = true;
  }
  /** The server's side breaks the line. */
  break(): void {
    this.closed = true;
    this.onclose?.({} as CloseEvent);
  }
  open(): void {
    this.onopen?.({} as Event);
  }
  /** One frame from the server. */
  frame(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent);
  }
  push(body: ServerInit, optional = false): void {
    this.frame(toBinary(ServerToViewerSchema, create(ServerToViewerSchema, { body, optional })).buffer);
  }
  cases(): (string | undefined)[] {
    return this.sent.map((message) => message.body.case);
  }
  last<C extends Sent["case"]>(which: C): Values[C] {
    const found = this.sent.map((message) => message.body).findLast((body) => body.case === which);
    if (found?.case !== which) throw new Error(`no ${which} was sent`);
    return found.value as Values[C];
  }
  greet(graceS = 60): void {
    this.open();
    this.push({ case: "hello", value: { minVersion: 1, maxVersion: 1, kind: Kind.SERVER } });
    this.push({ case: "welcome", value: { publicHost, graceS, organisation: "Example" } });
  }
}

/** The host behind a socket: answers a claim, an attach, and seals. */
export class FakeHost {
  readonly signingKey = crypto.getRandomValues(new Uint8Array(32));
  link: Link | undefined;
  keys: Keys | undefined;
  tag = new Uint8Array(64);
  share = new Uint8Array(32);
  #viewerTag = new Uint8Array(64);

  constructor(
    readonly secret: string,
    readonly nameplate: string,
    readonly server = publicHost,
  ) {}

  claimed(
    claim: Claim,
    role = hostAD(this.signingKey),
  ): { claim: Uint8Array; share: Uint8Array; ad: Uint8Array; tag: Uint8Array } {
    const ci = utf8(`mf/1|viewer|host|${this.server}|${this.nameplate}`);
    const run = new Run(
      scalar(crypto.getRandomValues(new Uint8Array(64))),
      utf8(this.secret),
      ci,
      claim.sid,
      role,
    );
    const { isk, ours, theirs } = run.agree(false, claim.share, claim.ad);
    this.keys = new Keys(isk, this.signingKey, Role.host);
    this.tag = Uint8Array.from(ours);
    this.share = Uint8Array.from(run.share);
    this.#viewerTag = Uint8Array.from(theirs);
    return { claim: claimId, share: run.share, ad: role, tag: ours };
  }

  knows(tag: Uint8Array): boolean {
    return Buffer.compare(this.#viewerTag, tag) === 0;
  }

  /** @param keep the host's connection stands as well */
  async attach(socket: FakeSocket, keep = false): Promise<void> {
    const theirs = socket.last("attach");
    const ours = newNonce();
    this.link = await this.keys?.attach(theirs.epoch, theirs.nonce, ours);
    socket.push({ case: "attach", value: { epoch: theirs.epoch, nonce: ours, keep } });
  }

  /** Its first attach after a restart. */
  async comeBack(socket: FakeSocket, salt = newNonce()): Promise<void> {
    const theirs = socket.last("attach");
    const ours = newNonce();
    this.link = await this.keys?.attachReturned(theirs.epoch, theirs.nonce, ours, salt);
    socket.push({ case: "attach", value: { epoch: theirs.epoch, nonce: ours, returned: salt } });
  }

  async seal(body: SealedInit, optional = false): Promise<Sealed> {
    if (this.link === undefined) throw new Error("not attached");
    return this.link.seal(toBinary(SealedBodySchema, create(SealedBodySchema, { body, optional })));
  }
}

/**
 * Lets everything asynchronous that is under way come to rest: WebCrypto works
 * in a pool that takes jobs in order, so ours come after those.
 */
export async function settle(): Promise<void> {
  for (let i = 0; i < 16; i++) {
    await Promise.all(Array.from({ length: 8 }, () => crypto.subtle.digest("SHA-256", new Uint8Array(1))));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export { Reason };

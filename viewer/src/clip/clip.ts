// The clipboard on the wire: PROTOCOL.md §3, channel clip. One content travels at
// a time each way. What comes from the host is bounded and never shown: it goes to
// the technician's clipboard and nowhere else.

import type { MessageInitShape } from "@bufbuild/protobuf";

import { ClipKind, ClipMessageSchema, ClipWhy, type ClipMessage } from "../gen/clip_pb";
import type { Outlet } from "../tool";
import { decode, encode, equal, known } from "../wire/codec";
import { malformed } from "../wire/errors";
import { maxTool } from "../wire/limits";

export interface Content {
  readonly kind: ClipKind.TEXT | ClipKind.PNG;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Why something did not arrive. */
export type Trouble = "notAllowed" | "tooLarge" | "unreadable" | "nothing" | "lost";

export interface ClipEvents {
  changed(): void;
  /** The whole of what was fetched. */
  arrived(content: Content): void;
}

/** Bytes of a content by its kind. */
export const maxClip: Readonly<Record<number, number>> = {
  [ClipKind.TEXT]: 1 << 20,
  [ClipKind.PNG]: 16 << 20,
};
const chunk = 16 * 1024;
/** Bytes that may wait on the channel. */
const most = 256 * 1024;
/** What the host may take to put something on the clipboard once it is there, ms. */
const takenWait = 8000;

type ClipBody = NonNullable<MessageInitShape<typeof ClipMessageSchema>["body"]>;

interface Sending {
  readonly id: bigint;
  readonly content: Content;
  readonly done: (why: Trouble | null) => void;
}

export class Clip {
  /** What the person copied, and nobody has fetched yet. */
  news: { readonly id: bigint; readonly kind: ClipKind } | null = null;
  /** The last thing that arrived, here or there. */
  last: { readonly way: "in" | "out"; readonly kind: ClipKind; readonly size: number } | null = null;
  trouble: Trouble | null = null;
  #events: ClipEvents;
  #outlet: Outlet | undefined;
  #id = 0n;
  #sending: Sending | undefined;
  #fetching: bigint | undefined;
  #coming: { id: bigint; kind: Content["kind"]; size: number; parts: Uint8Array[]; got: number } | undefined;

  constructor(events: ClipEvents) {
    this.#events = events;
  }

  get busy(): boolean {
    return this.#sending !== undefined || this.#fetching !== undefined || this.#coming !== undefined;
  }

  connected(outlet: Outlet): void {
    this.disconnected();
    this.#outlet = outlet;
  }

  disconnected(): void {
    this.#outlet = undefined;
    this.#coming = this.#fetching = undefined;
    this.news = null;
    this.#finish("lost");
    this.#events.changed();
  }

  /** Forgets the person's clipboard: it may not be had any more. */
  forget(): void {
    this.news = null;
    this.#coming = this.#fetching = undefined;
    this.#events.changed();
  }

  /** Resolves with null when a program there would paste it, else with why not. */
  async send(content: Content): Promise<Trouble | null> {
    this.#finish("lost"); // only the newest counts
    const outlet = this.#outlet;
    const size = content.data.byteLength;
    if (outlet === undefined) return this.#fails("lost");
    if (size > (maxClip[content.kind] ?? 0)) return this.#fails("tooLarge");
    if (size === 0) return this.#fails("nothing");
    const id = ++this.#id;
    this.trouble = null;
    const result = new Promise<Trouble | null>((resolve) => {
      const timer = { at: undefined as ReturnType<typeof setTimeout> | undefined };
      const done = (why: Trouble | null) => {
        clearTimeout(timer.at);
        resolve(why);
      };
      this.#sending = { id, content, done };
      void this.#push(outlet, id, content).then(() => {
        if (this.#sending?.id === id) timer.at = setTimeout(() => this.#finish("lost"), takenWait);
      });
    });
    this.#events.changed();
    return result;
  }

  async #push(outlet: Outlet, id: bigint, { kind, data }: Content): Promise<void> {
    this.#say(outlet, { case: "offer", value: { id, kind, size: data.byteLength } });
    for (let at = 0; at < data.byteLength; at += chunk) {
      if (this.#sending?.id !== id) return; // refused, or something newer
      if (outlet.waiting > most) await outlet.drained(most / 2);
      if (!this.#say(outlet, { case: "chunk", value: { id, data: data.subarray(at, at + chunk) } })) {
        this.#finish("lost");
        return;
      }
    }
  }

  /** Wants what the person copied; it comes by `arrived`. */
  fetch(): void {
    if (this.#outlet === undefined || this.news === null) return;
    this.trouble = null;
    this.#fetching = this.news.id;
    this.#say(this.#outlet, { case: "fetch", value: { id: this.news.id } });
    this.#events.changed();
  }

  heard(message: ArrayBuffer): void {
    const m = decode(ClipMessageSchema, message, maxTool);
    if (!known(m)) return;
    this.#take(m.body);
    if (m.body.case !== "chunk" || this.#coming === undefined) this.#events.changed(); // parts show nothing
  }

  #take(body: ClipMessage["body"]): void {
    switch (body.case) {
      case "news":
        this.news = { id: body.value.id, kind: body.value.kind };
        return;
      case "taken":
        void this.#taken(body.value.id, body.value.sha256);
        return;
      case "refused":
        this.#refused(body.value.id, body.value.why);
        return;
      case "offer": {
        const { id, kind, size } = body.value;
        if (kind !== ClipKind.TEXT && kind !== ClipKind.PNG) throw malformed();
        if (size === 0 || size > (maxClip[kind] ?? 0)) throw malformed();
        if (this.#fetching === undefined) return; // taken back meanwhile
        this.#fetching = undefined;
        this.#coming = { id, kind, size, parts: [], got: 0 };
        return;
      }
      case "chunk":
        this.#chunk(body.value.id, body.value.data);
        return;
      default:
        throw malformed(); // what only a viewer says
    }
  }

  #chunk(id: bigint, data: Uint8Array): void {
    const coming = this.#coming;
    if (coming === undefined || coming.id !== id) return;
    if (data.byteLength === 0 || data.byteLength > chunk || coming.got + data.byteLength > coming.size)
      throw malformed();
    coming.parts.push(data);
    coming.got += data.byteLength;
    if (coming.got < coming.size) return;
    this.#coming = undefined;
    const whole = new Uint8Array(coming.size);
    let at = 0;
    for (const part of coming.parts) {
      whole.set(part, at);
      at += part.byteLength;
    }
    this.news = null;
    this.last = { way: "out", kind: coming.kind, size: coming.size };
    this.#events.arrived({ kind: coming.kind, data: whole });
  }

  async #taken(id: bigint, sha256: Uint8Array): Promise<void> {
    const sending = this.#sending;
    if (sending?.id !== id) return;
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", sending.content.data));
    if (this.#sending !== sending) return;
    if (!equal(sum, sha256)) {
      this.#finish("unreadable");
      return;
    }
    this.last = { way: "in", kind: sending.content.kind, size: sending.content.data.byteLength };
    this.#finish(null);
  }

  #refused(id: bigint, why: ClipWhy): void {
    const names: Readonly<Record<number, Trouble>> = {
      [ClipWhy.NOT_ALLOWED]: "notAllowed",
      [ClipWhy.TOO_LARGE]: "tooLarge",
      [ClipWhy.NOTHING]: "nothing",
    };
    const trouble = names[why] ?? "unreadable";
    if (this.#sending?.id === id) this.#finish(trouble);
    else if (this.#fetching === id || this.#coming) {
      this.#fetching = this.#coming = undefined;
      this.news = null;
      this.trouble = trouble;
    }
  }

  #finish(why: Trouble | null): void {
    const sending = this.#sending;
    if (sending === undefined) return;
    this.#sending = undefined;
    this.trouble = why;
    sending.done(why);
    this.#events.changed();
  }

  #fails(why: Trouble): Trouble {
    this.trouble = why;
    this.#events.changed();
    return why;
  }

  #say(outlet: Outlet, body: ClipBody): boolean {
    return outlet.send(encode(ClipMessageSchema, { body }, maxTool));
  }
}

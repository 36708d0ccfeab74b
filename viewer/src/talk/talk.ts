// What is written, shown and told for the ticket, without a DOM: the chat with its
// acknowledgements, and the things (a picture of the screen, what the computer is)
// that come in parts.

import { GrantState } from "../gen/session_pb";
import { Reason } from "../gen/signaling_pb";
import {
  TalkKind,
  TalkMessageSchema,
  TalkRecord,
  TalkRefusal,
  TalkTrouble,
  type TalkLine,
  type TalkMessage,
  type TalkPart,
  type TalkThing,
} from "../gen/talk_pb";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Grants, Outlet, Tool } from "../tool";
import { clean, decode, encode, equal, known, WireError } from "../wire/codec";
import { chatLimit, maxScreenshot, maxSystem, maxTalkPart, maxTool } from "../wire/limits";

/** A line as it is shown. */
export interface Line {
  readonly key: number;
  readonly id: number;
  /** The participant's id; empty: the person. */
  readonly from: string;
  readonly name: string;
  readonly mine: boolean;
  readonly text: string;
  readonly at: number;
  /** On its way; or why it was not passed on. */
  readonly state: "sent" | "waiting" | TalkRefusal;
}

/** A thing as it stands. */
export type Thing =
  | { readonly state: "none" }
  | { readonly state: "coming"; readonly done: number; readonly size: number }
  | { readonly state: "here"; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly state: "failed"; readonly why: TalkTrouble };

export type Things = "picture" | "system";

const kinds = { picture: TalkKind.PICTURE, system: TalkKind.SYSTEM } as const;
const limits = { picture: maxScreenshot, system: maxSystem } as const;
export const grantOf = { picture: "screenshot", system: "sysinfo" } as const;

/** Lines that are kept in view. */
const maxShown = 10_000;

interface Coming {
  readonly kind: Things;
  readonly id: number;
  size: number;
  sha256: Uint8Array;
  parts: Uint8Array[];
  done: number;
}

export class Talk implements Tool {
  readonly channel = "talk";
  lines: Line[] = [];
  unread = 0;
  record: TalkRecord = TalkRecord.UNSPECIFIED;
  things: Record<Things, Thing> = { picture: { state: "none" }, system: { state: "none" } };
  /** Somebody reads: what comes is not unread. */
  reading = false;
  grants: Grants = {};
  #outlet: Outlet | undefined;
  #waiting: { id: bigint; text: string }[] = [];
  #next = 1n;
  #taken = 0n;
  #asks = 0;
  #coming: Coming | undefined;
  #keys = 0;
  #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Says a line; false: there is nothing in it, or no session. */
  say(text: string): boolean {
    const line = cleanText(text, chatLimit);
    if (line === "") return false;
    const id = this.#next++;
    this.#waiting.push({ id, text: line });
    this.#add({
      id: Number(id),
      from: "",
      name: "",
      mine: true,
      text: line,
      at: Date.now(),
      state: "waiting",
    });
    this.#send({ case: "line", value: { id, text: line } });
    return true;
  }

  /** Asks for a thing whose grant stands. */
  ask(kind: Things, display: number): void {
    if (this.#coming !== undefined) return;
    const id = ++this.#asks;
    this.#coming = { kind, id, size: -1, sha256: new Uint8Array(), parts: [], done: 0 };
    this.#set(kind, { state: "coming", done: 0, size: 0 });
    this.#send({ case: "ask", value: { id, kind: kinds[kind], display } });
  }

  /** Puts a thing away. */
  drop(kind: Things): void {
    this.#set(kind, { state: "none" });
  }

  read(): void {
    if (this.unread === 0) return;
    this.unread = 0;
    this.#changed();
  }

  get up(): boolean {
    return this.#outlet !== undefined;
  }

  heard(message: ArrayBuffer): void {
    const m: TalkMessage = decode(TalkMessageSchema, message, maxTool);
    if (!known(m)) return;
    switch (m.body.case) {
      case "line":
        this.#line(m.body.value);
        return;
      case "refused":
        this.#refused(m.body.value.id, m.body.value.why);
        return;
      case "kept":
        this.record = m.body.value.record;
        this.#changed();
        return;
      case "thing":
        this.#thing(m.body.value);
        return;
      case "part":
        void this.#part(m.body.value);
        return;
      default:
        throw new WireError(Reason.PROTOCOL, "talk: what only a viewer says");
    }
  }

  connected(outlet: Outlet): void {
    this.#outlet = outlet;
    for (const { id, text } of this.#waiting) this.#send({ case: "line", value: { id, text } });
    this.#changed();
  }

  disconnected(): void {
    this.#outlet = undefined;
    if (this.#coming) this.#fail(this.#coming.kind, TalkTrouble.FAILED);
    this.#changed();
  }

  // Lines that it has not heard are said to it again, by other numbers.
  anew(): void {
    this.#next = 1n;
    this.#taken = 0n;
    const ids = new Map<number, number>();
    this.#waiting = this.#waiting.map(({ id, text }) => {
      const now = this.#next++;
      ids.set(Number(id), Number(now));
      return { id: now, text };
    });
    this.lines = this.lines.map((l) => (l.state === "waiting" ? { ...l, id: ids.get(l.id) ?? l.id } : l));
    this.#changed();
  }

  granted(grants: Grants): void {
    this.grants = grants;
    const coming = this.#coming;
    if (coming && grants[grantOf[coming.kind]] !== GrantState.ALLOWED)
      this.#fail(coming.kind, TalkTrouble.DENIED);
    this.#changed();
  }

  over(): void {
    this.lines = [];
    this.unread = 0;
    this.record = TalkRecord.UNSPECIFIED;
    this.things = { picture: { state: "none" }, system: { state: "none" } };
    this.grants = {};
    this.#waiting = [];
    this.#next = 1n;
    this.#taken = 0n;
    this.#asks = 0;
    this.#coming = undefined;
    this.#outlet = undefined;
    this.#changed();
  }

  #line(m: TalkLine): void {
    if (m.id <= this.#taken) {
      this.#take();
      return; // it came before the connection was cut
    }
    this.#taken = m.id;
    this.#take();
    const text = cleanText(m.text, chatLimit);
    const line = {
      id: Number(m.id),
      from: clean(m.from),
      name: clean(m.name),
      text,
      at: Number(m.at),
      state: "sent",
    } as const;
    if (m.yours > 0n) {
      this.#waiting = this.#waiting.filter(({ id }) => id > m.yours);
      this.#forget(Number(m.yours));
      this.#add({ ...line, mine: true });
      return;
    }
    if (!this.reading) this.unread++;
    this.#add({ ...line, mine: false });
  }

  #take(): void {
    this.#send({ case: "taken", value: { id: this.#taken } });
  }

  #refused(id: bigint, why: TalkRefusal): void {
    this.#waiting = this.#waiting.filter((w) => w.id !== id);
    this.lines = this.lines.map((l) =>
      l.state === "waiting" && l.id === Number(id) ? { ...l, state: why } : l,
    );
    this.#changed();
  }

  #forget(id: number): void {
    this.lines = this.lines.filter((l) => l.state !== "waiting" || l.id !== id);
  }

  #add(line: Omit<Line, "key">): void {
    this.lines = [...this.lines.slice(-(maxShown - 1)), { ...line, key: ++this.#keys }];
    this.#changed();
  }

  #thing({ id, size, sha256, trouble }: TalkThing): void {
    const coming = this.#coming;
    if (coming?.id !== id) return; // of a connection before this one
    if (trouble !== TalkTrouble.UNSPECIFIED || size === 0) {
      this.#fail(coming.kind, trouble);
      return;
    }
    if (coming.size >= 0 || size > limits[coming.kind])
      throw new WireError(Reason.TOO_LARGE, "talk: a thing is too large");
    coming.size = size;
    coming.sha256 = sha256;
    this.#set(coming.kind, { state: "coming", done: 0, size });
  }

  async #part({ id, data }: TalkPart): Promise<void> {
    const coming = this.#coming;
    if (coming?.id !== id) return;
    coming.done += data.length;
    if (coming.size < 0 || data.length === 0 || data.length > maxTalkPart || coming.done > coming.size) {
      this.#fail(coming.kind, TalkTrouble.FAILED);
      return;
    }
    coming.parts.push(data);
    if (coming.done < coming.size) {
      const percent = (n: number) => Math.floor((100 * n) / coming.size);
      if (percent(coming.done) !== percent(coming.done - data.length))
        this.#set(coming.kind, { state: "coming", done: coming.done, size: coming.size });
      return;
    }
    const whole = new Uint8Array(coming.size);
    let at = 0;
    for (const part of coming.parts) {
      whole.set(part, at);
      at += part.length;
    }
    coming.parts = [];
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
    if (this.#coming !== coming) return;
    if (!equal(sum, coming.sha256)) {
      this.#fail(coming.kind, TalkTrouble.FAILED);
      return;
    }
    this.#coming = undefined;
    this.#set(coming.kind, { state: "here", data: whole });
  }

  #fail(kind: Things, why: TalkTrouble): void {
    this.#coming = undefined;
    this.#set(kind, { state: "failed", why });
  }

  #set(kind: Things, thing: Thing): void {
    this.things = { ...this.things, [kind]: thing };
    this.#changed();
  }

  #send(body: MessageInitShape<typeof TalkMessageSchema>["body"]): void {
    this.#outlet?.send(encode(TalkMessageSchema, body === undefined ? {} : { body }, maxTool));
  }
}

/** `clean` for a text of several lines: no more than two breaks in a row. */
export function cleanText(text: string, limit: number): string {
  const lines: string[] = [];
  for (const raw of text.replace(/\r\n|[\r\u2028\u2029]/g, "\n").split("\n")) {
    // In pieces, because `clean` is for names and cuts at their length.
    const line = (raw.match(/[\s\S]{1,200}/gu) ?? [])
      .map((piece) => edges(piece))
      .join("")
      .trim();
    if (line === "" && (lines.length === 0 || lines.at(-1) === "")) continue;
    lines.push(line);
  }
  return Array.from(lines.join("\n").trimEnd()).slice(0, limit).join("").trimEnd();
}

// Cleans a piece and keeps the spaces at its ends.
function edges(piece: string): string {
  const body = clean(piece);
  return body === ""
    ? /^\s/u.test(piece)
      ? " "
      : ""
    : `${/^\s/u.test(piece) ? " " : ""}${body}${/\s$/u.test(piece) ? " " : ""}`;
}

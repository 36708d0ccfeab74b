// Files to the person: one transfer at a time, read in slices, never more on the
// channel than leaves in a moment, so that keys pass between them.

import { FileReason, type FileAnswer, type FileDone, type FileProgress } from "../gen/files_pb";
import { GrantState } from "../gen/session_pb";
import { Reason } from "../gen/signaling_pb";
import type { Outlet } from "../tool";
import { clean, equal, WireError } from "../wire/codec";
import { maxFileChunk } from "../wire/limits";
import type { Picked } from "./picking";
import { Scavenger } from "./scavenger";
import {
  hex,
  maxDepth,
  maxFiles,
  maxNameBytes,
  newHash,
  othersOf,
  say,
  sendWindow,
  Speed,
  type Hash,
  type Item,
} from "./transfer";

/** Bytes of names in one part of an offer. */
const offerPart = 12_000;
/** Bytes read at once. */
const slice = 8 * maxFileChunk;

interface Place {
  readonly file: number;
  readonly offset: number;
  readonly hash: Hash;
  readonly sent: number; // what the flow had sent by then
}

interface Outgoing {
  readonly item: Item;
  readonly files: readonly Picked[];
  readonly starts: readonly number[];
  id: number;
  accepted: boolean;
  ready: boolean; // on this connection
  file: number;
  offset: number;
  hash: Hash;
  places: Place[]; // where the host may stand, oldest first
  sums: Uint8Array[];
  whole: number;
  acked: number;
  speed: Speed;
}

export class Sending {
  readonly items: Item[] = [];
  #changed: () => void;
  #ask: () => void;
  #outlet: Outlet | undefined;
  #grant: GrantState = GrantState.UNSPECIFIED;
  #queue: Outgoing[] = [];
  #now: Outgoing | undefined;
  #ended = 0; // the id of the last that ended early
  #id = -1;
  #count = 0;
  #run = 0;
  #flow = new Scavenger(performance.now());
  #wake: (() => void) | undefined;

  /** @param ask asks the person for file_in */
  constructor(changed: () => void, ask: () => void) {
    this.#changed = changed;
    this.#ask = ask;
  }

  /** Sends what was chosen, as soon as the person allows it. */
  add(files: readonly Picked[]): void {
    const first = files[0];
    if (first === undefined) return;
    const starts = [0];
    for (const { file } of files) starts.push((starts.at(-1) ?? 0) + file.size);
    const item: Item = {
      key: `out-${++this.#count}`,
      way: "out",
      name: clean(first.path[0] ?? ""),
      others: othersOf(files),
      size: starts.at(-1) ?? 0,
      done: 0,
      state: "waiting",
      why: FileReason.UNSPECIFIED,
      rate: 0,
      hash: "",
      links: [],
    };
    this.items.push(item);
    const bytes = new TextEncoder();
    if (
      files.length > maxFiles ||
      files.some(
        ({ path }) =>
          path.length > maxDepth + 1 || path.some((name) => bytes.encode(name).length > maxNameBytes),
      )
    ) {
      item.state = "failed";
      item.why = FileReason.TOO_MANY;
      this.#changed();
      return;
    }
    this.#queue.push({
      item,
      files,
      starts,
      id: 0,
      accepted: false,
      ready: false,
      file: 0,
      offset: 0,
      hash: newHash(),
      places: [{ file: 0, offset: 0, hash: newHash(), sent: 0 }],
      sums: [],
      whole: 0,
      acked: 0,
      speed: new Speed(0),
    });
    this.#next();
  }

  granted(state: GrantState): void {
    const before = this.#grant;
    this.#grant = state;
    if (state === before) return;
    if (state === GrantState.ALLOWED) this.#next();
    else if (state !== GrantState.ASKED) {
      // The host ends what is under way itself; what waits was not allowed either.
      for (const { item } of this.#queue.splice(0)) this.#fail(item, FileReason.NOT_ALLOWED);
    }
    this.#changed();
  }

  connected(outlet: Outlet): void {
    this.#outlet = outlet;
    // A host that was away may not know that we ended it; one that does ignores it.
    if (this.#ended !== 0)
      say(outlet, { case: "cancel", value: { id: BigInt(this.#ended), reason: FileReason.CANCELLED } });
    const now = this.#now;
    if (now === undefined) this.#next();
    else say(outlet, { case: "resume", value: { id: BigInt(now.id) } });
  }

  disconnected(): void {
    this.#outlet = undefined;
    this.#halt();
    if (this.#now !== undefined) {
      this.#now.ready = false;
      this.#now.item.state = "lost";
      this.#now.item.rate = 0;
    }
    this.#changed();
  }

  over(): void {
    this.disconnected();
    for (const { item } of [...(this.#now ? [this.#now] : []), ...this.#queue]) item.state = "cancelled";
    this.#now = undefined;
    this.#queue = [];
    this.#changed();
  }

  cancel(item: Item): void {
    const now = this.#now;
    if (now?.item === item) {
      say(this.#outlet, { case: "cancel", value: { id: BigInt(now.id), reason: FileReason.CANCELLED } });
      this.#end("cancelled", FileReason.CANCELLED);
      return;
    }
    this.#queue = this.#queue.filter((one) => one.item !== item);
    item.state = "cancelled";
    this.#changed();
  }

  answer(m: FileAnswer): void {
    const now = this.#now;
    if (now === undefined || m.id !== BigInt(now.id)) return;
    if (m.refused === FileReason.UNKNOWN && !now.accepted) {
      this.#offer(now); // the list was lost with a connection
      return;
    }
    if (m.refused !== FileReason.UNSPECIFIED) {
      this.#end("failed", m.refused);
      return;
    }
    const place = now.places.find(({ file, offset }) => file === m.file && BigInt(offset) === m.offset);
    if (now.ready || place === undefined) throw new WireError(Reason.PROTOCOL, "not where the files are");
    while (now.whole < place.file) this.#has(now);
    if (this.#now !== now) return;
    now.places = [{ ...place, sent: 0 }]; // what came after it is sent again
    this.#flow = new Scavenger(performance.now());
    now.file = place.file;
    now.offset = place.offset;
    now.hash = place.hash.clone();
    now.acked = this.#start(now, place.file) + place.offset;
    now.speed = new Speed(now.acked);
    now.accepted = now.ready = true;
    now.item.state = "running";
    this.#changed();
    void this.#pump(now);
  }

  progress(m: FileProgress): void {
    const now = this.#now;
    if (now === undefined || m.id !== BigInt(now.id)) return;
    const at = now.places.findIndex(({ file, offset }) => file === m.file && BigInt(offset) === m.offset);
    if (at < 0) throw new WireError(Reason.PROTOCOL, "files that were not sent");
    now.places.splice(0, at);
    this.#flow.hears(performance.now(), now.places[0]?.sent ?? 0);
    this.#acked(now, this.#start(now, m.file) + Number(m.offset));
  }

  done(m: FileDone): void {
    const now = this.#now;
    if (now === undefined || m.id !== BigInt(now.id)) return;
    const sum = now.sums[now.whole];
    if (m.file !== now.whole || sum === undefined) throw new WireError(Reason.PROTOCOL, "not the next file");
    if (!equal(sum, m.sha256)) {
      say(this.#outlet, { case: "cancel", value: { id: m.id, reason: FileReason.HASH } });
      this.#end("failed", FileReason.HASH);
      return;
    }
    this.#has(now);
  }

  cancelled(id: bigint, why: FileReason): void {
    if (this.#now === undefined || id !== BigInt(this.#now.id)) return;
    this.#end(why === FileReason.CANCELLED ? "cancelled" : "failed", why);
  }

  #start(now: Outgoing, file: number): number {
    return now.starts[file] ?? 0;
  }

  #acked(now: Outgoing, acked: number): void {
    now.acked = Math.max(now.acked, acked);
    now.item.done = now.acked;
    now.item.rate = now.speed.count(now.acked);
    this.#wake?.();
    this.#changed();
  }

  // The person's computer has one more file.
  #has(now: Outgoing): void {
    const sum = now.sums[now.whole];
    if (now.files.length === 1 && sum) now.item.hash = hex(sum);
    now.whole++;
    now.places = now.places.filter(({ file }) => file >= now.whole);
    this.#acked(now, this.#start(now, now.whole));
    if (now.whole === now.files.length) this.#end("done", FileReason.UNSPECIFIED);
  }

  #fail(item: Item, why: FileReason): void {
    item.state = "failed";
    item.why = why;
  }

  #end(state: "done" | "cancelled" | "failed", why: FileReason): void {
    const now = this.#now;
    if (now === undefined) return;
    this.#halt();
    this.#now = undefined;
    if (state !== "done") this.#ended = now.id;
    now.item.state = state;
    now.item.why = why;
    now.item.rate = 0;
    this.#next();
  }

  #next(): void {
    const first = this.#queue[0];
    if (first !== undefined && this.#now === undefined) {
      if (this.#grant === GrantState.ALLOWED) {
        if (this.#outlet !== undefined) {
          this.#queue.shift();
          first.id = this.#id += 2;
          this.#now = first;
          this.#offer(first);
        }
      } else if (this.#grant === GrantState.RULED_OUT) {
        for (const { item } of this.#queue.splice(0)) this.#fail(item, FileReason.NOT_ALLOWED);
      } else {
        for (const { item } of this.#queue) item.state = "asking";
        if (this.#grant !== GrantState.ASKED) this.#ask();
      }
    }
    this.#changed();
  }

  #offer(now: Outgoing): void {
    const bytes = new TextEncoder();
    let files: { path: string[]; size: bigint; modified: bigint }[] = [];
    let size = 0;
    now.files.forEach(({ path, file }, i) => {
      files.push({ path: [...path], size: BigInt(file.size), modified: BigInt(file.lastModified) });
      size += 24 + path.reduce((sum, name) => sum + 8 + bytes.encode(name).length, 0);
      const more = i < now.files.length - 1;
      if (more && size <= offerPart) return;
      say(this.#outlet, { case: "offer", value: { id: BigInt(now.id), files, more } });
      files = [];
      size = 0;
    });
  }

  // Nothing more is sent by the pump that runs.
  #halt(): void {
    this.#run++;
    this.#wake?.();
  }

  // The host has written more, or nothing more is sent.
  #heard(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  async #pump(now: Outgoing): Promise<void> {
    const run = ++this.#run;
    const outlet = this.#outlet;
    const stands = () => run === this.#run && this.#outlet === outlet && outlet !== undefined;
    try {
      while (stands() && now.file < now.files.length) {
        const { file } = now.files[now.file] ?? {};
        if (file === undefined || outlet === undefined) return;
        if (
          this.#start(now, now.file) + now.offset - now.acked >= sendWindow ||
          now.places.length > sendWindow / maxFileChunk
        ) {
          await this.#heard();
          continue;
        }
        if (now.offset === file.size) {
          this.#whole(now);
          continue;
        }
        const until = Math.min(now.offset + slice, file.size);
        const bytes = new Uint8Array(await file.slice(now.offset, until).arrayBuffer());
        if (!stands()) return;
        if (bytes.length !== until - now.offset)
          throw new DOMException("shorter than it was", "NotReadableError");
        for (let at = 0; at < bytes.length;) {
          while (!this.#flow.room()) {
            await this.#heard();
            if (!stands()) return;
          }
          const to = at + this.#flow.piece(maxFileChunk);
          this.#chunk(now, bytes.subarray(at, to));
          at = to;
        }
      }
    } catch (error) {
      if (!stands()) return;
      const gone = error instanceof DOMException && error.name === "NotFoundError";
      const why = gone ? FileReason.GONE : FileReason.CHANGED;
      say(outlet, { case: "cancel", value: { id: BigInt(now.id), reason: why } });
      this.#end("failed", why);
    }
  }

  #chunk(now: Outgoing, content: Uint8Array): void {
    const { file, offset } = now;
    say(this.#outlet, {
      case: "chunk",
      value: { id: BigInt(now.id), file, offset: BigInt(offset), content },
    });
    this.#flow.sends(performance.now(), content.length);
    now.hash.update(content);
    now.offset += content.length;
    this.#mark(now);
  }

  #whole(now: Outgoing): void {
    const sum = now.hash.digest();
    now.sums[now.file] = sum;
    say(this.#outlet, { case: "done", value: { id: BigInt(now.id), file: now.file, sha256: sum } });
    now.file++;
    now.offset = 0;
    now.hash = newHash();
    this.#mark(now);
  }

  #mark(now: Outgoing): void {
    const { file, offset, hash } = now;
    now.places.push({ file, offset, hash: hash.clone(), sent: this.#flow.sent });
  }
}

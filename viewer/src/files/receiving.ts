// Files from the person: what they give is offered, saved where the technician
// says, and checked against its hash. Everything in it is hostile.

import { FileReason, type FileChunk, type FileDone, type FileOffer } from "../gen/files_pb";
import { Reason } from "../gen/signaling_pb";
import type { Outlet } from "../tool";
import { clean, equal, WireError } from "../wire/codec";
import { maxFileChunk } from "../wire/limits";
import { safeName } from "./names";
import { askShelf, type Drain, type Shelf } from "./shelf";
import {
  hex,
  maxDepth,
  maxFiles,
  maxNameBytes,
  newHash,
  othersOf,
  say,
  Speed,
  type Hash,
  type Item,
} from "./transfer";

/** Bytes written at once. */
const batchSize = 256 * 1024;

interface Entry {
  readonly path: readonly string[];
  readonly size: number;
}

interface Incoming {
  readonly id: bigint;
  readonly item: Item;
  readonly files: readonly Entry[];
  shelf: Shelf | undefined; // accepted
  file: number;
  offset: number;
  hash: Hash;
  drain: Promise<Drain> | undefined;
  batch: Uint8Array[];
  batched: number;
  work: Promise<void>; // writes, in their order
  told: { file: number; offset: number }; // the host knows that we are there
  speed: Speed;
}

export class Receiving {
  readonly items: Item[] = [];
  #changed: () => void;
  #askShelf: typeof askShelf;
  #outlet: Outlet | undefined;
  #listed: { id: bigint; files: Entry[] } | undefined;
  #last = 0n;
  #now: Incoming | undefined;
  #ended = 0n; // the id of the last that ended early
  #whole: { id: bigint; files: number } | undefined; // the last that has arrived

  constructor(changed: () => void, ask: typeof askShelf = askShelf) {
    this.#changed = changed;
    this.#askShelf = ask;
  }

  connected(outlet: Outlet): void {
    this.#outlet = outlet;
    this.#listed = undefined;
  }

  disconnected(): void {
    this.#outlet = undefined;
    if (this.#now?.item.state === "running") this.#now.item.state = "lost";
    this.#changed();
  }

  over(): void {
    this.#outlet = undefined;
    if (this.#now) this.#end("cancelled", FileReason.CANCELLED);
  }

  anew(): void {
    if (this.#now) this.#end("failed", FileReason.GONE);
    this.#last = 0n;
    this.#whole = undefined;
  }

  offer({ id, files, more }: FileOffer): void {
    if (this.#listed === undefined) {
      if (id % 2n !== 0n || id <= this.#last) throw new WireError(Reason.PROTOCOL, "not a new transfer");
      this.#last = id;
      this.#listed = { id, files: [] };
    }
    const list = this.#listed;
    if (list.id !== id) throw new WireError(Reason.PROTOCOL, "two lists at once");
    const bytes = new TextEncoder();
    for (const { path, size } of files) {
      if (
        path.length === 0 ||
        path.length > maxDepth + 1 ||
        size > BigInt(Number.MAX_SAFE_INTEGER) ||
        path.some((name) => bytes.encode(name).length > maxNameBytes) ||
        list.files.length >= maxFiles
      )
        throw new WireError(Reason.PROTOCOL, "not a list of files");
      list.files.push({ path, size: Number(size) });
    }
    if (more) return;
    this.#listed = undefined;
    const first = list.files[0];
    if (first === undefined) throw new WireError(Reason.PROTOCOL, "an empty list");
    if (this.#now) {
      say(this.#outlet, { case: "answer", value: { id, refused: FileReason.BUSY } });
      return;
    }
    const item: Item = {
      key: `in-${id}`,
      way: "in",
      name: clean(first.path[0] ?? "") || safeName(""),
      others: othersOf(list.files),
      size: list.files.reduce((sum, { size }) => sum + size, 0),
      done: 0,
      state: "offered",
      why: FileReason.UNSPECIFIED,
      rate: 0,
      hash: "",
      links: [],
    };
    this.items.push(item);
    this.#now = {
      id,
      item,
      files: list.files,
      shelf: undefined,
      file: 0,
      offset: 0,
      hash: newHash(),
      drain: undefined,
      batch: [],
      batched: 0,
      work: Promise.resolve(),
      told: { file: 0, offset: 0 },
      speed: new Speed(0),
    };
    this.#changed();
  }

  /** The technician takes it; called in a click. */
  async accept(item: Item): Promise<void> {
    const now = this.#now;
    if (now?.item !== item || now.shelf) return;
    const shelf = await this.#askShelf(now.files.map(({ path }) => path));
    if (shelf === null || this.#now !== now || now.shelf) return;
    now.shelf = shelf;
    item.state = this.#outlet ? "running" : "lost";
    now.speed = new Speed(0);
    this.#where(now);
    this.#changed();
  }

  cancel(item: Item): void {
    const now = this.#now;
    if (now?.item !== item) return;
    const value = { id: now.id, reason: FileReason.CANCELLED };
    if (now.shelf) say(this.#outlet, { case: "cancel", value });
    else say(this.#outlet, { case: "answer", value: { id: now.id, refused: FileReason.CANCELLED } });
    this.#end("cancelled", FileReason.CANCELLED);
  }

  /** The host's question on a new connection. */
  resume(id: bigint): void {
    const now = this.#now;
    if (now?.id === id) {
      if (!now.shelf) return; // answered when the technician has said where
      now.item.state = "running";
      this.#where(now);
      this.#changed();
    } else if (this.#ended === id) {
      say(this.#outlet, { case: "answer", value: { id, refused: FileReason.CANCELLED } });
    } else if (this.#whole?.id === id) {
      say(this.#outlet, { case: "answer", value: { id, file: this.#whole.files } });
    } else {
      if (id === this.#last) this.#last -= 2n; // its list was lost with a connection
      say(this.#outlet, { case: "answer", value: { id, refused: FileReason.UNKNOWN } });
    }
  }

  chunk({ id, file, offset, content }: FileChunk): void {
    const now = this.#now;
    if (now === undefined || now.id !== id || !now.shelf) return; // it was on its way when we ended it
    const entry = now.files[now.file];
    if (
      entry === undefined ||
      file !== now.file ||
      offset !== BigInt(now.offset) ||
      content.length === 0 ||
      content.length > Math.min(maxFileChunk, entry.size - now.offset)
    )
      throw new WireError(Reason.PROTOCOL, "not the next bytes");
    now.hash.update(content);
    now.offset += content.length;
    now.batch.push(content);
    now.batched += content.length;
    now.item.done += content.length;
    now.item.rate = now.speed.count(now.item.done);
    if (now.batched >= batchSize || now.offset === entry.size) this.#flush(now, entry);
    this.#changed();
  }

  done({ id, file, sha256 }: FileDone): void {
    const now = this.#now;
    if (now === undefined || now.id !== id || !now.shelf) return;
    const entry = now.files[file];
    if (file !== now.file || entry === undefined || now.offset !== entry.size)
      throw new WireError(Reason.PROTOCOL, "not a whole file");
    const sum = now.hash.digest();
    if (!equal(sum, sha256)) {
      say(this.#outlet, { case: "cancel", value: { id, reason: FileReason.HASH } });
      this.#end("failed", FileReason.HASH);
      return;
    }
    if (now.files.length === 1) now.item.hash = hex(sum);
    const drain = this.#drain(now, entry);
    now.drain = undefined;
    now.file++;
    now.offset = 0;
    now.hash = newHash();
    this.#then(now, async () => {
      const url = await (await drain).close();
      if (url !== null) now.item.links.push({ name: safeName(entry.path.at(-1) ?? ""), url });
      if (now.told.file <= file) {
        now.told = { file: file + 1, offset: 0 };
        say(this.#outlet, { case: "done", value: { id, file, sha256: sum } });
      }
      if (file === now.files.length - 1) this.#arrived(now);
      this.#changed();
    });
  }

  cancelled(id: bigint, why: FileReason): void {
    if (this.#now?.id === id) this.#end(why === FileReason.CANCELLED ? "cancelled" : "failed", why);
  }

  // Everything up to here is ours, written or in memory: it need not come again.
  #where(now: Incoming): void {
    now.told = { file: now.file, offset: now.offset };
    say(this.#outlet, {
      case: "answer",
      value: { id: now.id, file: now.file, offset: BigInt(now.offset) },
    });
  }

  #drain(now: Incoming, entry: Entry): Promise<Drain> {
    const shelf = now.shelf;
    if (shelf === undefined) throw new Error("not accepted");
    return (now.drain ??= now.work.then(() => shelf.open(entry.path)));
  }

  #flush(now: Incoming, entry: Entry): void {
    const { batch, batched, file, offset } = now;
    now.batch = [];
    now.batched = 0;
    const drain = this.#drain(now, entry);
    this.#then(now, async () => {
      const whole = new Uint8Array(batched);
      let at = 0;
      for (const part of batch) {
        whole.set(part, at);
        at += part.length;
      }
      await (await drain).write(whole);
      const { told } = now;
      if (file < told.file || (file === told.file && offset <= told.offset)) return;
      now.told = { file, offset };
      say(this.#outlet, { case: "progress", value: { id: now.id, file, offset: BigInt(offset) } });
    });
  }

  #then(now: Incoming, work: () => Promise<void>): void {
    now.work = now.work.then(async () => {
      if (this.#now !== now) return;
      try {
        await work();
      } catch (error) {
        if (this.#now !== now) return;
        const full = error instanceof DOMException && error.name === "QuotaExceededError";
        const why = full ? FileReason.NO_ROOM : FileReason.FOLDER;
        say(this.#outlet, { case: "cancel", value: { id: now.id, reason: why } });
        this.#end("failed", why);
      }
    });
  }

  #arrived(now: Incoming): void {
    this.#whole = { id: now.id, files: now.files.length };
    this.#now = undefined;
    now.item.done = now.item.size;
    now.item.rate = 0;
    now.item.state = "done";
  }

  #end(state: "cancelled" | "failed", why: FileReason): void {
    const now = this.#now;
    if (now === undefined) return;
    this.#now = undefined;
    this.#ended = now.id;
    now.item.state = state;
    now.item.why = why;
    now.item.rate = 0;
    void now.drain?.then((drain) => drain.abort()).catch(() => undefined);
    this.#changed();
  }
}

// What a transfer looks like from outside, and what both directions share.

import { sha256 } from "@noble/hashes/sha2.js";
import { FileMessageSchema, FileReason, type FileMessage } from "../gen/files_pb";
import type { Outlet } from "../tool";
import { encode } from "../wire/codec";
import { maxTool } from "../wire/limits";

/** Bounds of one transfer; the host has the same. */
export const maxFiles = 2000;
export const maxDepth = 12;
export const maxNameBytes = 1024;
/** Bytes that may be on their way and not written over there. */
export const sendWindow = 4 << 20;

export type Way = "out" | "in";
export type State = "waiting" | "asking" | "offered" | "running" | "lost" | "done" | "cancelled" | "failed";

/** A transfer as it is shown. */
export interface Item {
  readonly key: string;
  readonly way: Way;
  /** Of the first file or of the folder; hostile text, cleaned. */
  readonly name: string;
  /** Files besides that. */
  readonly others: number;
  readonly size: number;
  done: number;
  state: State;
  why: FileReason;
  /** Bytes a second, or 0 while it is not known. */
  rate: number;
  /** SHA-256 of a single file that is whole, hex. */
  hash: string;
  /** Files that wait to be saved by the browser. */
  links: { readonly name: string; readonly url: string }[];
}

export type Hash = ReturnType<typeof sha256.create>;
export const newHash = (): Hash => sha256.create();

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export type Body = NonNullable<Parameters<typeof encode<typeof FileMessageSchema>>[1]["body"]>;

/** Says something on the channel; what is lost with a connection is asked for on the next. */
export function say(outlet: Outlet | undefined, body: FileMessage["body"] | Body): void {
  outlet?.send(encode(FileMessageSchema, { body: body as Body }, maxTool));
}

/** How many entries are not under the name of the first. */
export function othersOf(files: readonly { readonly path: readonly string[] }[]): number {
  return files.filter(({ path }) => path[0] !== files[0]?.path[0]).length;
}

/** Bytes a second over the last moments. */
export class Speed {
  #at = performance.now();
  #done: number;
  rate = 0;

  constructor(done: number) {
    this.#done = done;
  }

  count(done: number): number {
    const now = performance.now();
    const ms = now - this.#at;
    if (ms >= 500) {
      const rate = ((done - this.#done) * 1000) / ms;
      this.rate = this.rate === 0 ? rate : this.rate * 0.6 + rate * 0.4;
      this.#at = now;
      this.#done = done;
    }
    return this.rate;
  }
}

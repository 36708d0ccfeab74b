// The form of a proof, as package signaling/audit/proof describes it. What is not of it is refused whole.
import { bytes, type Bytes } from "./bytes";

export const maxLines = 10_000;
export const maxSpan = 8192;

export interface ProofLine {
  leaf: string;
  state: string;
  personal: string;
  salt: string;
}

export interface Proof {
  session: string;
  checkpoint: string;
  keys: string[];
  rotations: ProofLine[];
  lines: ProofLine[];
  between: string[];
  nodes: ReadonlyMap<string, Bytes>;
}

/** The public half of a line. */
export interface Leaf {
  actor: { kind: string; ref: string };
  commit: string;
  data: Record<string, unknown>;
  id: string;
  index: number;
  mono_ms: number;
  origin: string;
  outcome: string;
  session: string;
  t: string;
  ticket: string;
  type: string;
}

/** These bytes are no proof. */
export class NoProof extends Error {}

/** Reads a proof, or throws NoProof. */
export function readProof(v: unknown): Proof {
  const o = only(v, "format", "session", "checkpoint", "keys", "rotations", "lines", "between", "nodes");
  if (o["format"] !== "mainforte session proof v1") throw new NoProof("format");
  const p: Proof = {
    session: text(o["session"]),
    checkpoint: text(o["checkpoint"]),
    keys: list(o["keys"]).map(text),
    rotations: list(o["rotations"]).map(line),
    lines: list(o["lines"]).map(line),
    between: list(o["between"]).map(text),
    nodes: nodes(o["nodes"]),
  };
  if (p.keys.length === 0 || p.keys.length > 1000 || p.rotations.length !== p.keys.length - 1)
    throw new NoProof("keys");
  if (p.lines.length === 0 || p.lines.length > maxLines || p.between.length > maxSpan)
    throw new NoProof("lines");
  return p;
}

/** Reads a leaf; null: it is none. */
export function readLeaf(source: string): Leaf | null {
  try {
    const o = only(
      JSON.parse(source),
      "actor",
      "commit",
      "data",
      "id",
      "index",
      "mono_ms",
      "origin",
      "outcome",
      "session",
      "t",
      "ticket",
      "type",
      "v",
    );
    const actor = only(o["actor"], "kind", "ref");
    if (o["v"] !== 1) return null;
    return {
      actor: { kind: text(actor["kind"]), ref: text(actor["ref"]) },
      commit: o["commit"] === undefined ? "" : text(o["commit"]),
      data: record(o["data"]),
      id: text(o["id"]),
      index: whole(o["index"]),
      mono_ms: whole(o["mono_ms"]),
      origin: text(o["origin"]),
      outcome: text(o["outcome"]),
      session: text(o["session"]),
      t: text(o["t"]),
      ticket: text(o["ticket"]),
      type: text(o["type"]),
    };
  } catch {
    return null;
  }
}

function record(v: unknown): Record<string, unknown> {
  if (typeof v !== "object" || v === null || Array.isArray(v)) throw new NoProof("not an object");
  return v as Record<string, unknown>;
}

function only(v: unknown, ...members: string[]): Record<string, unknown> {
  const o = record(v);
  for (const k of Object.keys(o)) if (!members.includes(k)) throw new NoProof(k);
  return o;
}

function text(v: unknown): string {
  if (typeof v !== "string") throw new NoProof("not a text");
  return v;
}

function list(v: unknown): unknown[] {
  if (!Array.isArray(v)) throw new NoProof("not a list");
  return v;
}

/** A whole number from 0 that is exact. */
export function whole(v: unknown): number {
  if (typeof v !== "number" || !Number.isSafeInteger(v) || v < 0) throw new NoProof("not a number");
  return v;
}

function line(v: unknown): ProofLine {
  const o = only(v, "leaf", "state", "personal", "salt");
  return {
    leaf: text(o["leaf"]),
    state: text(o["state"]),
    personal: o["personal"] === undefined ? "" : text(o["personal"]),
    salt: o["salt"] === undefined ? "" : text(o["salt"]),
  };
}

function nodes(v: unknown): ReadonlyMap<string, Bytes> {
  const out = new Map<string, Bytes>();
  for (const [span, hash] of Object.entries(record(v))) {
    const raw = bytes(text(hash));
    if (!/^(0|[1-9][0-9]{0,14})-[1-9][0-9]{0,14}$/.test(span) || raw?.length !== 32) throw new NoProof(span);
    out.set(span, raw);
  }
  return out;
}

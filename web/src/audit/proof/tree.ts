// The Merkle tree of RFC 6962 §2.1, as far as a proof needs it. The same as
// signaling/audit/proof/tree.go, with the same test vectors.
import { concat, same, sha256, utf8, type Bytes } from "./bytes";

/** The leaves from lo to before hi, and the subtree over them. */
export interface Span {
  lo: number;
  hi: number;
}

/** Why a subtree is not proven: a node beside its way is missing, or its way does not lead to the root. */
export type Broken = "path" | "changed";

const leafMark = new Uint8Array([0]);
const nodeMark = new Uint8Array([1]);

export function leafHash(leaf: string): Promise<Bytes> {
  return sha256(leafMark, utf8(leaf));
}

export function nodeHash(left: Bytes, right: Bytes): Promise<Bytes> {
  return sha256(nodeMark, concat(left, right));
}

/** The largest power of two below n, which is at least 2. */
function split(n: number): number {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
}

interface Step extends Span {
  left: boolean; // it stands to the left of the way
}

/** What stands beside the way from a subtree to the root of size leaves, from below; null: there is no such subtree. */
function way(s: Span, size: number): Step[] | null {
  if (s.lo < 0 || s.lo >= s.hi || s.hi > size) return null;
  const up: Step[] = [];
  let { lo, hi } = { lo: 0, hi: size };
  while (lo !== s.lo || hi !== s.hi) {
    if (hi - lo < 2) return null;
    const mid = lo + split(hi - lo);
    if (s.hi <= mid) {
      up.push({ lo: mid, hi, left: false });
      hi = mid;
    } else if (s.lo >= mid) {
      up.push({ lo, hi: mid, left: true });
      lo = mid;
    } else {
      return null;
    }
  }
  return up.reverse();
}

/** The full subtrees of a tree of n leaves, from the left. Every larger tree has them, too. */
function full(n: number): Span[] {
  const list: Span[] = [];
  for (let lo = 0; lo < n;) {
    let w = 1;
    while (2 * w <= n - lo) w *= 2;
    list.push({ lo, hi: lo + w });
    lo += w;
  }
  return list;
}

const name = (s: Span): string => `${s.lo}-${s.hi}`;

/** What was proven to stand under a root. */
export class Tree {
  private readonly proven = new Map<string, Bytes>();

  constructor(
    readonly size: number,
    root: Bytes,
    private readonly nodes: ReadonlyMap<string, Bytes>,
  ) {
    this.proven.set(name({ lo: 0, hi: size }), root);
  }

  /** Whether every node that was given proved something, or was proven. */
  get spent(): boolean {
    for (const [span, hash] of this.nodes) {
      const known = this.proven.get(span);
      if (known === undefined || !same(known, hash)) return false;
    }
    return true;
  }

  /** Why the subtree over a span does not have this hash; null: it has. */
  async prove(span: Span, hash: Bytes): Promise<Broken | null> {
    const up = way(span, this.size);
    if (up === null) return "changed";
    // Also those that are not needed once more: a proof has one form.
    if (!up.every((b) => this.nodes.has(name(b)))) return "path";
    const found = new Map<string, Bytes>();
    let { lo, hi } = span;
    for (const beside of [...up, null]) {
      const known = this.proven.get(name({ lo, hi }));
      if (known !== undefined) {
        if (!same(known, hash)) return "changed";
        break;
      }
      if (beside === null) return "changed"; // cannot be: the root is proven
      found.set(name({ lo, hi }), hash);
      const other = this.nodes.get(name(beside));
      if (other === undefined) return "path";
      found.set(name(beside), other);
      hash = beside.left ? await nodeHash(other, hash) : await nodeHash(hash, other);
      lo = Math.min(lo, beside.lo);
      hi = Math.max(hi, beside.hi);
    }
    for (const [k, h] of found) this.proven.set(k, h);
    return null;
  }

  /** The root that the tree had when it had n leaves; null: not proven. */
  async earlier(n: number): Promise<Bytes | null> {
    if (n < 0 || n > this.size) return null;
    if (n === this.size) return this.proven.get(name({ lo: 0, hi: n })) ?? null;
    const parts: Bytes[] = [];
    for (const s of full(n)) {
      const h = this.nodes.get(name(s));
      if (h === undefined) return null;
      if ((await this.prove(s, h)) !== null) return null;
      parts.push(h);
    }
    let root = parts.pop();
    if (root === undefined) return sha256();
    for (const left of parts.reverse()) root = await nodeHash(left, root);
    return root;
  }
}

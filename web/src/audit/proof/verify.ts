// Verifies the proof of one session without believing the server that sent it: every line climbs to
// the root, the root is held to its signature, and the signature to the key or the ticket that the
// reader brings. The same as signaling/audit/proof, with the same test vectors; pure functions, WebCrypto only.
import { base64, bytes, hmac, NoEd25519, same, signedBy, utf8, type Bytes } from "./bytes";
import { course, type Known } from "./course";
import { maxSpan, readLeaf, type Leaf, type Proof, type ProofLine } from "./form";
import { openNote, readCheckpoint, readKey, rotationText, type Key, type Trust } from "./note";
import { leafHash, Tree } from "./tree";

/** What can be wrong; each has its sentence in the locale files, under proof.problem. */
export type Code =
  | "keys"
  | "checkpoint"
  | "rotation"
  | "form"
  | "path"
  | "changed"
  | "session"
  | "order"
  | "personal"
  | "state"
  | "missing"
  | "gap"
  | "hidden"
  | "start"
  | "host_key"
  | "close"
  | "no_close"
  | "count"
  | "after_end"
  | "ending"
  | "nodes"
  | "stranger"
  | "ticket"
  | "shown"
  | "statement"
  | "no_end";

export interface Problem {
  code: Code;
  index: number; // of the line; -1: it is not about one
  values: Record<string, number>;
}

export type Say = (code: Code, index: number, values?: Record<string, number>) => void;

/** A line that was proven. */
export interface ProvenLine extends Known {
  hash: string; // of its leaf, base64
  personal: unknown; // the opened personal part, null if there is none here
}

export interface Report {
  problems: Problem[]; // the first is the first; at most 20
  origin: string;
  size: number; // of the log
  root: string; // base64
  lines: ProvenLine[];
  checked: number; // personal parts that are what they were
  withheld: number;
  purged: number;
  policy: string; // under which parts were purged
  rotations: number;
  complete: boolean; // no line up to the end is left out, too
  ended: Leaf | null;
  endRoot: string; // the root when the session ended, as its ticket has it
  hostKey: string;
  counted: number | null; // events, by the host's own signed count; null: it signed none
  missing: number; // events of the host that the log itself says are missing; below 0: the host signed fewer than it sent
  signer: boolean; // the key that was given vouches for all of it
  ticket: number; // up to which line the ticket vouches for it; 0: not
  unsigned: boolean; // this browser has no Ed25519: no signature was looked at
}

export type Verdict = "broken" | "unsigned" | "proven" | "ticket" | "unproven";

export function verdict(r: Report): Verdict {
  if (r.problems.length > 0) return "broken";
  if (r.unsigned) return "unsigned";
  if (r.signer) return "proven";
  return r.ticket > 0 ? "ticket" : "unproven";
}

const maxProblems = 20;

/** Verifies a proof. whole: it must be a whole session, not a receipt. */
export async function verify(p: Proof, whole: boolean, trust: Trust): Promise<Report> {
  const v = new Verifier(p, whole);
  await v.run(trust);
  return v.report;
}

class Verifier {
  readonly report: Report = {
    problems: [],
    origin: "",
    size: 0,
    root: "",
    lines: [],
    checked: 0,
    withheld: 0,
    purged: 0,
    policy: "",
    rotations: 0,
    complete: false,
    ended: null,
    endRoot: "",
    hostKey: "",
    counted: null,
    missing: 0,
    signer: false,
    ticket: 0,
    unsigned: false,
  };
  private tree = new Tree(0, new Uint8Array(), new Map());
  private keys: Key[] = [];

  constructor(
    private readonly p: Proof,
    private readonly whole: boolean,
  ) {}

  private readonly say: Say = (code, index, values = {}) => {
    if (this.report.problems.length < maxProblems) this.report.problems.push({ code, index, values });
  };

  /** Like signedBy; without Ed25519 it remembers that nothing was looked at. */
  private readonly signed: typeof signedBy = async (key, message, signature) => {
    try {
      return await signedBy(key, message, signature);
    } catch (e) {
      if (!(e instanceof NoEd25519)) throw e;
      this.report.unsigned = true;
      return true;
    }
  };

  async run(trust: Trust): Promise<void> {
    if (!(await this.checkpoint())) return;
    await this.rotations();
    await this.lines();
    if (this.whole) await this.gaps();
    await course(this.p.session, this.report.lines, this.whole, this.report, this.say, this.signed);
    await this.ending();
    if (this.report.problems.length === 0 && !this.tree.spent) this.say("nodes", -1);
    this.trust(trust);
  }

  /** Without a signed root nothing can be said. */
  private async checkpoint(): Promise<boolean> {
    for (const text of this.p.keys) {
      const key = await readKey(text);
      if (key === null || (this.keys[0] !== undefined && this.keys[0].name !== key.name)) {
        this.say("keys", -1);
        return false;
      }
      this.keys.push(key);
    }
    const last = this.keys.at(-1);
    const text = last === undefined ? null : await openNote(this.p.checkpoint, last, this.signed);
    const point = text === null || last === undefined ? null : readCheckpoint(text, last.name);
    if (last === undefined || point === null || point.size < 1) {
      this.say("checkpoint", -1);
      return false;
    }
    this.report.origin = last.name;
    this.report.size = point.size;
    this.report.root = base64(point.root);
    this.tree = new Tree(point.size, point.root, this.p.nodes);
    return true;
  }

  /** A leaf that stands where it says; null: it does not. */
  private async leaf(text: string, guess: number): Promise<{ leaf: Leaf; hash: Bytes } | null> {
    const leaf = readLeaf(text);
    if (leaf === null) {
      this.say("form", guess);
      return null;
    }
    const hash = await leafHash(text);
    const broken = await this.tree.prove({ lo: leaf.index, hi: leaf.index + 1 }, hash);
    if (broken === null) return { leaf, hash };
    this.say(broken, leaf.index);
    return null;
  }

  /** Follows the chain of keys: each old one signed for the next. */
  private async rotations(): Promise<void> {
    for (const [i, line] of this.p.rotations.entries()) {
      const found = await this.leaf(line.leaf, 0);
      if (found === null) continue;
      const { leaf } = found;
      const d = leaf.data;
      const [old, next] = [this.keys[i], this.p.keys[i + 1] ?? ""];
      const root = typeof d["root"] === "string" ? bytes(d["root"]) : null;
      const signature = typeof d["signature"] === "string" ? bytes(d["signature"]) : null;
      const before = await this.tree.earlier(leaf.index);
      const good =
        leaf.type === "log.key_rotated" &&
        line.state === "none" &&
        line.personal + line.salt === "" &&
        d["old"] === this.p.keys[i] &&
        d["new"] === next &&
        d["size"] === leaf.index &&
        old !== undefined &&
        root !== null &&
        signature !== null &&
        before !== null &&
        same(before, root) &&
        (await this.signed(old.key, rotationText(old.name, leaf.index, base64(root), next), signature));
      if (good) this.report.rotations++;
      else this.say("rotation", leaf.index);
    }
  }

  private async lines(): Promise<void> {
    let last = -1;
    for (const line of this.p.lines) {
      const found = await this.leaf(line.leaf, last + 1);
      if (found === null) continue;
      const { leaf, hash } = found;
      if (leaf.session !== this.p.session) {
        this.say("session", leaf.index);
        continue;
      }
      if (leaf.index <= last) {
        this.say("order", leaf.index);
        continue;
      }
      last = leaf.index;
      const personal = await this.personal(line, leaf);
      this.report.lines.push({ leaf, hash: base64(hash), state: line.state, personal });
    }
  }

  /** Holds a personal part to what its leaf committed to, and returns it. */
  private async personal(line: ProofLine, leaf: Leaf): Promise<unknown> {
    const there = line.personal + line.salt !== "";
    switch (line.state) {
      case "present": {
        const [salt, commit] = [bytes(line.salt), bytes(leaf.commit)];
        if (salt?.length === 32 && commit !== null && same(await hmac(salt, utf8(line.personal)), commit)) {
          this.report.checked++;
          return opened(line.personal);
        }
        this.say("personal", leaf.index);
        return null;
      }
      case "none":
        if (!there && leaf.commit === "") return null;
        break;
      case "withheld":
      case "purged":
        if (!there && leaf.commit !== "") {
          this.report[line.state]++;
          return null;
        }
        break;
      case "missing":
        this.say("missing", leaf.index);
        return null;
    }
    this.say("state", leaf.index);
    return null;
  }

  /** Proves that no line of the session is left out. */
  private async gaps(): Promise<void> {
    const lines = this.report.lines;
    const first = lines[0]?.leaf.index;
    if (first === undefined) return;
    const own = new Set(lines.map((l) => l.leaf.index));
    const ended = lines.find((l) => l.leaf.type === "session.ended")?.leaf.index;
    const end = ended === undefined ? 0 : ended + 1;
    const to = until(first, end, this.report.size);
    let next = first;
    const skip = (): void => {
      while (next < to && own.has(next)) next++;
    };
    skip();
    for (const text of this.p.between) {
      const found = await this.leaf(text, next);
      if (found === null) {
        if (next < to) next++;
        skip();
        continue;
      }
      if (found.leaf.index !== next) {
        this.say("gap", next);
        return;
      }
      if (found.leaf.session === this.p.session) {
        this.say("hidden", next);
        return;
      }
      next++;
      skip();
    }
    if (next < to) {
      this.say("gap", next);
      return;
    }
    this.report.complete = to > first && to >= end && this.report.problems.length === 0;
  }

  /** Proves the tree in which the session ended, whose root its ticket holds. */
  private async ending(): Promise<void> {
    const end = this.report.lines.find((l) => l.leaf.type === "session.ended");
    if (end === undefined) return;
    const root = await this.tree.earlier(end.leaf.index + 1);
    if (root === null) this.say("ending", end.leaf.index);
    else this.report.endRoot = base64(root);
  }

  private trust(t: Trust): void {
    if (t.key !== "") {
      this.report.signer = this.p.keys.includes(t.key);
      if (!this.report.signer) this.say("stranger", -1);
    }
    if (t.roots.length === 0) return;
    if (this.report.endRoot !== "" && t.roots.includes(this.report.endRoot))
      this.report.ticket = (this.report.ended?.index ?? 0) + 1;
    else this.say("ticket", -1);
  }
}

/** A personal part that is what it was; null if even so it is no JSON. */
function opened(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Where the lines of others must reach to: the log's end, the session's end, or nowhere. */
function until(first: number, end: number, size: number): number {
  if (size - first <= maxSpan) return size;
  return end > 0 && end - first <= maxSpan ? end : first;
}

// Signed notes and verifier keys of C2SP (signed-note, tlog-checkpoint).
import { bytes, concat, same, sha256, signedBy, utf8, type Bytes } from "./bytes";

export interface Key {
  name: string; // of the log
  id: Bytes; // 4 bytes
  key: Bytes; // Ed25519, 32 bytes
}

/** Reads a verifier key, name+id+key; null: it is none. */
export async function readKey(text: string): Promise<Key | null> {
  const m = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text);
  const raw = bytes(m?.[3] ?? "");
  const name = m?.[1];
  if (name === undefined || raw?.length !== 33 || raw[0] !== 1) return null;
  const id = (await sha256(utf8(`${name}\n`), raw)).slice(0, 4);
  if (hex(id) !== m?.[2]) return null;
  return { name, id, key: raw.slice(1) };
}

function hex(b: Uint8Array): string {
  return [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
}

/** The text of a note that this key signed, if it has no other signature and no other form; null: it did not. */
export async function openNote(note: string, key: Key, check = signedBy): Promise<string | null> {
  const mark = `\n\u2014 ${key.name} `;
  const at = note.lastIndexOf(mark);
  if (at < 1 || note[at - 1] !== "\n" || !note.endsWith("\n")) return null;
  const text = note.slice(0, at);
  const raw = bytes(note.slice(at + mark.length, -1));
  if (raw?.length !== 68 || !same(raw.slice(0, 4), key.id)) return null;
  return (await check(key.key, utf8(text), raw.slice(4))) ? text : null;
}

/** The tree of a checkpoint's text; null: it is none of this log. */
export function readCheckpoint(text: string, origin: string): { size: number; root: Bytes } | null {
  const m = /^([^\n]+)\n(0|[1-9][0-9]{0,14})\n([^\n]+)\n$/.exec(text);
  const root = bytes(m?.[3] ?? "");
  if (m?.[1] !== origin || root?.length !== 32) return null;
  return { size: Number(m[2]), root };
}

/** What the old key of a log signs for a new one. */
export function rotationText(origin: string, size: number, root: string, next: string): Bytes {
  return utf8(`mainforte key rotation v1\n${origin}\n${size}\n${root}\n${next}\n`);
}

/** What a host signs at the end of a session, PROTOCOL.md §1.7. */
export function closeMessage(session: string, reason: number, events: number, ms: number): Bytes {
  const id = utf8(session);
  const rest = new DataView(new ArrayBuffer(20));
  rest.setUint32(0, reason);
  rest.setBigUint64(4, BigInt(events));
  rest.setBigUint64(12, BigInt(ms));
  return concat(utf8("mf/1 close"), leb128(id.length), id, new Uint8Array(rest.buffer));
}

function leb128(n: number): Bytes {
  const out: number[] = [];
  for (; n >= 0x80; n >>>= 7) out.push((n & 0x7f) | 0x80);
  return new Uint8Array([...out, n]);
}

/** What an auditor pastes: a verifier key (of several the last), else roots as they stand in ticket notes. */
export async function readTrust(pasted: string): Promise<Trust> {
  let key = "";
  for (const word of pasted.split(/\s+/)) if ((await readKey(word)) !== null) key = word;
  if (key !== "") return { key, roots: [] };
  const words = pasted.split(/[^A-Za-z0-9+/=:]+/);
  return { key, roots: words.filter((w) => w.length === 44 && bytes(w)?.length === 32) };
}

/** What somebody brings who does not take the proof's word for it. */
export interface Trust {
  key: string; // a verifier key of the log, of now or of before a rotation; "": none
  roots: string[]; // from ticket notes
}

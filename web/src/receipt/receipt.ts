// A person's receipt, as package signaling/audit/receipt describes it.
import { base64, NoEd25519, sha256, signedBy, utf8 } from "../audit/proof/bytes";
import { NoProof, readProof, type Proof } from "../audit/proof/form";
import { openNote, readKey, type Trust } from "../audit/proof/note";
import { verify, type Report } from "../audit/proof/verify";

export const maxReceipt = 8 << 20; // bytes

export interface Receipt {
  statement: string;
  proof: Proof;
}

/** What the server says beside what the lines prove. */
export interface Statement {
  server: string; // the name that the host dialled
  organisation: string;
  names: ReadonlyMap<string, string>; // by the id that stands in the lines
}

/** Reads a receipt, or throws NoProof. */
export function readReceipt(text: string): Receipt {
  let v: unknown;
  try {
    v = JSON.parse(text);
  } catch {
    throw new NoProof("not JSON");
  }
  if (typeof v !== "object" || v === null) throw new NoProof("not an object");
  const { format, statement, proof, ...rest } = v as Record<string, unknown>;
  if (format !== "mainforte receipt v1" || typeof statement !== "string" || Object.keys(rest).length > 0)
    throw new NoProof("format");
  return { statement, proof: readProof(proof) };
}

/** Holds the lines to the root and to the statement, and both to the key. */
export async function verifyReceipt(
  r: Receipt,
  trust: Trust,
): Promise<{ report: Report; statement: Statement | null }> {
  const report = await verify(r.proof, false, trust);
  if (report.origin === "") return { report, statement: null };
  const statement = await open(r, report.origin);
  if (statement === null) report.problems.push({ code: "statement", index: -1, values: {} });
  else if (report.problems.length === 0 && report.ended === null)
    report.problems.push({ code: "no_end", index: -1, values: {} });
  return { report, statement };
}

/** The statement, if the log's key signed it for these lines. */
async function open({ statement, proof }: Receipt, origin: string): Promise<Statement | null> {
  const key = await readKey(proof.keys.at(-1) ?? "");
  if (key === null) return null;
  // Whether this browser has Ed25519 the report says already.
  const text = await openNote(statement, key, async (k, m, s) => {
    try {
      return await signedBy(k, m, s);
    } catch (e) {
      if (e instanceof NoEd25519) return true;
      throw e;
    }
  });
  const all = proof.lines.map((l) => `${l.leaf}\n`).join("");
  const head = `mainforte receipt v1\n${origin}\nsession ${proof.session}\n`;
  const end = `lines ${proof.lines.length} ${base64(await sha256(utf8(all)))}\n`;
  if (text === null || !text.startsWith(head) || !text.endsWith(end)) return null;
  const rows = text.slice(head.length, -end.length).split("\n");
  if (rows.pop() !== "" || rows.length < 2 || rows.length > 102) return null;
  const [server, organisation] = [after(rows[0], "server "), after(rows[1], "organisation ")];
  if (server === null || organisation === null) return null;
  const names = new Map<string, string>();
  for (const row of rows.slice(2)) {
    const m = /^technician (\S+) (.*)$/u.exec(row);
    if (m?.[1] === undefined || m[2] === undefined) return null;
    names.set(m[1], m[2]);
  }
  return { server, organisation, names };
}

function after(row: string | undefined, word: string): string | null {
  return row?.startsWith(word) === true ? row.slice(word.length) : null;
}

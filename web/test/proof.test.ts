// The proof of a session in the browser, with the vectors that the server's tests read, too.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { bytes } from "../src/audit/proof/bytes";
import { NoProof, readProof } from "../src/audit/proof/form";
import { readKey, readTrust } from "../src/audit/proof/note";
import { reasons } from "../src/audit/proof/reasons";
import { verdict, verify } from "../src/audit/proof/verify";

const root = join(import.meta.dirname, "../..");

type JSONValue = string | number | boolean | null | JSONValue[] | { [k: string]: JSONValue };
interface Change {
  path: (string | number)[];
  value: JSONValue;
}
interface Case {
  name: string;
  proof: string;
  set: Change[] | null;
  partial: boolean;
  trust: string;
  verdict: string;
  code: string;
  index: number;
}
const vectors = JSON.parse(
  readFileSync(join(root, "signaling/audit/proof/testdata/vectors.json"), "utf8"),
) as { proofs: Record<string, JSONValue>; keys: Record<string, string>; cases: Case[] };

const named = (name: string): JSONValue => structuredClone(vectors.proofs[name] ?? null);
const key = (name: string): string => vectors.keys[name] ?? "";

afterEach(() => {
  vi.restoreAllMocks();
});

function apply(doc: JSONValue, { path, value }: Change): void {
  const last = path.at(-1) ?? "";
  let at = doc as Record<string | number, JSONValue>;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, JSONValue>;
  if (value === null) Reflect.deleteProperty(at, last);
  else at[last] = value;
}

describe("vectors", () => {
  test("are all there", () => {
    expect(vectors.cases.length).toBeGreaterThan(20);
  });

  test.each(vectors.cases.map((c) => [c.name, c] as const))("%s", async (_, c) => {
    const doc = named(c.proof);
    for (const s of c.set ?? []) apply(doc, s);
    const r = await verify(readProof(doc), !c.partial, await readTrust(c.trust));
    expect([verdict(r), r.problems[0]?.code ?? "", r.problems[0]?.index ?? -1]).toEqual([
      c.verdict,
      c.code,
      c.index,
    ]);
  });
});

test("what a proof shows is told", async () => {
  const r = await verify(readProof(named("plain")), true, await readTrust(`the key:\n${key("first")}\n`));
  expect(r).toMatchObject({ complete: true, counted: 3, missing: 0, checked: 1, withheld: 0, signer: true });
  expect(r.endRoot).toBe(key("root"));
  expect(r.lines[1]?.personal).toEqual({ technician: "Zoë Ölçü", viewer_address: "192.0.2.7" });
  const purged = await verify(readProof(named("purged")), true, await readTrust(""));
  expect(purged).toMatchObject({ policy: "ours", purged: 1, rotations: 1 });
  expect(await verify(readProof(named("gap")), true, await readTrust(""))).toMatchObject({ missing: 1 });
});

/** Calls f with the document in which one thing is changed: characters, members, elements, their order. */
async function tampered(doc: JSONValue, f: (what: string) => Promise<void>): Promise<number> {
  let n = 0;
  const attempt = async (what: string): Promise<void> => {
    n++;
    await f(what);
  };
  const walk = async (at: string, v: JSONValue, set: (v: JSONValue) => void): Promise<void> => {
    if (typeof v === "string") {
      const step = 1 + Math.floor(v.length / 12); // of a long text some, each time others
      for (let i = n % step; i < v.length; i += step) {
        const c = v.charCodeAt(i);
        if (c >= 0x80 || (c ^ 1) < 0x20) continue;
        set(v.slice(0, i) + String.fromCharCode(c ^ 1) + v.slice(i + 1));
        await attempt(`${at} at ${i}`);
      }
      set(`${v} `);
      await attempt(`${at} longer`);
      set(v);
    } else if (Array.isArray(v)) {
      for (let i = 0; i < v.length; i++) {
        set(v.toSpliced(i, 1));
        await attempt(`${at} without ${i}`);
        set(v.toSpliced(i, 0, v[i] ?? null));
        await attempt(`${at} with ${i} twice`);
        if (i + 1 < v.length) {
          set(v.toSpliced(i, 2, v[i + 1] ?? null, v[i] ?? null));
          await attempt(`${at} with ${i} after the next`);
        }
      }
      set(v);
      for (const [i, x] of v.entries()) await walk(`${at}/${i}`, x, (y) => (v[i] = y));
    } else if (typeof v === "object" && v !== null) {
      for (const [k, x] of Object.entries(v)) {
        Reflect.deleteProperty(v, k);
        await attempt(`${at} without ${k}`);
        v[k] = x;
        await walk(`${at}/${k}`, x, (y) => (v[k] = y));
      }
      v["more"] = "x";
      await attempt(`${at} with more`);
      Reflect.deleteProperty(v, "more");
    }
  };
  await walk("", doc, () => undefined);
  return n;
}

test("any tampering is named", { timeout: 60_000 }, async () => {
  const doc = named("rotated");
  const trust = await readTrust(key("first"));
  const check = async (what: string): Promise<void> => {
    let p;
    try {
      p = readProof(doc);
    } catch (e) {
      expect(e).toBeInstanceOf(NoProof);
      return; // refused whole
    }
    expect(verdict(await verify(p, true, trust)), what).toBe("broken");
  };
  expect(verdict(await verify(readProof(doc), true, trust))).toBe("proven");
  expect(await tampered(doc, check)).toBeGreaterThan(800);
});

test("every part of another log's proof is named", async () => {
  for (const part of ["checkpoint", "keys", "lines", "between", "nodes"]) {
    const doc = named("plain") as Record<string, JSONValue>;
    doc[part] = (named("gap") as Record<string, JSONValue>)[part] ?? null;
    expect(verdict(await verify(readProof(doc), true, await readTrust(""))), part).toBe("broken");
  }
});

test("without Ed25519 nothing is called proven, and the rest is still looked at", async () => {
  const real = crypto.subtle.importKey.bind(crypto.subtle) as (...a: unknown[]) => Promise<CryptoKey>;
  vi.spyOn(crypto.subtle, "importKey").mockImplementation((...args: unknown[]) =>
    args[2] === "Ed25519"
      ? Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"))
      : real(...args),
  );
  const trust = await readTrust(key("first"));
  const r = await verify(readProof(named("plain")), true, trust);
  expect(verdict(r)).toBe("unsigned");
  expect(r.complete).toBe(true);
  const doc = named("plain");
  apply(doc, { path: ["lines", 4, "leaf"], value: "{}" });
  expect(verdict(await verify(readProof(doc), true, trust))).toBe("broken");
});

describe("what is pasted", () => {
  test("is a key, of several the last", async () => {
    const pasted = `mainforte/log-1:\n  ${key("first")}\n\t${key("second")} `;
    expect(await readTrust(pasted)).toEqual({ key: key("second"), roots: [] });
  });
  test("or the roots in a note", async () => {
    expect(await readTrust(`Racine signée du registre : ${key("root")}, ligne 14.`)).toEqual({
      key: "",
      roots: [key("root")],
    });
  });
  test.each(["", "nothing", "a+b+c", `x${key("root")}`])("or nothing: %j", async (text) => {
    expect(await readTrust(text)).toEqual({ key: "", roots: [] });
  });
  test("a key with another name is none", async () => {
    expect(await readKey(key("first"))).not.toBeNull();
    expect(await readKey(`x${key("first")}`)).toBeNull();
  });
});

test("base64 has one form", () => {
  expect(bytes("AAE=")).toEqual(new Uint8Array([0, 1]));
  for (const s of ["AAF=", "AAE", " AAE=", "AAE=\n", "A"]) expect(bytes(s)).toBeNull();
});

test("the numbers of the reasons are those of the wire", () => {
  const wire = readFileSync(join(root, "internal/wire/signaling.proto"), "utf8");
  const want = Object.fromEntries(
    [...wire.matchAll(/^\s*REASON_([A-Z_]+) = (\d+);/gm)].map((m) => [m[1], Number(m[2])]),
  ) as Record<string, number>;
  delete want["UNSPECIFIED"];
  expect(reasons).toEqual(want);
  expect(Object.keys(want).length).toBeGreaterThan(25);
});

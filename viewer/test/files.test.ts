// Files both ways, against a host of this test's own.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { safeName, twin } from "../src/files/names";
import { Receiving } from "../src/files/receiving";
import { Sending } from "../src/files/sending";
import type { Shelf } from "../src/files/shelf";
import { FileMessageSchema, FileReason, type FileMessage } from "../src/gen/files_pb";
import { GrantState } from "../src/gen/session_pb";
import type { Outlet } from "../src/tool";
import { WireError } from "../src/wire/codec";

/** An end of the channel that hears everything; `cut` loses what comes after. */
class Wire implements Outlet {
  waiting = 0;
  said: FileMessage[] = [];
  heard: (m: FileMessage) => void = () => undefined;
  send(message: Uint8Array<ArrayBuffer>): boolean {
    const m = fromBinary(FileMessageSchema, message);
    this.said.push(m);
    this.heard(m);
    return true;
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve));
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i++) await turn();
  expect(holds()).toBe(true);
}

function random(n: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(n);
  for (let at = 0; at < n; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

describe("sending", () => {
  /** A host that takes everything, loses the connection where it is told to, and goes on. */
  async function through(content: Uint8Array<ArrayBuffer>, cuts: number[]): Promise<Uint8Array> {
    const sending = new Sending(
      () => undefined,
      () => undefined,
    );
    const got: number[] = [];
    let whole: Uint8Array | undefined;
    let lost = false;
    const connect = () => {
      const wire = new Wire();
      lost = false;
      wire.heard = (m) => {
        if (lost) return;
        const { body } = m;
        const at = { id: 1n, file: 0, offset: BigInt(got.length) };
        const host = (value: () => void) => queueMicrotask(() => !lost && value());
        if (body.case === "offer" || body.case === "resume")
          host(() => sending.answer({ ...at, refused: FileReason.UNSPECIFIED } as never));
        else if (body.case === "chunk") {
          expect(body.value.offset).toBe(BigInt(got.length));
          for (const byte of body.value.content) got.push(byte);
          if (cuts[0] !== undefined && got.length >= cuts[0]) {
            cuts.shift();
            lost = true;
            queueMicrotask(() => {
              sending.disconnected();
              connect();
            });
            return;
          }
          const told = BigInt(got.length);
          host(() => sending.progress({ ...at, offset: told } as never));
        } else if (body.case === "done") {
          whole = body.value.sha256;
          const sum = sha256(Uint8Array.from(got));
          host(() => sending.done({ id: 1n, file: 0, sha256: sum } as never));
        }
      };
      sending.connected(wire);
    };
    connect();
    sending.granted(GrantState.ALLOWED);
    sending.add([{ path: ["a"], file: new File([content], "a") }]);
    await until(() => sending.items[0]?.state === "done");
    expect(whole).toEqual(sha256(content));
    return Uint8Array.from(got);
  }

  test("random cuts resume, and the hash is equal", async () => {
    for (let round = 0; round < 3; round++) {
      const content = random(100_000 + Math.floor(Math.random() * 100_000));
      const cuts = Array.from({ length: 3 }, () => Math.floor(Math.random() * content.length)).sort(
        (a, b) => a - b,
      );
      expect(sha256(await through(content, cuts))).toEqual(sha256(content));
    }
  });

  test("nothing is offered before the person's yes, and a no ends what waits", async () => {
    let asked = 0;
    const sending = new Sending(
      () => undefined,
      () => asked++,
    );
    const wire = new Wire();
    sending.connected(wire);
    sending.add([{ path: ["a"], file: new File(["x"], "a") }]);
    await turn();
    expect(wire.said).toEqual([]);
    expect(asked).toBe(1);
    expect(sending.items[0]?.state).toBe("asking");
    sending.granted(GrantState.ASKED);
    sending.granted(GrantState.DENIED);
    expect(sending.items[0]).toMatchObject({ state: "failed", why: FileReason.NOT_ALLOWED });
    expect(wire.said).toEqual([]);
  });

  test("a cancel that was lost with a connection is said again, and several files go on after two cuts", async () => {
    const sending = new Sending(
      () => undefined,
      () => undefined,
    );
    const file = (name: string, n: number) => ({ path: [name], file: new File([random(n)], name) });
    sending.granted(GrantState.ALLOWED);
    const first = new Wire();
    sending.connected(first);
    sending.add([file("a", 10), file("b", 40_000)]);
    const answer = (file: number, offset: number) =>
      sending.answer({ id: 1n, file, offset: BigInt(offset), refused: FileReason.UNSPECIFIED } as never);
    answer(0, 0);
    await until(() => first.said.some(({ body }) => body.case === "chunk" && body.value.file === 1));
    for (let cut = 0; cut < 2; cut++) {
      sending.disconnected();
      sending.connected(new Wire());
      answer(1, 0); // it has the first file, and nothing of the second
      await turn();
    }
    sending.disconnected();
    sending.cancel(sending.items[0] as never);
    const last = new Wire();
    sending.connected(last);
    expect(last.said.map(({ body }) => body.case)).toEqual(["cancel"]);
  });

  test("a host cannot be further than what was sent", () => {
    const sending = new Sending(
      () => undefined,
      () => undefined,
    );
    sending.connected(new Wire());
    sending.granted(GrantState.ALLOWED);
    sending.add([{ path: ["a"], file: new File(["x"], "a") }]);
    const ahead = { id: 1n, file: 0, offset: 1n, refused: FileReason.UNSPECIFIED } as never;
    expect(() => sending.answer(ahead)).toThrow(WireError);
    expect(() => sending.progress(ahead)).toThrow(WireError);
    expect(() => sending.done({ id: 1n, file: 0, sha256: new Uint8Array(32) } as never)).toThrow(WireError);
  });
});

describe("receiving", () => {
  function receiver() {
    const saved = new Map<string, number[]>();
    const shelf: Shelf = {
      open: (path) => {
        const bytes: number[] = [];
        return Promise.resolve({
          write: (part) => {
            for (const byte of part) bytes.push(byte);
            return Promise.resolve();
          },
          close: () => {
            saved.set(path.join("/"), bytes);
            return Promise.resolve(null);
          },
          abort: () => Promise.resolve(),
        });
      },
    };
    const receiving = new Receiving(
      () => undefined,
      () => Promise.resolve(shelf),
    );
    const wire = new Wire();
    receiving.connected(wire);
    return { receiving, wire, saved };
  }
  const offer = (id: bigint, files: { path: string[]; size: bigint }[], more = false) =>
    ({ id, files, more }) as never;

  test("a file arrives in its own words, over a lost connection", async () => {
    const { receiving, wire, saved } = receiver();
    const content = random(600_000);
    receiving.offer(
      offer(2n, [
        { path: ["d", "a"], size: 600_000n },
        { path: ["d", "b"], size: 0n },
      ]),
    );
    const [item] = receiving.items;
    expect(item?.state).toBe("offered");
    expect(wire.said).toEqual([]);
    if (item) await receiving.accept(item);
    let last = wire;
    for (let at = 0; at < content.length;) {
      if (at > 300_000 && last === wire) {
        receiving.disconnected();
        last = new Wire();
        receiving.connected(last);
        receiving.resume(2n);
        const body = last.said.at(-1)?.body;
        expect(body?.case).toBe("answer");
        if (body?.case === "answer") at = Number(body.value.offset);
      }
      const part = content.subarray(at, at + 16384);
      receiving.chunk({ id: 2n, file: 0, offset: BigInt(at), content: part } as never);
      at += part.length;
    }
    receiving.done({ id: 2n, file: 0, sha256: sha256(content) } as never);
    receiving.done({ id: 2n, file: 1, sha256: sha256(new Uint8Array()) } as never);
    await until(() => item?.state === "done");
    expect(sha256(Uint8Array.from(saved.get("d/a") ?? []))).toEqual(sha256(content));
    expect(saved.get("d/b")).toEqual([]);
    // What it says never goes back, or the host would take it for a fault.
    let told = 0;
    for (const { body } of last.said)
      if (body.case === "progress") {
        expect(Number(body.value.offset)).toBeGreaterThan(told);
        told = Number(body.value.offset);
      }
  });

  test("another hash is no file", async () => {
    const { receiving, wire, saved } = receiver();
    receiving.offer(offer(2n, [{ path: ["a"], size: 1n }]));
    const [item] = receiving.items;
    if (item) await receiving.accept(item);
    receiving.chunk({ id: 2n, file: 0, offset: 0n, content: new Uint8Array([1]) } as never);
    receiving.done({ id: 2n, file: 0, sha256: new Uint8Array(32) } as never);
    await turn();
    expect(item).toMatchObject({ state: "failed", why: FileReason.HASH });
    expect(wire.said.at(-1)?.body.case).toBe("cancel");
    expect(saved.size).toBe(0);
  });

  test("what is hostile ends the session, and what nobody accepted is not kept", async () => {
    const { receiving, saved } = receiver();
    expect(() => receiving.offer(offer(1n, [{ path: ["a"], size: 1n }]))).toThrow(WireError);
    expect(() => receiving.offer(offer(2n, []))).toThrow(WireError);
    const { receiving: other } = receiver();
    const deep = Array.from({ length: 30 }, () => "d");
    for (const files of [
      [{ path: deep, size: 1n }],
      [{ path: [], size: 1n }],
      [{ path: ["a".repeat(2000)], size: 1n }],
      [{ path: ["a"], size: 1n << 60n }],
      Array.from({ length: 2001 }, () => ({ path: ["a"], size: 0n })),
    ])
      expect(() => receiver().receiving.offer(offer(2n, files))).toThrow(WireError);
    other.offer(offer(2n, [{ path: ["a"], size: 2n }]));
    other.chunk({ id: 2n, file: 0, offset: 0n, content: new Uint8Array(1) } as never);
    await turn();
    expect(other.items[0]?.done).toBe(0);
    const [item] = other.items;
    if (item) await other.accept(item);
    for (const chunk of [
      { file: 0, offset: 1n, content: new Uint8Array(1) },
      { file: 1, offset: 0n, content: new Uint8Array(1) },
      { file: 0, offset: 0n, content: new Uint8Array(3) },
      { file: 0, offset: 0n, content: new Uint8Array(0) },
    ])
      expect(() => other.chunk({ id: 2n, ...chunk } as never)).toThrow(WireError);
    expect(saved.size).toBe(0);
  });
});

describe("names", () => {
  test.each([
    ["../../etc/passwd", "_.._etc_passwd"],
    ["con.txt", "_con.txt"],
    ["invoice\u202efdp.exe", "invoicefdp.exe"],
    [" .profile. ", "profile"],
    ["", "file"],
    ["Été (1).pdf", "Été (1).pdf"],
  ])("%j is saved as %j", (from, to) => {
    expect(safeName(from)).toBe(to);
    expect(safeName(to)).toBe(to);
  });

  test("a long name keeps its ending", () => {
    const name = safeName(`${"é".repeat(300)}.jpeg`);
    expect(new TextEncoder().encode(name).length).toBeLessThanOrEqual(201);
    expect(name.endsWith(".jpeg")).toBe(true);
  });

  test("a twin keeps its ending too", () => {
    expect([twin("a.txt", 1), twin("a.txt", 2), twin("b", 3)]).toEqual(["a.txt", "a (2).txt", "b (3)"]);
  });
});

test("messages are their bytes", () => {
  const m = create(FileMessageSchema, { body: { case: "cancel", value: { id: 7n } } });
  expect(fromBinary(FileMessageSchema, toBinary(FileMessageSchema, m)).body.case).toBe("cancel");
});

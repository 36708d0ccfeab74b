// The browser's half of the pairing: the draft's vectors, the transcripts that
// the Go half wrote, and every way in which somebody in the middle may lie.

import { readFileSync } from "node:fs";

import { create } from "@bufbuild/protobuf";
import { hmac } from "@noble/hashes/hmac.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";

import { Reason, SealedSchema, type Sealed } from "../src/gen/signaling_pb";
import { generator, Run, scalar, ViewerPake } from "../src/pake/cpace";
import {
  attachKeys,
  certificateHash,
  Keys,
  newNonce,
  parseFingerprint,
  Role,
  type Link,
} from "../src/pake/link";
import { concat, hostAD, lv, utf8, viewerAD } from "../src/wire/codec";
import { reasonOf } from "../src/wire/errors";
import { maxSealed } from "../src/wire/limits";

interface SealedOne {
  counter: number;
  body: string;
  box: string;
}

interface Transcript {
  secret: string;
  server: string;
  nameplate: string;
  viewerRandom: string;
  hostRandom: string;
  signingKey: string;
  sid: string;
  viewerShare: string;
  viewerAD: string;
  hostShare: string;
  hostAD: string;
  hostTag: string;
  viewerTag: string;
  isk: string;
  attaches: {
    epoch: number;
    viewerNonce: string;
    hostNonce: string;
    okm: string;
    toHost: SealedOne[];
    toViewer: SealedOne[];
    viewerCert: string;
    hostCert: string;
    viewerProof: string;
    hostProof: string;
  }[];
}

const testdata = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../internal/pake/testdata/${name}`, import.meta.url), "utf8"));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "hex"));

const draft = testdata("draft21.json") as Record<string, Record<string, string>>;
const transcripts = testdata("pairings.json") as Transcript[];
const [first] = transcripts;
if (first === undefined) throw new Error("testdata/pairings.json is empty");

/** A source that gives the bytes of a transcript. */
function replay(bytes: Uint8Array): (n: number) => Uint8Array {
  let at = 0;
  return (n) => bytes.subarray(at, (at += n));
}

const server = "help.example.com";
const key = new Uint8Array(32).fill(7);

/** A host as Go plays it, with every part exchangeable. */
function answer(
  viewer: ViewerPake,
  change: { secret?: string; server?: string; nameplate?: string; ad?: Uint8Array } = {},
) {
  const ci = utf8(`mf/1|viewer|host|${change.server ?? server}|${change.nameplate ?? "482"}`);
  const ad = change.ad ?? hostAD(key);
  const random = crypto.getRandomValues(new Uint8Array(64));
  const run = new Run(scalar(random), utf8(change.secret ?? "913706"), ci, viewer.sid, ad);
  const { isk, ours, theirs } = run.agree(false, viewer.share, viewer.ad);
  return { share: run.share, ad, tag: ours, isk, expected: theirs };
}

function reason(call: () => unknown): Reason {
  try {
    call();
  } catch (error) {
    return reasonOf(error);
  }
  return Reason.UNSPECIFIED;
}

async function rejection(promise: Promise<unknown>): Promise<Reason> {
  try {
    await promise;
  } catch (error) {
    return reasonOf(error);
  }
  return Reason.UNSPECIFIED;
}

describe("CPace of draft-irtf-cfrg-cpace-21", () => {
  const v = draft["G_Coffee25519"] ?? {};
  const get = (name: string): Uint8Array<ArrayBuffer> => unhex(v[name] ?? "");

  it("reproduces the draft's vectors", () => {
    const [prs, ci, sid] = [get("PRS"), get("CI"), get("sid")];
    expect(hex(generator(prs, ci, sid).toBytes())).toBe(hex(get("g")));
    const a = new Run(scalar(get("ya")), prs, ci, sid, get("ADa"));
    const b = new Run(scalar(get("yb")), prs, ci, sid, get("ADb"));
    expect(hex(a.share)).toBe(hex(get("Ya")));
    expect(hex(b.share)).toBe(hex(get("Yb")));
    const [sa, sb] = [a.agree(true, b.share, b.ad), b.agree(false, a.share, a.ad)];
    expect(hex(sa.isk)).toBe(hex(get("ISK_IR")));
    expect(hex(sb.isk)).toBe(hex(get("ISK_IR")));
    expect(sa.ours).toEqual(sb.theirs);
    expect(sb.ours).toEqual(sa.theirs);
    expect(sa.ours).not.toEqual(sb.ours);
  });

  it("C18: refuses what is no element, and the neutral one", () => {
    const points = draft["G_Coffee25519_points"] ?? {};
    const bad = [
      points["Invalid Y1"],
      points["Invalid Y2"],
      "",
      "01",
      "ff".repeat(32),
      "00".repeat(32),
      "00".repeat(33),
    ];
    for (const share of bad) {
      expect(share).toBeDefined();
      const run = new Run(3n, utf8("913706"), utf8(""), utf8(""), utf8(""));
      expect(
        reason(() => run.agree(true, unhex(share ?? ""), utf8(""))),
        share,
      ).toBe(Reason.PROTOCOL);
    }
  });
});

describe.each(transcripts)("a pairing at $server", (x) => {
  it("gives the bytes that Go gives", () => {
    const viewer = ViewerPake.start(x.secret, x.server, x.nameplate, replay(unhex(x.viewerRandom)));
    expect(hex(viewer.sid)).toBe(x.sid);
    expect(hex(viewer.share)).toBe(x.viewerShare);
    expect(hex(viewer.ad)).toBe(x.viewerAD);
    const { keys, tag } = viewer.finish(unhex(x.hostShare), unhex(x.hostAD), unhex(x.hostTag));
    expect(hex(tag)).toBe(x.viewerTag);
    expect(hex(keys.hostKey)).toBe(x.signingKey);
  });

  it("seals, opens and proves what Go does", async () => {
    const ends = [
      { role: Role.viewer, keys: new Keys(unhex(x.isk), unhex(x.signingKey)) },
      { role: Role.host, keys: new Keys(unhex(x.isk), unhex(x.signingKey), Role.host) },
    ];
    for (const { role, keys } of ends) {
      for (const a of x.attaches) {
        expect(hex(await attachKeys(unhex(x.isk), a.epoch, unhex(a.viewerNonce), unhex(a.hostNonce)))).toBe(
          a.okm,
        );
        const link = await keys.attach(a.epoch, unhex(a.viewerNonce), unhex(a.hostNonce));
        const [out, into] = role === Role.viewer ? [a.toHost, a.toViewer] : [a.toViewer, a.toHost];
        for (const s of out) {
          const sealed = await link.seal(unhex(s.body));
          expect([sealed.epoch, Number(sealed.counter), hex(sealed.box)]).toEqual([
            a.epoch,
            s.counter,
            s.box,
          ]);
        }
        for (const s of into) {
          const sealed = create(SealedSchema, {
            epoch: a.epoch,
            counter: BigInt(s.counter),
            box: unhex(s.box),
          });
          expect(hex(await link.open(sealed))).toBe(s.body);
        }
        const [viewerCert, hostCert] = [
          await certificateHash(unhex(a.viewerCert)),
          await certificateHash(unhex(a.hostCert)),
        ];
        expect(hex(await link.proof(Role.viewer, viewerCert, hostCert))).toBe(a.viewerProof);
        expect(hex(await link.proof(Role.host, viewerCert, hostCert))).toBe(a.hostProof);
        await link.checkProof(Role.host, unhex(a.hostProof), viewerCert, hostCert);
      }
    }
  });
});

describe("a pairing with somebody in the middle", () => {
  it("pairs when nobody is", () => {
    const viewer = ViewerPake.start("913706", server, "482");
    const host = answer(viewer);
    const { tag, keys } = viewer.finish(host.share, host.ad, host.tag);
    expect(tag).toEqual(host.expected);
    expect(keys.hostKey).toEqual(key);
  });

  it("draws new random each time", () => {
    const [a, b] = [ViewerPake.start("913706", server, "482"), ViewerPake.start("913706", server, "482")];
    expect(a.sid).not.toEqual(b.sid);
    expect(a.share).not.toEqual(b.share);
    expect(newNonce()).not.toEqual(newNonce());
  });

  it.each([
    ["secret", { secret: "913707" }],
    ["server", { server: "evil.example.com" }],
    ["nameplate", { nameplate: "483" }],
  ])("C21: another %s is a wrong code", (_, change) => {
    const viewer = ViewerPake.start("913706", server, "482");
    const host = answer(viewer, change);
    expect(reason(() => viewer.finish(host.share, host.ad, host.tag))).toBe(Reason.WRONG_CODE);
  });

  it("C21: no tag, half a tag, a changed tag", () => {
    for (const change of [
      () => new Uint8Array(0),
      (t: Uint8Array) => t.subarray(0, 32),
      (t: Uint8Array) => t.map((b, i) => (i === 63 ? b ^ 1 : b)),
    ]) {
      const viewer = ViewerPake.start("913706", server, "482");
      const host = answer(viewer);
      expect(reason(() => viewer.finish(host.share, host.ad, change(host.tag)))).toBe(Reason.WRONG_CODE);
    }
  });

  it("C21: another signing key of the host", () => {
    const viewer = ViewerPake.start("913706", server, "482");
    const host = answer(viewer);
    expect(reason(() => viewer.finish(host.share, hostAD(new Uint8Array(32)), host.tag))).toBe(
      Reason.WRONG_CODE,
    );
  });

  it("C17: its own share, echoed", () => {
    const viewer = ViewerPake.start("913706", server, "482");
    // With the host's role, so that only the share is wrong.
    expect(reason(() => viewer.finish(viewer.share, hostAD(key), new Uint8Array(64)))).toBe(Reason.PROTOCOL);
  });

  it("C18: the neutral element, with the tag that everybody can make for it", () => {
    const viewer = ViewerPake.start("913706", server, "482");
    const neutral = new Uint8Array(32);
    const mine = lv(viewer.share, viewer.ad);
    const theirs = lv(neutral, hostAD(key));
    const isk = sha512(concat(lv(utf8("CPaceRistretto255_ISK"), viewer.sid, neutral), mine, theirs));
    const tag = hmac(sha512, sha512(concat(utf8("CPaceMac"), viewer.sid, isk)), theirs);
    expect(reason(() => viewer.finish(neutral, hostAD(key), tag))).toBe(Reason.PROTOCOL);
  });

  it.each([
    ["none", new Uint8Array(0)],
    ["the viewer's", viewerAD()],
    ["the viewer's, with a key", lv(utf8("mf/1 viewer"), key)],
    ["a host without a key", lv(utf8("mf/1 host"))],
    ["a host with more than a key", lv(utf8("mf/1 host"), key, key)],
  ])("C20: a party of the right secret and another role: %s", (_, ad) => {
    const viewer = ViewerPake.start("913706", server, "482");
    const host = answer(viewer, { ad });
    expect(reason(() => viewer.finish(host.share, host.ad, host.tag))).toBe(Reason.PROTOCOL);
  });

  it("is one guess: a second finish fails", () => {
    for (const [ad, tag] of [
      [hostAD(key), new Uint8Array(64)],
      [viewerAD(), new Uint8Array(64)],
      [undefined, undefined],
    ]) {
      const viewer = ViewerPake.start("913706", server, "482");
      const host = answer(viewer);
      reason(() => viewer.finish(host.share, ad ?? host.ad, tag ?? host.tag));
      expect(reason(() => viewer.finish(host.share, host.ad, host.tag))).toBe(Reason.INTERNAL);
      expect(() => viewer.finish(host.share, host.ad, host.tag)).toThrowError("already");
    }
  });

  it.each([
    ["", server, "482"],
    ["91370", server, "482"],
    ["9137061", server, "482"],
    ["913706\n", server, "482"],
    ["९13706", server, "482"],
    ["913706", "", "482"],
    ["913706", "a|b", "482"],
    ["913706", server, "48"],
    ["913706", server, "482|"],
    ["913706", server, "1234567890"],
  ])("does not begin with %j, %j, %j", (secret, name, nameplate) => {
    expect(() => ViewerPake.start(secret, name, nameplate)).toThrowError("parameters");
  });
});

describe("a link", () => {
  const isk = crypto.getRandomValues(new Uint8Array(64));
  const body = utf8("offer");

  function ends(): { viewer: Keys; host: Keys } {
    return { viewer: new Keys(isk, key), host: new Keys(isk, key, Role.host) };
  }

  async function attach(
    keys: { viewer: Keys; host: Keys },
    epoch: number,
  ): Promise<{ viewer: Link; host: Link }> {
    const [nv, nh] = [newNonce(), newNonce()];
    return { viewer: await keys.viewer.attach(epoch, nv, nh), host: await keys.host.attach(epoch, nv, nh) };
  }

  /** The link refuses a message for a reason, and everything after it. */
  async function refusedForGood(link: Link, from: Link, sealed: Sealed, want: Reason): Promise<void> {
    expect(await rejection(link.open(sealed))).toBe(want);
    expect(await rejection(link.open(await from.seal(body)))).toBe(want);
  }

  it("carries bodies both ways, in the order of the calls", async () => {
    const { viewer, host } = await attach(ends(), 1);
    const bodies = [utf8("one"), new Uint8Array(0), new Uint8Array(maxSealed), utf8("four")];
    const sealed = await Promise.all(bodies.map((b) => viewer.seal(b)));
    expect(sealed.map((s) => s.counter)).toEqual([0n, 1n, 2n, 3n]);
    const order: number[] = [];
    const opened = await Promise.all(
      sealed.map(async (s, i) => {
        const b = await host.open(s);
        order.push(i);
        return b;
      }),
    );
    expect(opened.map(hex)).toEqual(bodies.map(hex));
    expect(order).toEqual([0, 1, 2, 3]);
    expect(hex(await viewer.open(await host.seal(body)))).toBe(hex(body));
  });

  it("C24: a changed box", async () => {
    const changes: ((s: Sealed) => void)[] = [
      (s) => (s.box[0] = (s.box[0] ?? 0) ^ 1),
      (s) => (s.box = s.box.subarray(0, -1)),
      (s) => (s.box = concat(s.box, Uint8Array.of(0))),
      (s) => (s.box = new Uint8Array(0)),
    ];
    for (const change of changes) {
      const { viewer, host } = await attach(ends(), 1);
      const sealed = await host.seal(body);
      change(sealed);
      await refusedForGood(viewer, host, sealed, Reason.TAMPERED);
    }
  });

  it("a box over the limit", async () => {
    const { viewer, host } = await attach(ends(), 1);
    const box = new Uint8Array(maxSealed + 17);
    await refusedForGood(viewer, host, create(SealedSchema, { epoch: 1, box }), Reason.TOO_LARGE);
  });

  it("C24: its own box, echoed", async () => {
    const { viewer, host } = await attach(ends(), 1);
    await refusedForGood(viewer, host, await viewer.seal(body), Reason.TAMPERED);
  });

  it("C23: a repeated, a missing, a renumbered body", async () => {
    let { viewer, host } = await attach(ends(), 1);
    const once = await host.seal(body);
    await viewer.open(once);
    await refusedForGood(viewer, host, once, Reason.TAMPERED);

    ({ viewer, host } = await attach(ends(), 1));
    await host.seal(body);
    await refusedForGood(viewer, host, await host.seal(body), Reason.TAMPERED);

    ({ viewer, host } = await attach(ends(), 1));
    const renumbered = await host.seal(body);
    renumbered.counter = 1n;
    await refusedForGood(viewer, host, renumbered, Reason.TAMPERED);
  });

  it("C23: what follows a refused body in the same breath", async () => {
    const { viewer, host } = await attach(ends(), 1);
    const [bad, good] = [await host.seal(body), await host.seal(body)];
    bad.box[0] = (bad.box[0] ?? 0) ^ 1;
    const both = [rejection(viewer.open(bad)), rejection(viewer.open(good))];
    expect(await Promise.all(both)).toEqual([Reason.TAMPERED, Reason.TAMPERED]);
  });

  it("C22: a body of another epoch", async () => {
    const keys = ends();
    const old = await attach(keys, 1);
    const oldBody = await old.host.seal(body);
    const now = await attach(keys, 2);
    await refusedForGood(now.viewer, now.host, oldBody, Reason.OLD_EPOCH);
    const next = await attach(keys, 3);
    const renamed = await next.host.seal(body);
    renamed.epoch = 2;
    await refusedForGood(next.viewer, next.host, renamed, Reason.OLD_EPOCH);
  });

  it("C22: an attach is exactly one epoch higher", async () => {
    const { viewer } = ends();
    const attempt = (epoch: number): Promise<Reason> =>
      rejection(viewer.attach(epoch, newNonce(), newNonce()));
    expect(await attempt(0)).toBe(Reason.OLD_EPOCH);
    expect(await attempt(2)).toBe(Reason.OLD_EPOCH);
    expect(await attempt(1)).toBe(Reason.UNSPECIFIED);
    expect(await attempt(1)).toBe(Reason.OLD_EPOCH);
    expect(await attempt(3)).toBe(Reason.OLD_EPOCH);
    expect(await attempt(2)).toBe(Reason.UNSPECIFIED);
  });

  it("another nonce gives other keys", async () => {
    const [nv, nh] = [newNonce(), newNonce()];
    for (const [a, b] of [
      [newNonce(), nh],
      [nv, newNonce()],
      [nh, nv],
    ] as const) {
      const keys = ends();
      const viewer = await keys.viewer.attach(1, nv, nh);
      const host = await keys.host.attach(1, a, b);
      await refusedForGood(viewer, host, await host.seal(body), Reason.TAMPERED);
    }
    expect(await rejection(ends().viewer.attach(1, nv.subarray(1), nh))).toBe(Reason.PROTOCOL);
    expect(await rejection(ends().viewer.attach(1, nv, new Uint8Array(17)))).toBe(Reason.PROTOCOL);
  });

  it("a return derives what the Go half derives, once", async () => {
    const x = testdata("returning.json") as Record<
      "isk" | "salt" | "viewerNonce" | "hostNonce" | "body" | "box",
      string
    > & { epoch: number };
    const viewer = new Keys(unhex(x.isk), new Uint8Array(32));
    for (let epoch = 1; epoch < x.epoch; epoch++) await viewer.attach(epoch, newNonce(), newNonce());
    const salt = unhex(x.salt);
    const [nv, nh] = [unhex(x.viewerNonce), unhex(x.hostNonce)];
    const returned = (epoch: number, s: Uint8Array): Promise<Reason> =>
      rejection(viewer.attachReturned(epoch, nv, nh, s));
    expect(await returned(x.epoch, salt.subarray(1))).toBe(Reason.PROTOCOL);
    expect(await returned(x.epoch + 1, salt)).toBe(Reason.OLD_EPOCH);
    const link = await viewer.attachReturned(x.epoch, nv, nh, salt);
    expect((await link.seal(unhex(x.body))).box).toEqual(unhex(x.box));
    expect(await returned(x.epoch, salt)).toBe(Reason.OLD_EPOCH);
    viewer.wipe();
    expect(await returned(x.epoch + 1, salt)).toBe(Reason.INTERNAL);
  });

  it("wiped keys attach no more", async () => {
    const { viewer } = ends();
    viewer.wipe();
    viewer.wipe();
    expect(await rejection(viewer.attach(1, newNonce(), newNonce()))).toBe(Reason.INTERNAL);
  });

  it("C25: a proof over other certificates, of another role, of another pairing", async () => {
    const { viewer, host } = await attach(ends(), 1);
    const [v, h, other] = [1, 2, 3].map((n) => new Uint8Array(32).fill(n)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const mac = await host.proof(Role.host, v, h);
    await viewer.checkProof(Role.host, mac, v, h);
    const stranger = await attach(ends(), 1);
    const own = await viewer.proof(Role.viewer, v, h);
    for (const [what, attempt] of [
      ["another certificate of the viewer", () => viewer.checkProof(Role.host, mac, other, h)],
      ["another certificate of the host", () => viewer.checkProof(Role.host, mac, v, other)],
      ["both swapped", () => viewer.checkProof(Role.host, mac, h, v)],
      ["its own proof echoed", () => viewer.checkProof(Role.host, own, v, h)],
      ["half of it", () => viewer.checkProof(Role.host, mac.subarray(0, 16), v, h)],
      ["none", () => viewer.checkProof(Role.host, new Uint8Array(0), v, h)],
      ["another attach", () => stranger.viewer.checkProof(Role.host, mac, v, h)],
    ] as const) {
      expect(await rejection(attempt()), what).toBe(Reason.CERTIFICATE_MISMATCH);
    }
  });

  it("reads a fingerprint, and nothing else", () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i * 8);
    const text = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(":");
    expect(parseFingerprint(text)).toEqual(bytes);
    expect(parseFingerprint(text.toUpperCase())).toEqual(bytes);
    for (const bad of [
      "",
      text.slice(3),
      `${text}:00`,
      text.replaceAll(":", ""),
      text.replace("08", "0g"),
      ` ${text}`,
    ]) {
      expect(parseFingerprint(bad), bad).toBeNull();
    }
  });
});

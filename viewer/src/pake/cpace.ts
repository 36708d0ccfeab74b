// CPace, CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21, and the viewer's
// side of a pairing: protocol.md §1.4. The Go half is internal/pake; both
// reproduce the draft's vectors and the transcripts in internal/pake/testdata.
//
// @noble/curves does not run in strictly constant time; every scalar here lives
// for one guess only.

import { ristretto255, ristretto255_hasher } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha512 } from "@noble/hashes/sha2.js";

import { Reason } from "../gen/signaling_pb";
import { concat, equal, lv, parseHostAD, utf8, viewerAD } from "../wire/codec";
import { WireError } from "../wire/errors";
import { protocol, sidSize } from "../wire/limits";
import { Keys } from "./link";

const { Point } = ristretto255;
type Point = InstanceType<typeof Point>;

const dsi = "CPaceRistretto255";
const hashBlockSize = 128;

const wrongCode = (): WireError =>
  new WireError(Reason.WRONG_CODE, "the secret is wrong, or somebody is in the middle");
const badPeer = (): WireError =>
  new WireError(Reason.PROTOCOL, "the other side does not follow the protocol");
const used = (): WireError => new WireError(Reason.INTERNAL, "this guess was already made");

/** The draft's calculate_generator. */
export function generator(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): Point {
  const pad = Math.max(0, hashBlockSize - 1 - lv(prs).length - lv(utf8(dsi)).length);
  const { deriveToCurve } = ristretto255_hasher;
  if (deriveToCurve === undefined) throw new Error("@noble/curves without RFC 9496 element derivation");
  return deriveToCurve(sha512(lv(utf8(dsi), prs, new Uint8Array(pad), ci, sid)));
}

/** A scalar from 64 uniform bytes, or the draft's little-endian encoding of one. */
export function scalar(bytes: Uint8Array): bigint {
  return bytes.reduceRight((n, b) => (n << 8n) | BigInt(b), 0n) % Point.Fn.ORDER;
}

/** What a run ends with: the key, and both sides' tags. */
export interface Secrets {
  readonly isk: Uint8Array;
  readonly ours: Uint8Array;
  readonly theirs: Uint8Array;
}

/** One side's half of CPace between its share and its keys: one guess. */
export class Run {
  readonly share: Uint8Array;
  #y: bigint | null;

  constructor(
    y: bigint,
    prs: Uint8Array,
    ci: Uint8Array,
    readonly sid: Uint8Array,
    readonly ad: Uint8Array,
  ) {
    this.#y = y;
    this.share = generator(prs, ci, sid).multiply(y).toBytes();
  }

  /** Consumes the run; the tag is the caller's to check. */
  agree(initiator: boolean, share: Uint8Array, ad: Uint8Array): Secrets {
    const y = this.#y;
    this.#y = null;
    if (y === null) throw used();
    // C17: our own share, echoed.
    if (equal(share, this.share)) throw badPeer();
    const k = decodeShare(share).multiply(y);
    // C18: the neutral element: a key that everybody knows.
    if (k.is0()) throw badPeer();
    const mine = lv(this.share, this.ad);
    const theirs = lv(share, ad);
    const transcript = initiator ? concat(mine, theirs) : concat(theirs, mine);
    const isk = sha512(concat(lv(utf8(`${dsi}_ISK`), this.sid, k.toBytes()), transcript));
    const key = sha512(concat(utf8("CPaceMac"), this.sid, isk));
    return {
      isk,
      ours: hmac(sha512, key, mine),
      theirs: hmac(sha512, key, theirs),
    };
  }

  /** Ends the run without a guess. */
  drop(): void {
    this.#y = null;
  }
}

function decodeShare(share: Uint8Array): Point {
  try {
    return Point.fromBytes(share);
  } catch {
    // C18: not an element.
    throw badPeer();
  }
}

/** Where random bytes come from; tests reproduce transcripts with their own. */
export type Random = (n: number) => Uint8Array;

const systemRandom: Random = (n) => crypto.getRandomValues(new Uint8Array(n));

/** The viewer's side of one guess: the initiator A. */
export class ViewerPake {
  readonly #run: Run;

  private constructor(run: Run) {
    this.#run = run;
  }

  /** server is Welcome.public_host, secret the last six digits of the code. */
  static start(secret: string, server: string, nameplate: string, random: Random = systemRandom): ViewerPake {
    if (!/^\d{6}$/.test(secret) || !/^\d{3,9}$/.test(nameplate) || server === "" || server.includes("|")) {
      throw new WireError(Reason.INTERNAL, "not the parameters of a pairing");
    }
    const sid = random(sidSize);
    const ci = utf8(`${protocol}|viewer|host|${server}|${nameplate}`);
    return new ViewerPake(new Run(scalar(random(64)), utf8(secret), ci, sid, viewerAD()));
  }

  /** Claim.sid, Claim.share and Claim.ad. */
  get sid(): Uint8Array {
    return this.#run.sid;
  }
  get share(): Uint8Array {
    return this.#run.share;
  }
  get ad(): Uint8Array {
    return this.#run.ad;
  }

  /**
   * Takes the host's PakeReply and returns the keys and the tag to send in
   * Confirm. Throws WRONG_CODE for a wrong tag (the caller sends a
   * ClaimVerdict and nothing else), protocol for a share or role that no
   * honest host sends. A second call throws INTERNAL.
   */
  finish(hostShare: Uint8Array, hostAD: Uint8Array, hostTag: Uint8Array): { keys: Keys; tag: Uint8Array } {
    const hostKey = parseHostAD(hostAD);
    // C20: not the host's role and one key.
    if (hostKey === null) {
      this.#run.drop();
      throw badPeer();
    }
    const secrets = this.#run.agree(true, hostShare, hostAD);
    // C21: before our tag is let out.
    if (!equal(secrets.theirs, hostTag)) throw wrongCode();
    return { keys: new Keys(secrets.isk, hostKey), tag: secrets.ours };
  }
}

// Keys of a pairing, and the sealed link of one attach: protocol.md §1.5 and
// §1.6, with WebCrypto. The Go half is internal/pake/link.go.

import { create } from "@bufbuild/protobuf";

import { Reason, SealedSchema, type Sealed } from "../gen/signaling_pb";
import { concat, equal, utf8 } from "../wire/codec";
import { tooLarge, WireError } from "../wire/errors";
import { maxSealed, nonceSize, protocol } from "../wire/limits";

/** A side of the pairing; its value stands in keys and proofs. */
export const Role = { viewer: 0, host: 1 } as const;
export type Role = (typeof Role)[keyof typeof Role];

const gcmOverhead = 16;

const tampered = (): WireError =>
  new WireError(Reason.TAMPERED, "a sealed message was changed, repeated or left out");
const oldEpoch = (): WireError => new WireError(Reason.OLD_EPOCH, "sealed for another attach");

/** One side's half of an attach, Attach.nonce. */
export function newNonce(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(nonceSize));
}

/** The outcome of a pairing, in memory only. */
export class Keys {
  #isk: Uint8Array<ArrayBuffer> | null;
  #epoch = 0;
  readonly #role: Role;

  /** hostKey: the key with which the host signs the session's close. */
  constructor(
    isk: Uint8Array,
    readonly hostKey: Uint8Array,
    role: Role = Role.viewer,
  ) {
    this.#isk = Uint8Array.from(isk);
    this.#role = role;
  }

  /**
   * Derives the keys of an epoch. The first is 1 and each is exactly one
   * higher, else it throws OLD_EPOCH.
   */
  async attach(epoch: number, viewerNonce: Uint8Array, hostNonce: Uint8Array): Promise<Link> {
    if (this.#isk === null) throw new WireError(Reason.INTERNAL, "the keys were wiped");
    if (viewerNonce.length !== nonceSize || hostNonce.length !== nonceSize) {
      throw new WireError(Reason.PROTOCOL, "a nonce of another length");
    }
    // C22: exactly one higher.
    if (epoch !== this.#epoch + 1) throw oldEpoch();
    this.#epoch = epoch;
    return newLink(await attachKeys(this.#isk, epoch, viewerNonce, hostNonce), epoch, this.#role);
  }

  /**
   * As `attach`, to a host that came back after a restart and told this salt.
   * Whether it may come back is the caller's matter (C86).
   */
  async attachReturned(
    epoch: number,
    viewerNonce: Uint8Array,
    hostNonce: Uint8Array,
    salt: Uint8Array,
  ): Promise<Link> {
    const isk = this.#isk;
    if (isk === null) throw new WireError(Reason.INTERNAL, "the keys were wiped");
    if (salt.length !== nonceSize || viewerNonce.length !== nonceSize || hostNonce.length !== nonceSize) {
      throw new WireError(Reason.PROTOCOL, "a salt or nonce of another length");
    }
    // C22: exactly one higher.
    if (epoch !== this.#epoch + 1) throw oldEpoch();
    const secret = await derive(isk, concat(utf8(`${protocol} return`), salt), 64);
    const info = concat(utf8(`${protocol} returned`), uint32(epoch), viewerNonce, hostNonce);
    const after = await derive(secret, info, 64);
    secret.fill(0);
    isk.set(after);
    after.fill(0);
    return this.attach(epoch, viewerNonce, hostNonce);
  }

  /** Forgets the key; no attach is possible any more. Links live on. */
  wipe(): void {
    this.#isk?.fill(0);
    this.#isk = null;
  }
}

/** okm of protocol.md §1.5. */
export async function attachKeys(
  isk: Uint8Array<ArrayBuffer>,
  epoch: number,
  viewerNonce: Uint8Array,
  hostNonce: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return derive(isk, concat(utf8(`${protocol} attach`), uint32(epoch), viewerNonce, hostNonce), 96);
}

/** HKDF-SHA-512 without salt. */
async function derive(
  secret: Uint8Array<ArrayBuffer>,
  info: Uint8Array<ArrayBuffer>,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const params = {
    name: "HKDF",
    hash: "SHA-512",
    salt: new Uint8Array(0),
    info,
  };
  return new Uint8Array(await crypto.subtle.deriveBits(params, key, bytes * 8));
}

async function newLink(okm: Uint8Array<ArrayBuffer>, epoch: number, role: Role): Promise<Link> {
  const aes = (at: number) =>
    crypto.subtle.importKey("raw", okm.subarray(at, at + 32), "AES-GCM", false, ["encrypt", "decrypt"]);
  const mac = { name: "HMAC", hash: "SHA-256" };
  const [toHost, toViewer, certificates] = await Promise.all([
    aes(0),
    aes(32),
    crypto.subtle.importKey("raw", okm.subarray(64, 96), mac, false, ["sign"]),
  ]);
  okm.fill(0);
  const up = { key: toHost, aad: aad(Role.viewer, epoch) };
  const down = { key: toViewer, aad: aad(Role.host, epoch) };
  return role === Role.viewer
    ? new Link(epoch, up, down, certificates)
    : new Link(epoch, down, up, certificates);
}

/** One direction of a link. */
interface Direction {
  readonly key: CryptoKey;
  readonly aad: Uint8Array<ArrayBuffer>;
}

function aad(sender: Role, epoch: number): Uint8Array<ArrayBuffer> {
  return concat(utf8(`${protocol} sealed`), Uint8Array.of(sender), uint32(epoch));
}

function uint32(n: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

function gcm(direction: Direction, counter: bigint): AesGcmParams {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(4, counter);
  return { name: "AES-GCM", iv, additionalData: direction.aad };
}

/**
 * Seals and opens the bodies of one attach. Calls may overlap: results come in
 * the order of the calls, in which they must also reach the wire.
 */
export class Link {
  #sent = 0n;
  #received = 0n;
  #sealing: Promise<unknown> = Promise.resolve();
  #opening: Promise<unknown> = Promise.resolve();
  #broken: WireError | null = null;

  constructor(
    readonly epoch: number,
    private readonly out: Direction,
    private readonly into: Direction,
    private readonly certificates: CryptoKey,
  ) {}

  /** Seals the next body, at most maxSealed bytes of SealedBody. */
  seal(body: Uint8Array<ArrayBuffer>): Promise<Sealed> {
    const counter = this.#sent++;
    const result = this.#sealing.then(async () => {
      const box = await crypto.subtle.encrypt(gcm(this.out, counter), this.out.key, body);
      return create(SealedSchema, {
        epoch: this.epoch,
        counter,
        box: new Uint8Array(box),
      });
    });
    this.#sealing = result.catch(() => undefined);
    return result;
  }

  /**
   * Opens the next body. Rejects with OLD_EPOCH, TAMPERED or TOO_LARGE; each
   * ends the attempt, so every later call rejects with the same error.
   */
  open(sealed: Sealed): Promise<Uint8Array<ArrayBuffer>> {
    const result = this.#opening.then(() => this.#open(sealed));
    this.#opening = result.catch(() => undefined);
    return result;
  }

  async #open(sealed: Sealed): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#broken !== null) throw this.#broken;
    if (sealed.box.length > maxSealed + gcmOverhead) throw this.#break(tooLarge());
    // C22: sealed for another attach.
    if (sealed.epoch !== this.epoch) throw this.#break(oldEpoch());
    // C23: repeated, or one is missing.
    if (sealed.counter !== this.#received) throw this.#break(tampered());
    const box = Uint8Array.from(sealed.box);
    try {
      const body = await crypto.subtle.decrypt(gcm(this.into, this.#received), this.into.key, box);
      this.#received++;
      return new Uint8Array(body);
    } catch {
      // C24: changed, or by somebody without the key.
      throw this.#break(tampered());
    }
  }

  #break(error: WireError): WireError {
    this.#broken = error;
    return error;
  }

  /**
   * CertificateProof.mac of a role, over the SHA-256 of both DTLS certificates
   * in use. A browser gives its own only as a fingerprint: `parseFingerprint`.
   */
  async proof(role: Role, viewerCert: Uint8Array, hostCert: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const message = concat(utf8(`${protocol} certificates`), Uint8Array.of(role), viewerCert, hostCert);
    return new Uint8Array(await crypto.subtle.sign("HMAC", this.certificates, message));
  }

  /** Rejects with CERTIFICATE_MISMATCH unless mac is the other side's proof over what is seen here. */
  async checkProof(role: Role, mac: Uint8Array, viewerCert: Uint8Array, hostCert: Uint8Array): Promise<void> {
    // C25: not the certificates in use.
    if (!equal(mac, await this.proof(role, viewerCert, hostCert))) {
      throw new WireError(
        Reason.CERTIFICATE_MISMATCH,
        "the connection does not end at the other side of the pairing",
      );
    }
  }
}

/** SHA-256 of a certificate's DER, as getRemoteCertificates gives it. */
export async function certificateHash(
  der: ArrayBuffer | Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", der));
}

/** The 32 bytes of a SHA-256 fingerprint ("AB:CD:…"), as getFingerprints gives it, or null. */
export function parseFingerprint(value: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){31}$/i.test(value)) return null;
  return Uint8Array.from(value.split(":"), (hex) => parseInt(hex, 16));
}

// Bytes, and the two ciphers of a proof. WebCrypto only: nothing here is ours to get wrong.

export type Bytes = Uint8Array<ArrayBuffer>;

export function utf8(s: string): Bytes {
  return new TextEncoder().encode(s);
}

export function concat(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

export function base64(b: Uint8Array): string {
  let s = "";
  for (const x of b) s += String.fromCharCode(x);
  return btoa(s);
}

/** The bytes of strict base64: there is one text for them, so that no bit of it can be changed unseen. */
export function bytes(text: string): Bytes | null {
  let raw: string;
  try {
    raw = atob(text);
  } catch {
    return null;
  }
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return base64(out) === text ? out : null;
}

export async function sha256(...parts: Uint8Array[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

export async function hmac(key: Bytes, message: Bytes): Promise<Bytes> {
  const k = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", k, message));
}

/** This browser has no Ed25519: Chromium has it since 137, Firefox since 129, Safari since 17. */
export class NoEd25519 extends Error {}

/** Whether an Ed25519 signature holds. Throws NoEd25519. */
export async function signedBy(key: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  if (key.length !== 32 || signature.length !== 64) return false;
  let k: CryptoKey;
  try {
    k = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  } catch (e) {
    if (e instanceof DOMException && e.name === "NotSupportedError") throw new NoEd25519();
    return false; // no point of the curve
  }
  return crypto.subtle.verify("Ed25519", k, signature, message);
}

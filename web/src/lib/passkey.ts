// Passkeys, as the browser keeps them. JSON in and out is the browser's own; one that
// cannot do that yet has no passkeys here.

/** Whether this browser, on this page, can use passkeys at all. */
export function passkeys(): boolean {
  return (
    typeof PublicKeyCredential === "function" &&
    "parseRequestOptionsFromJSON" in PublicKeyCredential &&
    "toJSON" in PublicKeyCredential.prototype &&
    !/^[\d.]+$|^\[/.test(location.hostname)
  );
}

/** The person called it off, or waited too long. */
export class CalledOff extends Error {}

interface Asked {
  publicKey: unknown;
}

/** Lets the browser answer a challenge by whatever passkey the person chooses. */
export async function useKey(options: Asked): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options.publicKey as PublicKeyCredentialRequestOptionsJSON,
  );
  return credential(navigator.credentials.get({ publicKey }));
}

/** Lets the browser make a passkey. */
export async function makeKey(options: Asked): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options.publicKey as PublicKeyCredentialCreationOptionsJSON,
  );
  return credential(navigator.credentials.create({ publicKey }));
}

async function credential(pending: Promise<Credential | null>): Promise<unknown> {
  let made: Credential | null;
  try {
    made = await pending;
  } catch (e) {
    // Every reason is one name, so that no site learns which keys somebody has.
    throw e instanceof DOMException ? new CalledOff(e.name) : e;
  }
  if (!(made instanceof PublicKeyCredential)) throw new CalledOff("none");
  return made.toJSON();
}

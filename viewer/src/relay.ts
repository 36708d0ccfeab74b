// The relays that the server names (PROTOCOL.md §2, `Relay`), made fit for
// RTCConfiguration.iceServers. What flows through one is sealed end to end, so
// a false relay can only withhold; it is bounded all the same.

import { Reason, type Relay } from "./gen/signaling_pb";
import { WireError } from "./wire/codec";

const maxServers = 8;
/** Addresses of one relay: UDP, TCP and TLS, by name and by number. */
const maxUrls = 8;
/** Code units of an address, of a user name and of a credential. */
const maxUrl = 256;
const maxSecret = 512;

/**
 * The relays of a message. An address of a scheme that this browser does not
 * know is left out; a message over its bounds throws PROTOCOL.
 */
export function iceServers({ servers }: Pick<Relay, "servers">): RTCIceServer[] {
  if (servers.length > maxServers) throw tooMuch();
  return servers.flatMap(({ urls, username, credential }) => {
    if (
      urls.length > maxUrls ||
      urls.some((url) => url.length > maxUrl) ||
      username.length > maxSecret ||
      credential.length > maxSecret
    )
      throw tooMuch();
    const login = username !== "" && credential !== "";
    const known = urls.filter((url) => usable(url, login));
    if (known.length === 0) return [];
    return [{ urls: known, ...(login ? { username, credential } : {}) }];
  });
}

// RFC 7064 and 7065: a host, a port if any, a transport if any. Chromium refuses the whole
// configuration for one address that it cannot read, or for a relay without credentials.
function usable(url: string, login: boolean): boolean {
  const parts =
    /^(stun|turns?):(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?(\?transport=(?:udp|tcp))?$/i.exec(url);
  if (parts === null || Number(parts[2] ?? 1) > 0xffff) return false;
  return parts[1]?.toLowerCase() === "stun" ? parts[3] === undefined : login;
}

function tooMuch(): WireError {
  return new WireError(Reason.PROTOCOL, "more relays than anybody needs");
}

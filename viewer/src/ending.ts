// Whose word an end is. The host's own Bye comes sealed or on `ctl`, where the
// server cannot write; an End of the server is the server's word, and it may
// not speak for the person or the host.

import { Reason } from "./gen/signaling_pb";

/** Only the person or the host knows these. */
const hostsOwn: ReadonlySet<Reason> = new Set([
  Reason.PERSON_STOPPED,
  Reason.PERSON_DENIED,
  Reason.NO_ANSWER,
  Reason.HOST_QUIT,
  Reason.CAPTURE_LOST,
]);

/**
 * What an End of the server is worth: its own word, one that the host has to
 * confirm, or none at all (no reason, or one that nobody knows).
 */
export function weigh(reason: Reason): "own" | "host's" | "none" {
  if (hostsOwn.has(reason)) return "host's";
  return reason !== Reason.UNSPECIFIED && reason in Reason ? "own" : "none";
}

// One claim: from a typed code to keys that the server does not know
// (PROTOCOL.md §1.4 and §2). The code is split here; only the nameplate leaves
// the browser. A pairing is one guess: whatever goes wrong ends it, and nothing
// is retried.

import {
  Reason,
  type ClaimResult,
  type Opened,
  type PakeReply,
  type ParticipantKind,
  type Ticket,
} from "./gen/signaling_pb";
import { ViewerPake } from "./pake/cpace";
import type { Keys } from "./pake/link";
import type { ViewerBody } from "./signaling";
import { parseCode } from "./wire/code";
import { equal, reasonOf, WireError } from "./wire/codec";

/** Bytes of a claim id, of a resume token. */
const claimSize = 16;
const tokenSize = 32;
const maxSessionId = 64;
const maxTicketId = 128;

export interface Paired {
  readonly keys: Keys;
  readonly session: string;
  readonly token: Uint8Array;
  /** What we are in the session; UNSPECIFIED from a server of before there were several. */
  readonly kind: ParticipantKind;
  readonly ticket: Ticket | null;
}

export class Pairing {
  #send: (body: ViewerBody) => void;
  #pake: ViewerPake | undefined;
  #stage: "new" | "claimed" | "confirmed" | "over" = "new";
  #claim: Uint8Array = new Uint8Array(0);
  #keys: Keys | undefined;

  constructor(send: (body: ViewerBody) => void) {
    this.#send = send;
  }

  /**
   * Claims. Throws MALFORMED_CODE for what is no code; then nothing was sent.
   * @param typed what the technician typed
   * @param server Welcome.public_host
   */
  claim(typed: string, ticketId: string, server: string): void {
    if (this.#stage !== "new") throw new WireError(Reason.INTERNAL, "a pairing is one claim");
    const { nameplate, secret } = parseCode(typed);
    const pake = ViewerPake.start(secret, server, nameplate);
    this.#pake = pake;
    this.#stage = "claimed";
    this.#send({
      case: "claim",
      value: { nameplate, ticketId, sid: pake.sid, share: pake.share, ad: pake.ad },
    });
  }

  /** The server refused the claim, or the host did. Returns the reason. */
  refused(result: ClaimResult): Reason {
    if (this.#stage !== "claimed" && this.#stage !== "confirmed") throw outOfOrder();
    this.drop();
    return result.reason;
  }

  /** The host's half. Sends our tag, or the verdict that the host's was wrong, and then throws. */
  reply(reply: PakeReply): void {
    if (this.#stage !== "claimed" || this.#pake === undefined) throw outOfOrder();
    if (reply.claim.length !== claimSize)
      throw new WireError(Reason.PROTOCOL, "a claim id of another length");
    this.#claim = reply.claim;
    try {
      const { keys, tag } = this.#pake.finish(reply.share, reply.ad, reply.tag);
      this.#keys = keys;
      this.#stage = "confirmed";
      this.#send({ case: "confirm", value: { claim: reply.claim, tag } });
    } catch (error) {
      this.drop();
      this.#send({ case: "verdict", value: { claim: reply.claim, reason: reasonOf(error) } });
      throw error;
    }
  }

  /** The session stands in the log. */
  opened(opened: Opened): Paired {
    const keys = this.#keys;
    if (this.#stage !== "confirmed" || keys === undefined) throw outOfOrder();
    if (!equal(opened.claim, this.#claim)) throw new WireError(Reason.PROTOCOL, "another claim was opened");
    if (
      opened.session === "" ||
      opened.session.length > maxSessionId ||
      opened.resumeToken.length !== tokenSize
    ) {
      throw new WireError(Reason.PROTOCOL, "not a session");
    }
    if ((opened.ticket?.id.length ?? 0) > maxTicketId) throw new WireError(Reason.PROTOCOL, "not a ticket");
    this.#stage = "over";
    this.#keys = undefined;
    this.#pake = undefined;
    const { session, resumeToken: token, kind, ticket } = opened;
    return { keys, session, token, kind, ticket: ticket ?? null };
  }

  /** Forgets everything; a claim that is open at the host is given up. */
  giveUp(reason: Reason): void {
    if (this.#stage === "confirmed") this.#send({ case: "verdict", value: { claim: this.#claim, reason } });
    this.drop();
  }

  drop(): void {
    this.#stage = "over";
    this.#pake = undefined;
    this.#keys?.wipe();
    this.#keys = undefined;
  }
}

function outOfOrder(): WireError {
  return new WireError(Reason.PROTOCOL, "a message out of order");
}

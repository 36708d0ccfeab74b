// Who is in the session, and the invite codes that bring more (PROTOCOL.md
// §2.1), as the host says it. Names are hostile text.

import { GrantState, type Invite as InviteMessage, type Participants } from "./gen/session_pb";
import { ParticipantKind, Reason } from "./gen/signaling_pb";
import { formatCode, parseCode } from "./wire/code";
import { clean, WireError } from "./wire/codec";

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly kind: ParticipantKind;
  readonly you: boolean;
  readonly connected: boolean;
  readonly view: GrantState;
  readonly control: GrantState;
}

export interface Invite {
  readonly kind: ParticipantKind;
  readonly state: "asked" | "open" | "used" | "ended";
  /** In groups; empty unless open. */
  readonly code: string;
  /** When it is worth nothing any more, by this computer's clock. */
  readonly until: number;
  /** Why it ended. */
  readonly reason: Reason;
}

/** A session has at most 4; a newer host may allow more. */
const maxMembers = 16;
const maxId = 16;
/** How long a code lives, ms (C7, C13). */
const codeLife = 10 * 60_000;

/** The participants of a message. Throws PROTOCOL for a list that cannot be one. */
export function members({ participants }: Pick<Participants, "participants">): Member[] {
  const ids = new Set(participants.map(({ id }) => id));
  if (
    participants.length > maxMembers ||
    ids.size !== participants.length ||
    participants.some(({ id }) => id === "" || id.length > maxId) ||
    participants.filter(({ you }) => you).length > 1
  )
    throw new WireError(Reason.PROTOCOL, "not a list of participants");
  return participants.map(({ id, name, kind, you, connected, grants }) => {
    const state = (grant: string) => grants.find((g) => g.name === grant)?.state ?? GrantState.UNSPECIFIED;
    return {
      id,
      name: clean(name),
      kind,
      you,
      connected,
      view: state("view"),
      control: state("control"),
    };
  });
}

/** What became of our wish for an invite code. Throws PROTOCOL for a code that is none. */
export function invite(message: InviteMessage, now = Date.now()): Invite {
  const { kind, reason } = message;
  if (message.code === "")
    return { kind, state: reason === Reason.UNSPECIFIED ? "used" : "ended", code: "", until: 0, reason };
  let code: string;
  try {
    const { nameplate, secret } = parseCode(message.code);
    code = formatCode(nameplate, secret);
  } catch (cause) {
    throw new WireError(Reason.PROTOCOL, "an invite code that is none", { cause });
  }
  // The host's clock may be days off: a time that cannot be right is replaced by a code's whole life.
  const left = Number(message.expires) - now;
  return { kind, state: "open", code, until: now + (left > 0 && left <= codeLife ? left : codeLife), reason };
}

/** Who has control, if it is somebody else. */
export function otherHands(list: readonly Member[]): Member | undefined {
  return list.find(({ you, control }) => !you && control === GrantState.ALLOWED);
}

/** Who leads when the lead leaves: the first expert. */
export function heir(list: readonly Member[]): Member | undefined {
  return list.find(({ you, kind }) => !you && kind === ParticipantKind.EXPERT);
}

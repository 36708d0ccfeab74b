// Sizes and names of the protocol: protocol.md §1 of internal/wire, and its
// limits.go in Go. The golden index of internal/wire/testdata holds both to
// the same numbers.

export const version = 1;
export const minVersion = 1;
export const protocol = "mf/1";

/** Bytes; a message over its limit ends the connection before it is parsed. */
export const maxFrame = 64 * 1024;
export const maxSealed = 48 * 1024;
export const maxControl = 16 * 1024;
export const maxCursor = 64 * 1024;
export const maxInput = 4 * 1024;
export const maxTileMessage = 16 * 1024;
export const maxTileAnswer = 64;
export const maxTilePart = 1112;
export const maxTool = 20 * 1024;
/** The content of one chunk of a file. */
export const maxFileChunk = 16 * 1024;
export const maxInputText = 1024;
export const maxKeyText = 32;

/** Bit 7 of the flags of input events and picture messages: a kind that a receiver may skip. */
export const flagOptional = 0x80;

/** Code points of a name, subject or title after `clean`. */
export const nameLimit = 256;
/** Pixels. */
export const maxCursorSide = 96;
export const maxPictureSide = 16384;

/** Lengths in bytes of the fields that have exactly one. */
export const sidSize = 16;
export const shareSize = 32;
export const tagSize = 64;
export const nonceSize = 16;
export const proofSize = 32;

/** One negotiated data channel, protocol.md §1.8. */
export interface Channel {
  readonly id: number;
  readonly label: string;
  /** Reliable and ordered; else unordered without retransmits. */
  readonly reliable: boolean;
  /** The longest message on it, bytes. */
  readonly max: number;
}

export const channels = {
  control: { id: 0, label: "ctl", reliable: true, max: maxControl },
  input: { id: 1, label: "in", reliable: true, max: maxInput },
  inputFast: { id: 2, label: "in-fast", reliable: false, max: maxInput },
  cursor: { id: 3, label: "cursor", reliable: true, max: maxCursor },
  tiles: { id: 4, label: "tiles", reliable: true, max: maxTileMessage },
  tilesFast: { id: 5, label: "tiles-fast", reliable: false, max: maxTilePart },
  files: { id: 6, label: "files", reliable: true, max: maxTool },
  clip: { id: 7, label: "clip", reliable: true, max: maxTool },
  talk: { id: 8, label: "talk", reliable: true, max: maxTool },
  marks: { id: 9, label: "marks", reliable: true, max: maxTool },
} as const satisfies Record<string, Channel>;

/** What `createDataChannel` takes for a channel. */
export function channelInit(c: Channel): RTCDataChannelInit {
  const init: RTCDataChannelInit = {
    negotiated: true,
    id: c.id,
    protocol: protocol,
    ordered: c.reliable,
  };
  if (!c.reliable) init.maxRetransmits = 0;
  return init;
}

/** The longest line of the chat in code points, and what a host sends on the channel talk, bytes. */
export const chatLimit = 4000;
export const maxTalkPart = 16 << 10;
export const maxScreenshot = 16 << 20;
export const maxSystem = 32 << 10;
/** The longest picture that the server takes for the ticket, bytes. */
export const maxAttachment = 8 << 20;

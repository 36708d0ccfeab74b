// Picture messages on the channels tiles and tiles-fast, protocol.md §1.10; the Go half is
// internal/wire/picture.go. What the zstd stream holds is the decoder's.

import { malformed, tooLarge, unknownMessage } from "./errors";
import { flagOptional, maxPictureSide, maxTileMessage, maxTilePart, version } from "./limits";

const flagLast = 0x01;
const kindStart = 1;
const kindPiece = 2;
const kindVideo = 3;
const kindPart = 4;
const tileFormat = 1;

export const pieceHeader = 8;
export const minWindowLog = 10;
export const maxWindowLog = 23;

/** A picture begins: black, with an empty under picture and a new zstd stream. */
export interface Start {
  readonly kind: "start";
  readonly generation: number;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** log2 of the zstd window in bytes. */
  readonly windowLog: number;
}

/** A part of one update's bytes in the zstd stream. */
export interface Piece {
  readonly kind: "piece";
  readonly update: number;
  /** The last of its update. */
  readonly last: boolean;
  /** A view into the message. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Pixels of the picture. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Which parts of the picture the video track shows from a frame on, above the tiles. */
export interface Video {
  readonly kind: "video";
  /** RTP, 90 kHz, of the frame from which on this holds. */
  readonly timestamp: number;
  /** What the frames of the track show; all zero without rectangles. */
  readonly area: Area;
  /** At most 8, none empty, all in the area; none hides the video at once. */
  readonly rects: readonly Area[];
}

const videoHeader = 16;
const rectSize = 8;
const maxVideoRects = 8;

function parseVideo(view: DataView): Video {
  const n = view.getUint16(2, true);
  if (view.byteLength !== videoHeader + n * rectSize || n > maxVideoRects) throw malformed();
  const at = (offset: number): Area => ({
    x: view.getUint16(offset, true),
    y: view.getUint16(offset + 2, true),
    width: view.getUint16(offset + 4, true),
    height: view.getUint16(offset + 6, true),
  });
  const area = at(8);
  const right = area.x + area.width;
  const bottom = area.y + area.height;
  const empty = area.width === 0 || area.height === 0;
  if (n === 0 ? right + bottom !== 0 : empty || Math.max(right, bottom) > maxPictureSide) throw malformed();
  const rects: Area[] = [];
  for (let i = 0; i < n; i++) {
    const r = at(videoHeader + i * rectSize);
    if (r.width === 0 || r.height === 0 || r.x < area.x || r.y < area.y) throw malformed();
    if (r.x + r.width > right || r.y + r.height > bottom) throw malformed();
    rects.push(r);
  }
  return { kind: "video", timestamp: view.getUint32(4, true), area, rects };
}

/**
 * Reads one picture message; undefined for an optional one of a kind that this
 * version does not know. Throws a WireError for anything else.
 */
export function parsePicture(message: ArrayBuffer): Start | Piece | Video | undefined {
  const size = message.byteLength;
  if (size > maxTileMessage) throw tooLarge();
  if (size < pieceHeader) throw malformed();
  const view = new DataView(message);
  const kind = view.getUint8(0);
  const flags = view.getUint8(1);
  if (kind === kindVideo) {
    if (flags & ~flagOptional || size < videoHeader) throw malformed();
    return parseVideo(view);
  }
  if (kind !== kindStart && kind !== kindPiece) {
    if (flags & flagOptional) return undefined;
    throw unknownMessage();
  }
  if (view.getUint16(2, true) !== 0) throw malformed();
  const number = view.getUint32(4, true);
  if (kind === kindPiece) {
    if (flags & ~(flagOptional | flagLast)) throw malformed();
    return {
      kind: "piece",
      update: number,
      last: (flags & flagLast) !== 0,
      data: new Uint8Array(message, pieceHeader),
    };
  }
  if (
    size !== 16 ||
    flags & ~flagOptional ||
    view.getUint8(12) !== tileFormat ||
    view.getUint16(14, true) !== 0
  ) {
    throw malformed();
  }
  const width = view.getUint16(8, true);
  const height = view.getUint16(10, true);
  const windowLog = view.getUint8(13);
  if (width < 1 || width > maxPictureSide || height < 1 || height > maxPictureSide) throw malformed();
  if (windowLog < minWindowLog || windowLog > maxWindowLog) throw malformed();
  return { kind: "start", generation: number, width, height, windowLog };
}

/** A part of one update's bytes that is sent once more, on tiles-fast. */
export interface Part {
  readonly update: number;
  /** Of the picture, as its start has it. */
  readonly generation: number;
  /** Where its bytes stand in those of the update. */
  readonly offset: number;
  /** The update ends with it. */
  readonly last: boolean;
  /** A view into the message, not empty. */
  readonly data: Uint8Array<ArrayBuffer>;
}

const partHeader = 12;

/** Reads one message of tiles-fast, as parsePicture those of tiles. */
export function parsePart(message: ArrayBuffer): Part | undefined {
  const size = message.byteLength;
  if (size > maxTilePart) throw tooLarge();
  if (size < 2) throw malformed();
  const view = new DataView(message);
  const flags = view.getUint8(1);
  if (view.getUint8(0) !== kindPart) {
    if (flags & flagOptional) return undefined;
    throw unknownMessage();
  }
  if (size <= partHeader || flags & ~(flagOptional | flagLast)) throw malformed();
  return {
    update: view.getUint32(4, true),
    generation: view.getUint32(8, true),
    offset: view.getUint16(2, true),
    last: (flags & flagLast) !== 0,
    data: new Uint8Array(message, partHeader),
  };
}

/** The first message on the channel: this side listens. */
export function tileHello(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(1, version, 0, 0);
}

/**
 * This update is on the canvas.
 * @param parts whether parts of it came before the pieces
 */
export function tileAck(update: number, parts = false): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.of(2, parts ? 1 : 0, 0, 0, 0, 0, 0, 0);
  new DataView(bytes.buffer).setUint32(4, update, true);
  return bytes;
}

/** This side wants a whole picture and a new context. */
export function tileRestart(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(3, 0, 0, 0);
}

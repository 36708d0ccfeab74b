// The person's monitors, as the host lists them. Names are hostile text, and
// places may lie outside the picture: whoever shows one cuts it to that.

import type { Displays } from "./gen/session_pb";
import { Reason } from "./gen/signaling_pb";
import { clean, WireError } from "./wire/codec";
import { maxPictureSide } from "./wire/limits";

export interface Display {
  readonly id: number;
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** More monitors than anybody has. */
const maxDisplays = 32;

/** The displays of a message, from the left and then from the top. Throws PROTOCOL for a list that cannot be one. */
export function displays({ displays: list }: Pick<Displays, "displays">): Display[] {
  const side = (size: number) => size >= 1 && size <= maxPictureSide;
  if (
    list.length > maxDisplays ||
    new Set(list.map(({ id }) => id)).size !== list.length ||
    list.some(({ width, height }) => !side(width) || !side(height))
  )
    throw new WireError(Reason.PROTOCOL, "not a list of displays");
  return list
    .map(({ id, name, x, y, width, height }) => ({ id, name: clean(name), x, y, width, height }))
    .sort((a, b) => a.x - b.x || a.y - b.y);
}

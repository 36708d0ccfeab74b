// What a session needs of the element that it is in; tests have their own.

import type { ConnectionEvents, HostConnection } from "./connection";
import type { Link } from "./pake/link";
import type { Painted } from "./picture/tally";
import type { Socket } from "./signaling";
import type { View } from "./state";
import type { Tool } from "./tool";

/** Where the picture is painted. */
export interface Picture {
  blank(): void;
  unblank(): void;
  /** What was painted since this was asked for last. */
  figures(): Promise<Painted>;
  close(): void;
}

export interface Surroundings {
  dial(): Socket;
  connect(link: Link, relays: RTCIceServer[], events: ConnectionEvents): Promise<HostConnection>;
  picture: Picture;
  tools: readonly Tool[];
  lang: string;
  changed(view: View): void;
  cursor(data: unknown): void;
}

// A tool is something that technician and person do together besides seeing and
// driving: files, the clipboard, talk, marks. It has a channel of its own
// (PROTOCOL.md §1.8), and a button, a sheet or a pane in the page.

import type { GrantState } from "./gen/session_pb";
import type { View } from "./state";
import type { T } from "./view/texts";
import type { channels } from "./wire/limits";

/** The channels of the tools. */
export type ToolChannel = Extract<keyof typeof channels, "files" | "clip" | "talk" | "marks">;

/** The end of a tool's channel that takes messages. */
export interface Outlet {
  /** Bytes that wait to leave. */
  readonly waiting: number;
  /** Sends one message; false: the channel is closed. Never waits. */
  send(message: Uint8Array<ArrayBuffer>): boolean;
  /** Resolves when no more than `below` bytes wait, or the channel is closed. */
  drained(below: number): Promise<void>;
}

/** What a tool may want of the session. */
export interface Asking {
  /** Asks the person for a grant. */
  ask(grant: string): void;
  giveBack(grant: string): void;
}

export interface Tool {
  readonly channel: ToolChannel;
  /** Takes one message of a proven host. What it throws (WireError) ends the session. */
  heard(message: ArrayBuffer): void;
  /** A proven connection stands, the first or another; nothing of the former one is known to have arrived. */
  connected(outlet: Outlet): void;
  /** It is gone; another may come. */
  disconnected(): void;
  /** The host came back after a restart: it knows nothing of this tool, and all its numbers begin anew. */
  anew?(): void;
  /** The grants as they stand: a name that is not there was never asked for, or this host does not know it. */
  granted(grants: Grants): void;
  /** The session is over: nothing is left to do but to forget. */
  over(): void;
}

export type Grants = Readonly<Record<string, GrantState>>;

/** The part of a tool that is seen. */
export interface ToolView {
  /** Opens the element; in the toolbar. Its id names it. */
  readonly button: HTMLButtonElement;
  /** Where the keyboard goes when it opens. */
  readonly title: HTMLElement;
  /** A sheet lies over the picture's corner and closes with the next; a pane stands beside the picture until it is closed. */
  readonly kind: "sheet" | "pane";
  /** Hidden until it is opened; Escape in it closes it. */
  readonly element: HTMLElement;
  /** What has come and was not read yet; a page that hides this session marks its tab. */
  readonly unread?: number;
  /** Called at each change of the view, and once when it opens or closes. */
  update(view: View, t: T): void;
}

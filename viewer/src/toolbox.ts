// The tools of a session, in the order in which the toolbar shows them.

import { FilesTool } from "./files/tool";
import { ClipTool } from "./clip/tool";
import { Marks } from "./marks/marks";
import { Steps } from "./marks/steps";
import { TalkPane } from "./talk/pane";
import type { Tool, ToolView } from "./tool";
import type { Stage } from "./view/stage";

/** What the tools may use of the element that they are in. */
export interface Workshop {
  /** Asks the person for a grant, and gives one back. */
  ask(grant: string): void;
  giveBack(grant: string): void;
  readonly stage: Stage;
  /** Something that a tool shows has changed: its update is called soon. */
  changed(): void;
  /**
   * Opens or closes a tool's sheet or pane, as its button does.
   * @param unasked not by the technician's hand: it takes neither the keyboard nor another's place
   */
  open(view: ToolView, open: boolean, unasked?: boolean): void;
  /** Nobody looks at this session now. */
  background(): boolean;
}

/** Made once with the element; each session uses them, one at a time. */
export function toolbox(workshop: Workshop): readonly (Tool & ToolView)[] {
  const steps = new Steps(workshop);
  return [
    new TalkPane(workshop),
    new FilesTool(workshop),
    new ClipTool(workshop),
    new Marks(workshop, steps),
    steps,
  ];
}

/** Of the talk pane; part of the element's sheet. */
export const talkStyles = `
#talk { display: flex; flex-direction: column; gap: 0.625rem; }
#talk[hidden] { display: none; }
#talk-lines { flex: 1 1 8rem; min-height: 6rem; overflow: auto; }
#talk-lines ol { display: flex; flex-direction: column; align-items: flex-start; gap: 0.5rem; list-style: none; }
#talk-lines li { max-width: 92%; padding: 0.4rem 0.65rem; border: 1px solid var(--_border); border-radius: var(--_radius); background: var(--_bg); }
#talk-lines .mine { align-self: flex-end; border-color: var(--_accent); }
#talk-lines [data-state="refused"] { border-color: var(--_danger); }
#talk-lines .who { color: var(--_muted); font-size: 0.8125rem; }
#talk-lines .said { white-space: pre-wrap; overflow-wrap: anywhere; }
#talk-form { display: flex; gap: 0.5rem; align-items: flex-end; }
#talk-text { flex: 1; min-width: 0; padding: 0.4rem 0.55rem; border: 1px solid var(--_edge); border-radius: var(--_radius); background: var(--_bg); color: inherit; font: inherit; resize: vertical; }
#talk .actions { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0; }
#talk .button { min-height: 2.25rem; padding-inline: 0.7rem; }
#talk-sheet { display: grid; gap: 0.35rem; max-height: 40%; margin: 0; overflow: auto; }
#talk-sheet dt { color: var(--_muted); font-size: 0.8125rem; }
#talk-sheet dd { margin: 0; overflow-wrap: anywhere; }
#talk-review { width: min(70rem, calc(100% - 2rem)); }
.talk-frame { margin-top: 0.75rem; overflow: auto; max-height: 60vh; border: 1px solid var(--_border); }
#talk-picture { display: block; max-width: 100%; cursor: crosshair; touch-action: none; }
.badge { min-width: 1.25rem; padding: 0 0.3rem; border-radius: 1rem; background: var(--_danger); color: #fff; font-size: 0.75rem; font-weight: 650; line-height: 1.25rem; text-align: center; }
.badge[hidden] { display: none; }
`;

// The looks of the pane of files; part of the element's one sheet.

export const fileStyles = `
#files .actions { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.75rem; }
#files h3 { font-size: 1.0625rem; }
.files-drop { margin-top: 0.75rem; padding: 1.25rem 0.75rem; border: 2px dashed var(--_edge); border-radius: var(--_radius); color: var(--_muted); text-align: center; }
#files[data-drop] .files-drop { border-color: var(--_accent); background: var(--_soft); color: var(--_accent); }
#stage[data-drop] { outline: 4px solid var(--_accent); outline-offset: -4px; }
.files { display: grid; grid-template-columns: minmax(0, 1fr); margin: 0.75rem 0 0; padding: 0; list-style: none; }
.files li { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.25rem; padding-block: 0.75rem; border-top: 1px solid var(--_border); }
.files .what { display: flex; align-items: baseline; justify-content: space-between; gap: 0.75rem; }
.files .name { min-width: 0; overflow: hidden; font-weight: 600; text-overflow: ellipsis; white-space: nowrap; }
.files .size { flex: none; color: var(--_muted); font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.files progress { width: 100%; height: 0.5rem; accent-color: var(--_accent); }
.files .state-text { color: var(--_muted); font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.files [data-state="done"] .state-text { color: var(--_accent); font-weight: 600; }
.files [data-state="failed"] .state-text { color: var(--_danger); }
.files [data-state="lost"] .state-text { color: var(--_warm); }
.files .hash { color: var(--_muted); font: 0.75rem/1.4 var(--_mono); overflow-wrap: anywhere; }
.files .links { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.files .links:empty, .files .actions:not(:has(> :not([hidden]))) { display: none; }
.files :is(.actions, .links) .button { min-height: 2.25rem; overflow-wrap: anywhere; text-decoration: none; }
#files .files .actions { margin-top: 0.25rem; }
.files-ask { margin-top: 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--_border); }
`;

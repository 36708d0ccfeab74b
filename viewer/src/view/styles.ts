// The element's looks. The page may set the --mf- properties (they reach through
// the shadow root); without them the defaults here look good alone. Nothing
// moves: no transition and no animation, because one that runs beside a live
// picture delays every message after a key.

import { fileStyles } from "../files/styles";
import { talkStyles } from "../talk/styles";

const css = `
:host {
  --_font: var(--mf-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif);
  --_mono: ui-monospace, "SF Mono", "Cascadia Mono", Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
  --_radius: var(--mf-radius, 8px);
  --_bg: var(--mf-bg, light-dark(#f5f7f6, #0f1514));
  --_surface: var(--mf-surface, light-dark(#ffffff, #171f1d));
  --_text: var(--mf-text, light-dark(#17211f, #e6edea));
  --_muted: var(--mf-muted, light-dark(#55625e, #a0afab));
  --_accent: var(--mf-accent, light-dark(#0b6763, #58c8bd));
  --_danger: var(--mf-danger, light-dark(#b3261e, #ff968c));
  --_border: var(--mf-border, light-dark(#d9dfdc, #2b3734));
  --_edge: color-mix(in srgb, var(--_muted) 70%, var(--_surface));
  --_hover: color-mix(in srgb, var(--_text) 8%, var(--_surface));
  --_soft: color-mix(in srgb, var(--_accent) 12%, var(--_surface));
  --_danger-soft: color-mix(in srgb, var(--_danger) 9%, var(--_surface));
  --_warm: light-dark(#8a5200, #f2be6c);
  --_warm-soft: light-dark(#fff4df, #2f2510);
  --_stage: light-dark(#dfe5e2, #090d0c);

  color-scheme: var(--mf-color-scheme, light dark);
  position: relative;
  display: block;
  width: 100%;
  height: 100%;
  min-height: 22rem;
  overflow: hidden;
  background: var(--_bg);
  color: var(--_text);
  font: 0.9375rem/1.5 var(--_font);
  overflow-wrap: anywhere;
}
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
h2, h3, p, ol, ul, dl, dd { margin: 0; padding: 0; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
h2:focus, h3:focus { outline: none; } /* focused by us, so that reading goes on there */

#root { display: flex; flex-direction: column; width: 100%; height: 100%; background: var(--_bg); }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.icon { flex: none; width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }

.button {
  display: inline-flex; align-items: center; justify-content: center; gap: 0.5rem;
  min-height: 2.25rem; padding: 0.3rem 0.8rem;
  border: 1px solid var(--_edge); border-radius: var(--_radius);
  background: var(--_surface); color: var(--_text);
  font: inherit; font-weight: 550; line-height: 1.3; cursor: pointer;
}
.button:hover { background: var(--_hover); }
.button.primary { border-color: var(--_accent); background: var(--_accent); color: var(--_surface); }
.button.primary:hover { background: color-mix(in srgb, var(--_accent) 85%, var(--_text)); }
.button.danger { border-color: var(--_danger); color: var(--_danger); }
.button.danger.filled { background: var(--_danger); color: var(--_surface); }
.button.danger:hover { background: var(--_danger-soft); }
.button.danger.filled:hover { background: color-mix(in srgb, var(--_danger) 85%, var(--_text)); }
.button.quiet { border-color: transparent; background: none; }
.button.quiet:hover { background: var(--_hover); }
.button.button.button:disabled { border-color: var(--_border); background: none; color: var(--_muted); cursor: default; }
.button.button.quiet:disabled { border-color: transparent; opacity: 0.6; }

#panel { flex: 1; min-height: 0; overflow: auto; display: grid; place-items: safe center; padding: clamp(0.75rem, 4vmin, 2.5rem); }
.card {
  width: min(34rem, 100%); padding: clamp(1.25rem, 4vmin, 2.25rem);
  border: 1px solid var(--_border); border-radius: calc(var(--_radius) * 1.75); background: var(--_surface);
  box-shadow: 0 1px 2px rgb(16 32 28 / 6%), 0 8px 28px rgb(16 32 28 / 7%);
}
.card h2 { font-size: 1.5rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.012em; text-wrap: balance; }
.card h2 + p { margin-top: 0.5rem; }
.lead { color: var(--_muted); font-size: 1rem; }
.what { margin-top: 0.5rem; font-size: 1.0625rem; }
.what + .lead { margin-top: 0.5rem; }
.actions { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-top: 1.5rem; }
.actions .button { min-height: 2.75rem; padding-inline: 1.1rem; }

#code-form { margin-top: 1.5rem; }
#code-form label { display: block; margin-bottom: 0.375rem; font-weight: 600; }
#code {
  width: 100%; padding: 0.6rem 0.9rem; min-height: 4.25rem;
  border: 2px solid var(--_edge); border-radius: calc(var(--_radius) * 1.25);
  background: var(--_bg); color: var(--_text);
  font: 600 clamp(1.75rem, 7vmin, 2.5rem)/1.2 var(--_mono); font-variant-numeric: tabular-nums; letter-spacing: 0.03em;
}
#code:focus { border-color: var(--_accent); outline: 3px solid color-mix(in srgb, var(--_accent) 30%, transparent); outline-offset: 0; }
#code[aria-invalid="true"] { border-color: var(--_danger); }
.hint { margin-top: 0.5rem; color: var(--_muted); }
#code-form .actions { margin-top: 1.125rem; }
#code-form .actions .button { flex: 1; min-height: 3rem; font-size: 1.0625rem; }
.private { display: flex; gap: 0.625rem; margin-top: 1.25rem; padding-top: 1rem; border-top: 1px solid var(--_border); color: var(--_muted); font-size: 0.875rem; }
.private .icon { margin-top: 0.1em; }
.fault { display: flex; gap: 0.75rem; margin-top: 1.25rem; padding: 0.75rem 0.9rem; border: 1px solid var(--_danger); border-radius: var(--_radius); background: var(--_danger-soft); }
.fault .icon { margin-top: 0.1em; color: var(--_danger); }
.fault strong { display: block; font-weight: 650; }

.steps { display: flex; gap: 0.5rem; margin: 0 0 1.5rem; list-style: none; }
.steps li { flex: 1; display: flex; align-items: center; gap: 0.5rem; padding-top: 0.6rem; border-top: 3px solid var(--_border); color: var(--_muted); font-size: 0.875rem; font-weight: 550; }
.steps li[data-step="done"] { border-color: var(--_accent); color: var(--_text); }
.steps li[data-step="now"] { border-color: var(--_accent); color: var(--_accent); font-weight: 700; }
.steps .icon { display: none; color: var(--_accent); }
.steps li[data-step="done"] .icon { display: block; }

#toolbar {
  flex: none; display: flex; align-items: center; gap: 0.5rem; min-height: 3rem; padding: 0.3125rem 0.75rem;
  border-bottom: 1px solid var(--_border); background: var(--_surface);
}
#toolbar .grow { flex: 1; }
/* Never on the stage itself: it would cover the picture's own pixels. */
#toolbar[data-hands="yes"] { box-shadow: inset 0 -2px var(--_accent); }
#live:has(:is(#stage:focus-visible, #keys:focus)) #toolbar { box-shadow: inset 0 -4px var(--_accent); }
#stage:focus-visible { outline: none; }
/* One question, on one line: a bar that wrapped would move the picture. */
#toolbar[data-ending] :is(.compact, .path, #ask-control, #give-back) { display: none; }
.question #leave .label { max-width: 16rem; overflow: hidden; text-overflow: ellipsis; }
.state { display: inline-flex; min-width: 0; align-items: center; gap: 0.5rem; padding: 0.25rem 0.75rem; border-radius: 99px; background: var(--_hover); font-weight: 600; white-space: nowrap; }
.state > span { overflow: hidden; text-overflow: ellipsis; }
.state[data-hands="yes"] { background: var(--_accent); color: var(--_surface); }
.state[data-hands="asked"] { background: var(--_warm-soft); color: var(--_warm); }
.path { flex: none; color: var(--_muted); white-space: nowrap; font-size: 0.875rem; }
.path::before { content: ""; display: inline-block; width: 0.55em; height: 0.55em; margin-right: 0.45em; border-radius: 50%; background: var(--_accent); vertical-align: 0.06em; }
.path[data-path="down"] { color: var(--_danger); font-weight: 600; }
.path[data-path="down"]::before { border-radius: 0; background: var(--_danger); }
.question { display: inline-flex; flex-wrap: wrap; justify-content: flex-end; align-items: center; gap: 0.5rem; font-weight: 600; }
#toolbar .button .label { white-space: nowrap; }

/* Over the picture, not above it: a notice must not move what the technician is about to click. No shadow: it would tint pixels. */
#banner { position: absolute; z-index: 1; top: 0.625rem; left: 50%; translate: -50%; width: max-content; max-width: calc(100% - 1.5rem); pointer-events: none; }
.banner { border: 1px solid var(--_warm); border-radius: var(--_radius); background: var(--_warm-soft); color: var(--_warm); font-weight: 550; }
.banner p { display: flex; gap: 0.625rem; padding: 0.5rem 0.9rem; }
.banner p + p { border-top: 1px solid color-mix(in srgb, var(--_warm) 30%, transparent); }
.banner .icon { margin-top: 0.1em; }
.banner .seconds { flex: none; min-width: 3.25em; text-align: right; font-variant-numeric: tabular-nums; } /* room for three digits: nothing shifts while it counts */
.banner .seconds:empty { display: none; }
#waiting-banner { margin-top: 1.25rem; }

#live { flex: 1; min-height: 0; display: flex; flex-direction: column; }
#beside { flex: 1; min-height: 0; display: flex; }
#view { position: relative; flex: 1; min-width: 0; min-height: 0; }
.pane { flex: 0 0 min(22rem, 45%); min-height: 0; overflow: auto; padding: 1rem; border-inline-start: 1px solid var(--_border); background: var(--_surface); }
#stage { width: 100%; height: 100%; overflow: auto; background: var(--_stage); }
#stage[data-look="fit"] { overflow: hidden; }
/* The frame shows a part of the layers; they are as large as the whole picture, and so is all that lies in them. */
#frame { position: relative; overflow: clip; }
#layers { position: absolute; }
#layers > * { position: absolute; inset: 0; width: 100%; height: 100%; }
#layers[data-pixels="pixelated"] > * { image-rendering: pixelated; }
#picture { touch-action: manipulation; }
#picture > canvas { position: absolute; left: 0; width: 100%; pointer-events: none; }
#layers > #film { inset: auto; object-fit: fill; image-rendering: auto; pointer-events: none; }
#ghosts { pointer-events: none; overflow: clip; }
#ghost { position: absolute; display: flex; align-items: flex-start; gap: 0.125rem; }
#ghost[hidden], #ghost [hidden] { display: none; }
#ghost .icon { flex: none; width: 20px; height: 20px; margin: -1px 0 0 -1px; fill: var(--_accent); stroke: #fff; stroke-width: 1.5; }
#ghost span { max-width: 14rem; margin-top: 0.75rem; padding: 0.0625rem 0.4rem; overflow: hidden; border-radius: 0.75rem; background: var(--_accent); color: var(--_surface); font-size: 0.75rem; font-weight: 600; text-overflow: ellipsis; white-space: nowrap; }
#ghost[data-side="left"] span { position: absolute; right: 100%; top: 0; }
#stage[data-scrolls][data-hands="no"] #frame { cursor: grab; }
#stage[data-panning][data-hands="no"] #frame { cursor: grabbing; }
#stage[data-hands="yes"] #picture { touch-action: none; }
#keys { position: fixed; top: 0; left: 0; width: 1px; height: 1px; padding: 0; border: 0; opacity: 0; resize: none; pointer-events: none; font-size: 16px; }

.sheet {
  position: absolute; z-index: 2; top: 3.25rem; right: 0.75rem; width: min(27rem, calc(100% - 1.5rem)); max-height: calc(100% - 4rem); overflow: auto;
  padding: 1rem 1.125rem; border: 1px solid var(--_border); border-radius: calc(var(--_radius) * 1.25); background: var(--_surface);
  box-shadow: 0 2px 6px rgb(16 32 28 / 12%), 0 16px 48px rgb(16 32 28 / 22%);
}
.sheet h3 { font-size: 1.0625rem; }
dl { display: grid; gap: 0.75rem; margin-top: 0.75rem; }
dt { color: var(--_muted); font-size: 0.8125rem; font-weight: 600; }
dd.code { font-family: var(--_mono); font-size: 0.875rem; }
.sheet .actions { margin-top: 1rem; }
.combos { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.5rem; margin-block: 0.75rem; }
.clip-way { margin-top: 1rem; }
.clip-way .button { margin-top: 0.5rem; }
.sheet h4 { margin: 0; font-size: 0.9375rem; }
.modes, .zoom { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; margin-top: 0.75rem; }
.modes .button { flex: 1 1 auto; }
.zoom .button { width: 2.75rem; padding-inline: 0; font-size: 1.25rem; line-height: 1; }
.zoom output { flex: 1; text-align: center; font-weight: 600; font-variant-numeric: tabular-nums; }
.button[aria-pressed="true"] { border-color: var(--_accent); background: var(--_soft); color: var(--_accent); }
.screens { display: grid; gap: 0.625rem; margin-top: 1.125rem; padding-top: 0.875rem; border-top: 1px solid var(--_border); }
.map { position: relative; width: 100%; max-height: 14rem; }
.screen.screen { position: absolute; flex-direction: column; gap: 0; min-height: 0; padding: 0.25rem; overflow: hidden; border-width: 2px; border-radius: 4px; background-clip: padding-box; }
.screen .label { font-size: 1.25rem; }
.screen :is(.name, .size) { max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 0.75rem; font-weight: 500; }
.screen .size { color: var(--_muted); font-variant-numeric: tabular-nums; }
.causes { margin-top: 0.75rem; padding-bottom: 1rem; border-bottom: 1px solid var(--_border); }
#cause { margin-top: 0.25rem; font-size: 1rem; }
#cause:is([data-cause="unknown"], [data-cause="still"]) { color: var(--_muted); }
.stations { gap: 0.3125rem; }
.stations > div { display: grid; grid-template-columns: minmax(0, 1fr) 6rem 4.5rem; align-items: center; gap: 0.75rem; }
.stations dt { font-weight: 500; }
.stations dd { text-align: right; font-size: 0.875rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.stations .scale { height: 0.5rem; border-radius: 99px; background: var(--_hover); overflow: hidden; }
.stations .bar { display: block; height: 100%; border-radius: 99px; background: var(--_accent); }
.stations [data-worst] :is(dt, dd) { color: var(--_danger); font-weight: 650; }
.stations [data-worst] .bar { background: var(--_danger); }
.people { display: grid; margin: 0.5rem 0 0; padding: 0; list-style: none; }
.people li { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: center; gap: 0.125rem 0.75rem; padding-block: 0.625rem; }
.people li + li { border-top: 1px solid var(--_border); }
.people .who { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.5rem; }
.people .name { font-weight: 600; }
.people .role { color: var(--_muted); font-size: 0.875rem; }
.people .does { grid-column: 1; color: var(--_muted); font-size: 0.875rem; }
.people .does[data-hands="true"] { color: var(--_accent); font-weight: 600; }
.people [data-connected="false"] .does { color: var(--_danger); font-weight: 600; }
.people .button { grid-column: 2; grid-row: 1 / span 2; min-height: 2.25rem; }
.inviting { margin-top: 0.25rem; padding-top: 0.5rem; border-top: 1px solid var(--_border); }
.inviting .actions { gap: 0.5rem; margin-top: 0.75rem; }
.inviting .actions .button { flex: 1 1 auto; min-height: 2.25rem; padding-inline: 0.7rem; }

dialog {
  width: min(32rem, calc(100% - 2rem)); padding: clamp(1.25rem, 4vmin, 2rem);
  border: 1px solid var(--_border); border-radius: calc(var(--_radius) * 1.75); background: var(--_surface); color: var(--_text);
}
dialog::backdrop { background: rgb(8 16 14 / 55%); }
dialog h3 { font-size: 1.375rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.012em; }
dialog .lead { margin-top: 0.5rem; }
.big-code {
  margin-top: 1.25rem; padding: 0.75rem 0.5rem; border: 2px solid var(--_accent); border-radius: calc(var(--_radius) * 1.25); background: var(--_bg);
  font: 650 clamp(2rem, 9vmin, 2.875rem)/1.2 var(--_mono); font-variant-numeric: tabular-nums; letter-spacing: 0.02em; text-align: center; white-space: nowrap;
}
.how { display: grid; gap: 0.5rem; margin-top: 1.25rem; padding-left: 1.5rem; }
.card dl { margin-top: 1.5rem; padding-top: 1.125rem; border-top: 1px solid var(--_border); }

/* The bar stays one line as long as it can: what has an icon of its own is named by that, and when pointed at. */
@container mf (max-width: 128rem) {
  #toolbar .compact:not(#show-look, #end) .label { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
@container mf (max-width: 88rem) {
  #toolbar .compact { padding-inline: 0.55rem; }
}
@container mf (max-width: 44rem) {
  .state > span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
@container mf (max-width: 40rem) {
  #beside { flex-direction: column; }
  .pane { flex: 0 1 50%; border-inline-start: none; border-top: 1px solid var(--_border); }
}
@container mf (max-width: 79rem) {
  #toolbar { gap: 0.25rem; }
  #toolbar .compact:not(#show-look) { padding-inline: 0.4rem; }
  .path { display: none; }
}
@container mf (max-width: 74rem) {
  #toolbar .compact:not(#show-look) .label { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
@container mf (max-width: 62rem) {
  #toolbar { flex-wrap: wrap; }
  .sheet { top: auto; bottom: 0.75rem; max-height: calc(100% - 11rem); } /* below the bar, which may take several lines */
}
@container mf (max-width: 56rem) {
  #toolbar .button { padding-inline: 0.55rem; }
}
:host { container: mf / inline-size; }
@media (prefers-contrast: more) {
  :host { --_border: currentColor; --_edge: currentColor; --_muted: var(--_text); }
}
@media (forced-colors: active) {
  .button, .state, .banner, .card, .sheet, dialog { border: 1px solid; }
  .button.primary, .state[data-hands="yes"] { forced-color-adjust: none; background: Highlight; color: HighlightText; }
  .stations .bar { forced-color-adjust: none; background: CanvasText; }
  .path::before { forced-color-adjust: none; background: CanvasText; }
}
/* Marks over the screen, and steps. */
#ink { pointer-events: none; overflow: visible; outline-offset: -2px; }
#ink[data-tool] { pointer-events: auto; cursor: crosshair; touch-action: none; }
#ink path { fill: none; stroke: #d55e00; stroke-width: 4; stroke-linecap: round; stroke-linejoin: round; }
#ink .edge { stroke: #fff; stroke-width: 8; }
#ink .cross { stroke: #17211f; stroke-width: 2; paint-order: stroke; }
#stage:has(#ink[data-tool]) { box-shadow: inset 0 0 0 3px #d55e00; }
#show-marks[data-on] { border-color: #d55e00; background: var(--_warm-soft); color: var(--_warm); }
.sheet.marks { width: max-content; max-width: min(30rem, calc(100% - 1.5rem)); padding: 0.625rem 0.75rem; }
.sheet.marks .hint { margin-top: 0.125rem; font-size: 0.8125rem; }
.sheet.marks .actions { justify-content: flex-end; margin-top: 0.625rem; }
.sheet.marks .actions .button { min-height: 2.25rem; }
.palette { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0.25rem; margin-top: 0.5rem; }
.palette .button { flex-direction: column; gap: 0.125rem; min-width: 3.5rem; padding: 0.3rem 0.4rem; font-size: 0.75rem; }
.writing { display: grid; gap: 0.25rem; margin-top: 0.5rem; font-size: 0.875rem; }
:is(#mark-words, #new-steps) { width: 100%; padding: 0.4rem 0.6rem; border: 1px solid var(--_edge); border-radius: var(--_radius); background: var(--_bg); color: var(--_text); font: inherit; }
#new-steps { margin-top: 0.25rem; resize: vertical; }
#steps-pane label { font-weight: 600; }
#steps-pane .check { display: flex; align-items: baseline; gap: 0.5rem; margin-top: 0.5rem; }
#steps-pane .check label { font-weight: 400; font-size: 0.875rem; }
#steps-pane .actions { margin-top: 0.75rem; }
.taught { margin: 0.75rem 0; padding-inline-start: 1.5rem; }
.taught li { padding-block: 0.5rem; }
.taught li + li { border-top: 1px solid var(--_border); }
.taught .text { display: block; }
.taught .state-of { color: var(--_muted); font-size: 0.8125rem; font-weight: 600; }
.taught [data-state="asked"] .state-of { color: var(--_warm); }
.taught [data-state="refused"] .state-of { color: var(--_danger); }
.taught [data-state="done"] .state-of { color: var(--_accent); }
.taught .order { float: right; }
.button.small { min-height: 1.75rem; min-width: 1.75rem; padding: 0; font-size: 0.9375rem; }
.of-computer + .of-computer { margin-block-start: 1rem; padding-block-start: 1rem; border-top: 1px solid var(--_border); }
.of-computer h4 { margin-block-start: 0.5rem; }
.of-computer .state-of { margin-block-start: 0.5rem; }
.of-computer .state-of:empty { display: none; }
`;

let sheet: CSSStyleSheet | undefined;

/** One sheet for all elements of the page. */
export function styles(): CSSStyleSheet {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css + fileStyles + talkStyles);
  }
  return sheet;
}

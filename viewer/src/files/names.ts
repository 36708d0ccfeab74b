// Names from the other side, made fit for a disk of this computer: the browser
// checks them too, and this keeps them readable. The Go half is host/files.SafeName.

import { clean } from "../wire/codec";

const forbidden = /[/\\:*?"<>|]/g;
const device = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])\s*(\.|$)/i;
const ends = /^[ .]+|[ .]+$/g;
const longest = 200;

/** A name that is one file's and nothing else; never empty. */
export function safeName(name: string): string {
  // Cleaning cuts what is very long, and its ending with it.
  const ending = /\.[^./\\]{1,15}$/.exec(name)?.[0] ?? "";
  const whole = [...name].length > 240 ? [...name].slice(0, 200).join("") + ending : name;
  let safe = clean(whole).replace(forbidden, "_").replace(ends, "");
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  if (bytes(safe) > longest) {
    const dot = safe.lastIndexOf(".");
    const ext = dot > 0 && safe.length - dot <= 16 ? safe.slice(dot) : "";
    const stem = [...safe.slice(0, safe.length - ext.length)];
    while (bytes(stem.join("") + ext) > longest) stem.pop();
    safe = (stem.join("").replace(ends, "") + ext).replace(ends, "");
  }
  if (safe === "") return "file";
  return device.test(safe) ? `_${safe}` : safe;
}

/** The n-th twin of a name: "a (2).txt". */
export function twin(name: string, n: number): string {
  if (n < 2) return name;
  const dot = name.lastIndexOf(".");
  const at = dot > 0 && name.length - dot <= 16 ? dot : name.length;
  return `${name.slice(0, at)} (${n})${name.slice(at)}`;
}

import type { Download } from "./api";

/** Has the browser save a file. */
export function save({ name, body }: Download): void {
  const url = URL.createObjectURL(body);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  // The browser has taken the file up when the click is over; older ones read it a moment later.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 60_000);
}

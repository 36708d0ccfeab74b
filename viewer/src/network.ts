// What the browser says about this computer's network.

/** The Network Information API, where there is one (Chromium). */
interface NetworkInformation extends EventTarget {
  readonly type?: string; // on Android and ChromeOS only
}

export interface NetworkEvents {
  /** @param sure the addresses changed; else only the browser's estimate of the line did */
  moved(sure: boolean): void;
  offline(): void;
}

/** Listens until the function that it returns is called. */
export function watchNetwork(events: NetworkEvents): () => void {
  const stop = new AbortController();
  const on = { signal: stop.signal };
  window.addEventListener("online", () => events.moved(true), on);
  window.addEventListener("offline", () => events.offline(), on);
  const { connection } = navigator as { connection?: NetworkInformation };
  let type = connection?.type;
  connection?.addEventListener(
    "change", // in Chromium also for every new estimate of the bandwidth
    () => {
      events.moved(connection.type !== type);
      type = connection.type;
    },
    on,
  );
  return () => stop.abort();
}

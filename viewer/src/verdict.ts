// Why the picture is as late as it is: the stations that every picture passes,
// what each takes, and which of them is to blame. The numbers are the host's
// figures, the painter's and the browser's statistics; all are measured.

import type { Painted } from "./picture/tally";

/** The stations in their order. */
export const stations = ["capture", "encode", "line", "wait", "paint"] as const;
export type Station = (typeof stations)[number];

/** What was measured over about a second. */
export interface Measured {
  /** Means of one picture, ms; of the line from the host's channel to this browser. */
  readonly took: Readonly<Record<Station, number>>;
  /** Pictures a second that were painted: of tiles, and of video where something moves. */
  readonly rate: number;
  readonly film: number | null;
  /** Whether some of that video came, be it less than a picture. */
  readonly filmed: boolean;
  /** kB a second that came in. */
  readonly traffic: number;
  /** Round trip, ms, or null before the first measurement. */
  readonly rtt: number | null;
  /** Lost packets in a hundred, or null where nobody can tell. */
  readonly loss: number | null;
  /** For how long pictures are under way without one being acknowledged, ms, and what the host's channel holds back, bytes. */
  readonly waits: number;
  readonly held: number;
}

export type Cause =
  | "unknown" // nothing was measured yet
  | "still" // nothing changes
  | "film" // all that changes is video, which has no stations of its own here
  | "good"
  | "capture"
  | "encode"
  | "narrow" // the line carries too little
  | "far" // its other end is
  | "loss" // it loses too much
  | "wait"
  | "paint";

/** Up to this a picture is quick, ms from the person's screen to the technician's. */
export const quick = 120;
/** Nothing acknowledged for so long: it stands. ms. */
const stands = 1000;
/** Where a line loses more, what is lost must be sent again often enough to be felt. Per cent. */
const lossy = 1;
/** What was measured is of about so long, ms. */
const over = 1000;
/** Of fewer packets of video nobody can tell anything. */
const enough = 20;
/** The share of the line's time that its length explains. */
const length = 0.6;

export interface Verdict {
  readonly cause: Cause;
  /** How long what is to blame takes, or the whole way where nothing is, ms. */
  readonly ms: number;
}

export function verdict(measured: Measured | null): Verdict {
  if (measured === null) return { cause: "unknown", ms: 0 };
  const { took, rate, film, filmed, loss, waits, held } = measured;
  // What stands is on the line, or it is here and nobody has time for it: what the channel holds tells which.
  if (waits >= stands) return { cause: held > 0 ? onTheLine(measured, waits) : "wait", ms: waits };
  const total = stations.reduce((sum, station) => sum + took[station], 0);
  if (rate === 0 && total === 0) {
    if ((film ?? 0) > 0) return { cause: "film", ms: 0 };
    // Video comes, and in all the while not one whole picture.
    return filmed ? { cause: loses(loss) ? "loss" : "narrow", ms: over } : { cause: "still", ms: 0 };
  }
  if (total <= quick) return { cause: "good", ms: total };
  const worst = stations.reduce((a, b) => (took[b] > took[a] ? b : a));
  return { cause: worst === "line" ? onTheLine(measured, took.line) : worst, ms: took[worst] };
}

function onTheLine({ rtt, loss }: Measured, took: number): Cause {
  if (rtt !== null && rtt / 2 >= length * took) return "far";
  return loses(loss) ? "loss" : "narrow";
}

function loses(loss: number | null): boolean {
  return loss !== null && loss >= lossy;
}

/** The host's figures as they come, in the wire's units. */
export interface HostFigures {
  readonly ms: number;
  readonly updates: number;
  readonly captureUs: number;
  readonly encodeUs: number;
  readonly wayUs: number;
  readonly lateUs: number;
  readonly acked: number;
  readonly waitingBytes: number;
  readonly waitingMs: number;
  readonly rttUs: number;
}

/** What the browser counts of the connection, as sums. */
export interface Counters {
  /** When, ms of any clock that goes on. */
  readonly at: number;
  readonly bytes: number;
  /** Of the video track, if there is one: frames that were decoded, packets that came and that were lost. */
  readonly film: { readonly frames: number; readonly packets: number; readonly lost: number } | null;
  /** Round trip, ms. */
  readonly rtt: number | null;
}

/**
 * Puts the three together.
 * @param over since the counters before, ms
 */
export function measure(host: HostFigures, painted: Painted, before: Counters, now: Counters): Measured {
  const seconds = Math.max(1, now.at - before.at) / 1000;
  const each = (sum: number) => (painted.updates > 0 ? sum / painted.updates : 0);
  const paint = each(painted.work);
  // Chromium stamps a message when it takes it: how long one waited for that, the host saw.
  const wait = Math.max(each(painted.wait), host.acked > 0 ? host.lateUs / 1000 - paint : 0);
  const rtt = now.rtt ?? (host.rttUs > 0 ? host.rttUs / 1000 : null);
  // The way ends with the acknowledgement: painting is in it, and so is the way back.
  const line = host.acked > 0 ? Math.max(0, host.wayUs / 1000 - wait - paint - (rtt ?? 0) / 2) : 0;
  const film = now.film && before.film;
  const packets = film ? now.film.packets - film.packets : 0;
  const lost = film ? Math.max(0, now.film.lost - film.lost) : 0;
  return {
    // A look at the screen that came to nothing is not a part of any picture.
    took: {
      capture: host.updates > 0 ? host.captureUs / 1000 : 0,
      encode: host.encodeUs / 1000,
      line,
      wait,
      paint,
    },
    rate: Math.round(painted.updates / seconds),
    film: film ? Math.round((now.film.frames - film.frames) / seconds) : null,
    filmed: packets >= enough,
    traffic: Math.max(0, now.bytes - before.bytes) / 1000 / seconds,
    rtt: rtt === null ? null : Math.round(rtt),
    loss: packets + lost >= enough ? (lost * 100) / (packets + lost) : null,
    waits: host.waitingMs,
    held: host.waitingBytes,
  };
}

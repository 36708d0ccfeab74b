// How a connection goes, read from the browser's statistics (W3C webrtc-stats).

import type { Counters } from "./verdict";

export interface RouteFacts {
  /** Straight, or by a relay, and how this browser reaches the relay. */
  readonly way: "direct" | "udp" | "tcp" | "tls" | "theirs";
  /** Round trip, ms, or null before the first measurement. */
  readonly rtt: number | null;
}

/** What a browser's statistics hold. */
export interface Stats {
  forEach(f: (entry: unknown) => void): void;
  get(id: string): unknown;
}

interface Pair {
  type: string;
  state?: string;
  nominated?: boolean;
  localCandidateId?: string;
  remoteCandidateId?: string;
  currentRoundTripTime?: number; // s
  bytesReceived?: number;
}
interface Film {
  type: string;
  kind?: string;
  framesDecoded?: number;
  packetsReceived?: number;
  packetsLost?: number;
}
interface Candidate {
  candidateType?: string;
  relayProtocol?: string;
}

/** The selected pair; null while there is none. "theirs": only the other side uses a relay. */
export function routeOf(stats: Stats): RouteFacts | null {
  const pair = pairOf(stats);
  if (pair === undefined) return null;
  const find = (id: string | undefined) =>
    (id === undefined ? undefined : (stats.get(id) as Candidate | undefined)) ?? {};
  const local = find(pair.localCandidateId);
  const remote = find(pair.remoteCandidateId);
  return {
    way:
      local.candidateType === "relay"
        ? ((["tcp", "tls"] as const).find((p) => p === local.relayProtocol) ?? "udp")
        : remote.candidateType === "relay"
          ? "theirs"
          : "direct",
    rtt: rttOf(pair),
  };
}

/**
 * What was counted so far.
 * @param at ms of any clock that goes on
 */
export function countersOf(stats: Stats, at: number): Counters {
  const pair = pairOf(stats);
  let film: Counters["film"] = null;
  stats.forEach((entry) => {
    const { type, kind, framesDecoded, packetsReceived, packetsLost } = entry as Film;
    if (type !== "inbound-rtp" || kind !== "video") return;
    film = { frames: framesDecoded ?? 0, packets: packetsReceived ?? 0, lost: packetsLost ?? 0 };
  });
  return { at, bytes: pair?.bytesReceived ?? 0, film, rtt: pair === undefined ? null : rttOf(pair) };
}

function rttOf({ currentRoundTripTime: seconds }: Pair): number | null {
  return seconds === undefined ? null : Math.round(seconds * 1000);
}

function pairOf(stats: Stats): Pair | undefined {
  let chosen: string | undefined;
  let working: Pair | undefined;
  stats.forEach((entry) => {
    const { type, selectedCandidatePairId } = entry as { type: string; selectedCandidatePairId?: string };
    if (type === "transport") chosen ??= selectedCandidatePairId;
    // Firefox names no pair in its transport: the one that it nominated and that works.
    const pair = entry as Pair;
    if (type === "candidate-pair" && pair.nominated === true && pair.state === "succeeded") working ??= pair;
  });
  return (chosen === undefined ? undefined : (stats.get(chosen) as Pair | undefined)) ?? working;
}

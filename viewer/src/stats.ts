// How a connection goes, read from the browser's statistics (W3C webrtc-stats).

export interface RouteFacts {
  /** Straight, or by a relay, and how this browser reaches the relay. */
  readonly way: "direct" | "udp" | "tcp" | "tls" | "theirs";
  /** Round trip, ms, or null before the first measurement. */
  readonly rtt: number | null;
}

interface Pair {
  type: string;
  state?: string;
  nominated?: boolean;
  localCandidateId?: string;
  remoteCandidateId?: string;
  currentRoundTripTime?: number; // s
}
interface Candidate {
  candidateType?: string;
  relayProtocol?: string;
}

/** The selected pair; null while there is none. "theirs": only the other side uses a relay. */
export function routeOf(stats: {
  forEach(f: (entry: unknown) => void): void;
  get(id: string): unknown;
}): RouteFacts | null {
  let chosen: string | undefined;
  let working: Pair | undefined;
  stats.forEach((entry) => {
    const { type, selectedCandidatePairId } = entry as { type: string; selectedCandidatePairId?: string };
    if (type === "transport") chosen ??= selectedCandidatePairId;
    // Firefox names no pair in its transport: the one that it nominated and that works.
    const pair = entry as Pair;
    if (type === "candidate-pair" && pair.nominated === true && pair.state === "succeeded") working ??= pair;
  });
  const pair = (chosen === undefined ? undefined : (stats.get(chosen) as Pair | undefined)) ?? working;
  if (pair === undefined) return null;
  const find = (id: string | undefined) =>
    (id === undefined ? undefined : (stats.get(id) as Candidate | undefined)) ?? {};
  const local = find(pair.localCandidateId);
  const remote = find(pair.remoteCandidateId);
  const seconds = pair.currentRoundTripTime;
  return {
    way:
      local.candidateType === "relay"
        ? ((["tcp", "tls"] as const).find((p) => p === local.relayProtocol) ?? "udp")
        : remote.candidateType === "relay"
          ? "theirs"
          : "direct",
    rtt: seconds === undefined ? null : Math.round(seconds * 1000),
  };
}

// The WebRTC connection that one attach began and later ones may keep, with its
// negotiated data channels (PROTOCOL.md §1.8). Descriptions and candidates
// go out sealed. Browser workarounds stand here, in picture/screen.ts
// and in picture/film.ts, nowhere else.

import type { SealedInit } from "./attach";
import { Control, type ControlBody, type ControlInit, type Proof } from "./control";
import { Reason, type Candidate, type Description } from "./gen/signaling_pb";
import { Sender } from "./input/sender";
import { certificateHash, parseFingerprint, Role, type Link } from "./pake/link";
import { canFilm, type Film } from "./picture/film";
import type { Screen } from "./picture/screen";
import type { Path } from "./route";
import { countersOf, routeOf, type RouteFacts } from "./stats";
import type { Outlet, ToolChannel } from "./tool";
import type { Counters } from "./verdict";
import { equal, reasonOf, WireError } from "./wire/codec";
import { encodeShown, parseAck } from "./wire/input";
import { channelInit, channels, type Channel } from "./wire/limits";

export interface ConnectionEvents {
  /** To be sealed and sent. */
  seal(body: SealedInit): void;
  /** The certificate proof passed. */
  proven(): void;
  control(body: ControlBody): void;
  /** A message of the channel `cursor`, after the proof. */
  cursor(data: unknown): void;
  /** The proof passed, and the channels of all tools are open: what is sent on them arrives. */
  toolsUp(): void;
  /** A message for a tool, after toolsUp. */
  tool(channel: ToolChannel, message: ArrayBuffer): void;
  path(path: Path): void;
  /** The host answered an offer. */
  answered(): void;
  /**
   * Nothing more comes of this connection; another attach may.
   * @param refused no direct way, and the relays would not carry it
   */
  lost(refused: boolean): void;
  /** Ends the session. */
  failed(reason: Reason): void;
}

/** What a session needs of its connection; tests have their own. */
export interface HostConnection {
  readonly sender: Pick<Sender, "open" | "motion" | "button" | "wheel" | "key" | "text" | "release">;
  start(): Promise<void>;
  /** Offers an ICE restart: another way for the connection that stands. */
  restart(): void;
  /** A new epoch stands and the connection is kept: an offer under way is void. */
  kept(): void;
  /** The relays from now on. */
  relays(servers: RTCIceServer[]): void;
  /** The way that the connection goes, null if there is none, and what was counted so far. */
  stats(): Promise<{ route: RouteFacts | null; counters: Counters }>;
  description(description: Description): void;
  candidate(candidate: Candidate): void;
  send(body: ControlInit): void;
  /** Sends what a host that does not know it may skip. */
  hint(body: ControlInit): void;
  /** The end of a tool's channel. */
  outlet(channel: ToolChannel): Outlet;
  /** @param reason the last word to the host, if there is one */
  close(reason?: Reason): void;
}

/** From the offer to the proof, ms. */
const connectTimeout = 20_000;
/** What a last word may take to leave before the connection closes, ms. */
const linger = 250;
/** Candidates that may wait for the host's answer, cursor messages for the proof. */
const maxWaiting = 64;

export class Connection implements HostConnection {
  readonly sender: Sender;
  #events: ConnectionEvents;
  #pc: RTCPeerConnection;
  #certificate: RTCCertificate;
  #link: Link;
  #screen: Screen;
  #control: Control;
  #hostCertificate: Uint8Array | undefined;
  #offered: Promise<void> = Promise.resolve(); // our newest offer is set
  #answered = false; // our newest offer was
  #candidates: RTCIceCandidateInit[] = [];
  #early: unknown[] = []; // cursor messages that overtook the proof
  #earlyTools: [ToolChannel, ArrayBuffer][] = []; // and those of tools
  #proven = false;
  #ready = false; // the tools know of this connection
  #closed = false;
  #outlets = new Map<ToolChannel, Channeled>();
  #relayed = false; // a relay gave us an address
  #refused = false; // a relay refused
  #deadline: ReturnType<typeof setTimeout> | undefined;

  /** @param certificate from makeCertificate */
  constructor(
    certificate: RTCCertificate,
    iceServers: RTCIceServer[],
    screen: Screen,
    film: Pick<Film, "take">,
    link: Link,
    lang: string,
    events: ConnectionEvents,
  ) {
    this.#certificate = certificate;
    this.#screen = screen;
    this.#link = link;
    this.#events = events;
    const pc = new RTCPeerConnection({ certificates: [certificate], bundlePolicy: "max-bundle", iceServers });
    this.#pc = pc;
    const open = (channel: Channel) => {
      const opened = pc.createDataChannel(channel.label, channelInit(channel));
      opened.binaryType = "arraybuffer";
      return opened;
    };

    screen.take(open(channels.tiles), open(channels.tilesFast)); // nothing may come between, see Screen.take

    const control = open(channels.control);
    this.#control = new Control(control, this.#proof(), lang, {
      proven: () => this.#passed(),
      message: (body) => this.#events.control(body),
      failed: (reason) => this.#fail(reason),
    });
    control.onopen = () => this.#control.opened();
    control.onmessage = (event) => this.#control.received(event.data);
    control.onclose = () => void this.#control.settled().then(() => this.#lose()); // after the host's last word

    const input = open(channels.input);
    const fast = open(channels.inputFast);
    this.sender = new Sender(input, fast);
    input.onmessage = () => this.#fail(Reason.PROTOCOL); // nothing comes back on it
    fast.onmessage = (event) => this.#guard(() => this.#acked(event.data));

    open(channels.cursor).onmessage = (event) => this.#cursor(event.data);

    for (const name of tools) {
      const channel = open(channels[name]);
      this.#outlets.set(name, new Channeled(channel));
      channel.onopen = () => this.#toolsUp();
      channel.onmessage = (event) => this.#guard(() => this.#told(name, event.data));
    }

    const video = canFilm() ? receiveVideo(pc) : undefined;
    if (video) {
      film.take(video.receiver, (timestamp) => {
        if (this.#proven && fast.readyState === "open") fast.send(encodeShown(timestamp));
      });
    }
    pc.ontrack = (event) => {
      if (event.transceiver !== video) this.#fail(Reason.PROTOCOL); // C51
    };
    pc.ondatachannel = (event) => event.channel.close(); // C26
    pc.onicecandidate = ({ candidate }) => this.#found(candidate);
    pc.onicecandidateerror = ({ errorCode }) => {
      // STUN's 4xx: the relay answered, and would not (RFC 8656 §19). 701 is a relay out of reach.
      if (errorCode >= 400 && errorCode < 500) this.#refused = true;
    };
    pc.onconnectionstatechange = () => void this.#changed();
  }

  /** Makes the offer. */
  async start(): Promise<void> {
    this.#deadline = setTimeout(() => this.#lose(), connectTimeout);
    await this.#offer({});
  }

  description(description: Description): void {
    // A quick host answers before this browser has set the offer that it answers.
    this.#offered.then(
      () => this.#answer(description),
      () => undefined, // said where the offer is made
    );
  }

  #answer(description: Description): void {
    if (this.#closed) return;
    if (description.type !== "answer" || this.#pc.signalingState !== "have-local-offer") {
      this.#fail(Reason.PROTOCOL);
      return;
    }
    this.#pc.setRemoteDescription({ type: "answer", sdp: description.sdp }).then(
      () => {
        this.#answered = true;
        this.#events.answered();
        for (const candidate of this.#candidates.splice(0)) this.#add(candidate);
      },
      () => this.#fail(Reason.PROTOCOL),
    );
  }

  candidate({ candidate, sdpMid, sdpMlineIndex }: Candidate): void {
    if (candidate === "") return; // the end of candidates: ICE ends by itself
    const init = { candidate, sdpMid, sdpMLineIndex: sdpMlineIndex };
    // Those of an ICE restart must not reach the agent before the answer that names its user.
    if (this.#answered) this.#add(init);
    else if (this.#candidates.length < maxWaiting) this.#candidates.push(init);
  }

  restart(): void {
    this.#offer({ iceRestart: true }).catch((error: unknown) => this.#fail(reasonOf(error)));
  }

  kept(): void {
    this.#candidates = [];
  }

  relays(iceServers: RTCIceServer[]): void {
    this.#pc.setConfiguration({ certificates: [this.#certificate], bundlePolicy: "max-bundle", iceServers });
  }

  async stats(): Promise<{ route: RouteFacts | null; counters: Counters }> {
    const stats = await this.#pc.getStats();
    return { route: routeOf(stats), counters: countersOf(stats, performance.now()) };
  }

  send(body: ControlInit): void {
    this.#control.send(body);
  }

  hint(body: ControlInit): void {
    this.#control.hint(body);
  }

  outlet(channel: ToolChannel): Outlet {
    const outlet = this.#outlets.get(channel);
    if (outlet === undefined) throw new Error("no such channel");
    return outlet;
  }

  close(reason?: Reason): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#deadline);
    this.sender.close();
    const lastWord = reason !== undefined && this.#control.proven;
    if (lastWord) this.#control.send({ case: "bye", value: { reason } });
    this.#control.close();
    if (lastWord) setTimeout(() => this.#pc.close(), linger);
    else this.#pc.close();
  }

  async #offer(options: RTCOfferOptions): Promise<void> {
    const offer = await this.#pc.createOffer(options);
    if (this.#closed || offer.sdp === undefined) return;
    this.#answered = false;
    // Sealed before setLocalDescription, so that no candidate goes out ahead of its offer.
    this.#events.seal({ case: "description", value: { type: "offer", sdp: offer.sdp } });
    this.#offered = this.#pc.setLocalDescription(offer);
    await this.#offered;
  }

  #found(candidate: RTCIceCandidate | null): void {
    if (candidate?.type === "relay") this.#relayed = true;
    this.#events.seal({
      case: "candidate",
      value: {
        candidate: candidate?.candidate ?? "",
        sdpMid: candidate?.sdpMid ?? "",
        sdpMlineIndex: candidate?.sdpMLineIndex ?? 0,
      },
    });
  }

  #add(candidate: RTCIceCandidateInit): void {
    // One candidate that this browser cannot use is no reason to end: others may do.
    this.#pc.addIceCandidate(candidate).catch(() => undefined);
  }

  #proof(): Proof {
    return {
      ours: async () => {
        const { viewer, host } = await this.#certificates();
        return this.#link.proof(Role.viewer, viewer, host);
      },
      check: async (mac) => {
        const { viewer, host } = await this.#certificates();
        await this.#link.checkProof(Role.host, mac, viewer, host);
        this.#hostCertificate = host;
      },
    };
  }

  /** SHA-256 of the certificates in use: ours as the browser made it, the host's as DTLS saw it. */
  async #certificates(): Promise<{ viewer: Uint8Array; host: Uint8Array }> {
    const print = this.#certificate.getFingerprints().find((f) => f.algorithm?.toLowerCase() === "sha-256");
    const viewer = parseFingerprint(print?.value ?? "");
    const der = this.#pc.sctp?.transport.getRemoteCertificates()[0];
    if (viewer === null || der === undefined) {
      throw new WireError(Reason.CERTIFICATE_MISMATCH, "the certificates in use are not known");
    }
    return { viewer, host: await certificateHash(der) };
  }

  #passed(): void {
    this.#proven = true;
    clearTimeout(this.#deadline);
    this.#screen.begin();
    this.#events.proven();
    for (const data of this.#early.splice(0)) this.#guard(() => this.#events.cursor(data));
    this.#toolsUp();
  }

  #acked(data: unknown): void {
    if (!this.#proven) return; // unreliable, and nothing is believed yet
    if (!(data instanceof ArrayBuffer)) throw new WireError(Reason.PROTOCOL, "a text message");
    const seq = parseAck(data);
    if (seq !== undefined) this.sender.acked(seq);
  }

  #toolsUp(): void {
    if (!this.#proven || this.#closed || this.#ready) return;
    for (const outlet of this.#outlets.values()) if (!outlet.open) return; // its opening calls again
    this.#ready = true;
    this.#events.toolsUp();
    for (const [name, data] of this.#earlyTools.splice(0)) this.#guard(() => this.#events.tool(name, data));
  }

  // As with the cursor: what overtook the proof waits for it, and for the other channels.
  #told(name: ToolChannel, data: unknown): void {
    if (!(data instanceof ArrayBuffer)) throw new WireError(Reason.PROTOCOL, "a text message");
    if (data.byteLength > channels[name].max) throw new WireError(Reason.TOO_LARGE, name);
    if (this.#ready) this.#events.tool(name, data);
    else if (this.#earlyTools.length < maxWaiting) this.#earlyTools.push([name, data]);
    else throw new WireError(Reason.PROTOCOL, "too many messages before the proof");
  }

  // The host sends these after its proof, but on another stream: a lost packet can let them overtake it.
  #cursor(data: unknown): void {
    if (this.#proven) this.#guard(() => this.#events.cursor(data));
    else if (this.#early.length < maxWaiting) this.#early.push(data);
    else this.#fail(Reason.PROTOCOL);
  }

  async #changed(): Promise<void> {
    const state = this.#pc.connectionState;
    if (this.#closed || state === "closed") return;
    if (!this.#proven) {
      if (state === "failed") this.#lose();
      return;
    }
    if (state === "connected") {
      if (await this.#sameHost()) this.#events.path("up");
      else this.#fail(Reason.CERTIFICATE_MISMATCH);
    } else if (state === "disconnected" || state === "failed") {
      this.#events.path(state === "failed" ? "failed" : "interrupted");
    }
  }

  // An ICE restart keeps the DTLS association; that it did is checked, not assumed (C25).
  async #sameHost(): Promise<boolean> {
    try {
      const { host } = await this.#certificates();
      return this.#hostCertificate !== undefined && equal(host, this.#hostCertificate);
    } catch {
      return false;
    }
  }

  #guard(work: () => void): void {
    if (this.#closed) return;
    try {
      work();
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  #lose(): void {
    if (this.#closed) return;
    this.close();
    this.#events.lost(this.#refused && !this.#relayed);
  }

  #fail(reason: Reason): void {
    if (this.#closed) return;
    this.close(reason);
    this.#events.failed(reason);
  }
}

const tools = ["files", "clip", "talk", "marks"] as const satisfies readonly ToolChannel[];

class Channeled implements Outlet {
  #channel: RTCDataChannel;

  constructor(channel: RTCDataChannel) {
    this.#channel = channel;
  }

  get open(): boolean {
    return this.#channel.readyState === "open";
  }

  get waiting(): number {
    return this.#channel.bufferedAmount;
  }

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (!this.open) return false;
    this.#channel.send(message);
    return true;
  }

  drained(below: number): Promise<void> {
    const channel = this.#channel;
    if (channel.bufferedAmount <= below || channel.readyState !== "open") return Promise.resolve();
    channel.bufferedAmountLowThreshold = below;
    return new Promise((resolve) => {
      const done = () => {
        channel.removeEventListener("bufferedamountlow", done);
        channel.removeEventListener("close", done);
        resolve();
      };
      channel.addEventListener("bufferedamountlow", done);
      channel.addEventListener("close", done);
    });
  }
}

/** What of a browser's codecs the host's video track can use. */
const videoTypes = new Set(["video/vp8", "video/rtx", "video/flexfec-03"]);

/** Asks for the host's video track; undefined where the browser cannot show it. */
function receiveVideo(pc: RTCPeerConnection): RTCRtpTransceiver | undefined {
  const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const ours = codecs.filter(({ mimeType }) => videoTypes.has(mimeType.toLowerCase()));
  if (!ours.some(({ mimeType }) => mimeType.toLowerCase() === "video/vp8")) return undefined;
  const transceiver = pc.addTransceiver("video", { direction: "recvonly" });
  transceiver.setCodecPreferences(ours);
  // Each packet says that it may be shown at once; this is for browsers that do not read it.
  transceiver.receiver.jitterBufferTarget = 0;
  return transceiver;
}

/** A certificate for one connection. */
export function makeCertificate(): Promise<RTCCertificate> {
  const algorithm: EcKeyGenParams = { name: "ECDSA", namedCurve: "P-256" };
  return RTCPeerConnection.generateCertificate(algorithm);
}

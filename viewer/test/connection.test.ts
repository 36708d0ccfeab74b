// The connection of one attach: what may flow when, over a browser's objects
// that keep the browser's rules (a data channel is transferred in the task that
// created it, or not at all).
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { create, toBinary } from "@bufbuild/protobuf";
import type { SealedInit } from "../src/attach";
import { Connection } from "../src/connection";
import { ControlSchema } from "../src/gen/session_pb";
import { Kind, Reason, type Candidate } from "../src/gen/signaling_pb";
import { certificateHash, Keys, newNonce, Role, type Link } from "../src/pake/link";
import type { Film } from "../src/picture/film";
import type { Screen } from "../src/picture/screen";
import { decode } from "../src/wire/codec";
import { settle } from "./fakes";

class FakeChannel {
  readyState = "connecting";
  binaryType = "blob";
  bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  sent: Uint8Array[] = [];
  constructor(
    readonly label: string,
    readonly init: RTCDataChannelInit,
  ) {}
  send(data: Uint8Array) {
    this.sent.push(Uint8Array.from(data));
  }
  receive(data: Uint8Array | string) {
    this.onmessage?.({ data: typeof data === "string" ? data : Uint8Array.from(data).buffer });
  }
}

const hostDer = Uint8Array.of(1, 2, 3);
const viewerHash = new Uint8Array(32).fill(0xab);
const certificate = {
  getFingerprints: () => [{ algorithm: "sha-256", value: Array(32).fill("AB").join(":") }],
} as unknown as RTCCertificate;

class FakePeer {
  static last: FakePeer;
  connectionState = "new";
  signalingState = "stable";
  remoteDescription: unknown = null;
  channels: FakeChannel[] = [];
  log: string[] = [];
  der: Uint8Array<ArrayBuffer> = hostDer;
  sctp = { transport: { getRemoteCertificates: () => [this.der.buffer] } };
  ondatachannel: ((event: unknown) => void) | null = null;
  onicecandidate: ((event: unknown) => void) | null = null;
  onicecandidateerror: ((event: { errorCode: number }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: { transceiver: unknown }) => void) | null = null;
  shown: (timestamp: number) => void = () => undefined;
  transceivers: { kind: string; direction: string; codecs: string[]; receiver: unknown }[] = [];
  configurations: RTCConfiguration[] = [];
  constructor(readonly configuration: RTCConfiguration) {
    FakePeer.last = this;
  }
  createDataChannel(label: string, init: RTCDataChannelInit) {
    const channel = new FakeChannel(label, init);
    this.channels.push(channel);
    this.log.push(`channel ${label}`);
    return channel;
  }
  addTransceiver(kind: string, init: { direction: string }) {
    const transceiver = {
      kind,
      direction: init.direction,
      codecs: [] as string[],
      receiver: { name: kind, jitterBufferTarget: null as number | null },
      setCodecPreferences: (codecs: { mimeType: string }[]) => {
        transceiver.codecs = codecs.map(({ mimeType }) => mimeType);
      },
    };
    this.transceivers.push(transceiver);
    return transceiver;
  }
  setConfiguration(configuration: RTCConfiguration) {
    this.configurations.push(configuration);
  }
  async createOffer(options: { iceRestart?: boolean }) {
    return { type: "offer", sdp: options.iceRestart ? "again" : "first" };
  }
  async setLocalDescription() {
    await Promise.resolve(); // as in a browser, it takes its time
    this.signalingState = "have-local-offer";
    this.log.push("local");
  }
  async setRemoteDescription(d: { sdp: string }) {
    if (d.sdp === "bad") throw new Error("bad sdp");
    this.remoteDescription = d;
    this.signalingState = "stable";
    this.log.push("remote");
  }
  async addIceCandidate(c: { candidate: string }) {
    this.log.push(`add ${c.candidate}`);
    if (c.candidate === "unusable") throw new Error("unusable");
  }
  close() {
    this.log.push("close");
  }
  channel(label: string): FakeChannel {
    const found = this.channels.find((c) => c.label === label);
    if (found === undefined) throw new Error(`no channel ${label}`);
    return found;
  }
  become(state: string) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

async function setup() {
  const isk = new Uint8Array(64).fill(5);
  const [nv, nh] = [newNonce(), newNonce()];
  const key = new Uint8Array(32);
  const link = await new Keys(isk, key).attach(1, nv, nh);
  const hostLink: Link = await new Keys(isk, key, Role.host).attach(1, nv, nh);
  const log: string[] = [];
  const sealed: SealedInit[] = [];
  const relays = [{ urls: ["turn:a"], username: "u", credential: "c" }];
  const screen = {
    take: (channel: FakeChannel) => log.push(`take ${channel.label} after ${FakePeer.last.log.length}`),
    begin: () => log.push("begin"),
  } as unknown as Screen;
  const film = {
    take: (receiver: { name: string }, shown: (timestamp: number) => void) => {
      log.push(`film ${receiver.name}`);
      FakePeer.last.shown = shown;
    },
  } as unknown as Film;
  const connection = new Connection(certificate, relays, screen, film, link, "en", {
    seal: (body) => sealed.push(body),
    proven: () => log.push("proven"),
    toolsUp: () => log.push("tools up"),
    control: (body) => log.push(`control ${body.case}`),
    cursor: (data) => {
      if (typeof data === "string") throw new Error("text");
      log.push(`cursor ${new Uint8Array(data as ArrayBuffer)[0]}`);
    },
    tool: (channel, message) => log.push(`tool ${channel} ${message.byteLength}`),
    path: (path) => log.push(`path ${path}`),
    answered: () => log.push("answered"),
    lost: (refused) => log.push(refused ? "lost refused" : "lost"),
    failed: (reason) => log.push(`failed ${Reason[reason]}`),
  });
  const peer = FakePeer.last;
  for (const channel of peer.channels) channel.readyState = "open";
  const hostHash = await certificateHash(hostDer);
  const proof = (role: Role, viewer = viewerHash, host = hostHash) => hostLink.proof(role, viewer, host);
  const say = (body: NonNullable<Parameters<typeof create<typeof ControlSchema>>[1]>["body"]) =>
    peer.channel("ctl").receive(toBinary(ControlSchema, create(ControlSchema, body ? { body } : {})));
  const prove = async () => {
    peer.channel("ctl").onopen?.();
    say({ case: "proof", value: { mac: await proof(Role.host) } });
    await settle();
  };
  return { connection, peer, log, sealed, hostLink, hostHash, proof, say, prove };
}

const candidate = (value: string) => ({ candidate: value, sdpMid: "0", sdpMlineIndex: 0 }) as Candidate;

beforeEach(() => {
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("HTMLVideoElement", { prototype: {} });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A browser that shows video, with these codecs. */
function filming(...codecs: string[]) {
  class Element {
    requestVideoFrameCallback() {}
  }
  vi.stubGlobal("HTMLVideoElement", Element);
  vi.stubGlobal("RTCRtpReceiver", {
    getCapabilities: () => ({ codecs: codecs.map((mimeType) => ({ mimeType })) }),
  });
}

describe("the video track", () => {
  const all = ["video/VP8", "video/rtx", "video/VP9", "video/red", "video/flexfec-03", "video/H264"];

  test("is asked for once, to receive, with what the host can send", async () => {
    filming(...all);
    const { peer, log } = await setup();
    expect(peer.transceivers).toHaveLength(1);
    expect(peer.transceivers[0]).toMatchObject({
      kind: "video",
      direction: "recvonly",
      codecs: ["video/VP8", "video/rtx", "video/flexfec-03"],
      receiver: { jitterBufferTarget: 0 },
    });
    expect(log).toContain("film video");
  });

  test("is not asked for where nothing would say what is shown, or decode it", async () => {
    vi.stubGlobal("HTMLVideoElement", { prototype: {} });
    expect((await setup()).peer.transceivers).toEqual([]);
    filming("video/VP9", "video/rtx");
    expect((await setup()).peer.transceivers).toEqual([]);
  });

  test("what is shown is said after the proof, while the channel is open", async () => {
    filming(...all);
    const { peer, prove } = await setup();
    peer.shown(7);
    expect(peer.channel("in-fast").sent).toEqual([]);
    await prove();
    peer.shown(0x01020304);
    expect(peer.channel("in-fast").sent).toEqual([Uint8Array.of(16, 128, 0, 0, 4, 3, 2, 1)]);
    peer.channel("in-fast").readyState = "closing";
    peer.shown(8);
    expect(peer.channel("in-fast").sent).toHaveLength(1);
  });

  test("any other track ends the session (C51)", async () => {
    filming(...all);
    const { peer, log } = await setup();
    peer.ontrack?.({ transceiver: peer.transceivers[0] });
    expect(log.filter((line) => line.startsWith("failed"))).toEqual([]);
    peer.ontrack?.({ transceiver: {} });
    expect(log).toContain("failed PROTOCOL");
  });

  test("a track that nobody asked for ends the session (C51)", async () => {
    vi.stubGlobal("HTMLVideoElement", { prototype: {} });
    const { peer, log } = await setup();
    peer.ontrack?.({ transceiver: {} });
    expect(log).toContain("failed PROTOCOL");
  });
});

describe("channels", () => {
  test("are those of the protocol, negotiated, and those of the picture are given away before anything else happens", async () => {
    const { peer, log } = await setup();
    expect(
      peer.channels.map(({ label, init }) => [init.id, label, init.ordered, init.maxRetransmits]),
    ).toEqual([
      [4, "tiles", true, undefined],
      [5, "tiles-fast", false, 0],
      [0, "ctl", true, undefined],
      [1, "in", true, undefined],
      [2, "in-fast", false, 0],
      [3, "cursor", true, undefined],
      [6, "files", true, undefined],
      [7, "clip", true, undefined],
      [8, "talk", true, undefined],
      [9, "marks", true, undefined],
    ]);
    expect(peer.channels.every(({ init }) => init.negotiated === true && init.protocol === "mf/1")).toBe(
      true,
    );
    expect(log).toEqual(["take tiles after 2"]);
  });

  test("another one is closed at once (C26)", async () => {
    const { peer, log } = await setup();
    const close = vi.fn();
    peer.ondatachannel?.({ channel: { close } });
    expect(close).toHaveBeenCalledOnce();
    expect(log).toEqual(["take tiles after 2"]);
  });

  test("nothing comes back on the channel in", async () => {
    const { peer, log, prove } = await setup();
    await prove();
    peer.channel("in").receive(Uint8Array.of(1));
    expect(log.at(-1)).toBe("failed PROTOCOL");
  });
});

describe("the certificate proof (C25)", () => {
  test("ours is over both certificates in use, and nothing else is sent before the host's", async () => {
    const { peer, log, proof, prove, connection } = await setup();
    peer.channel("ctl").onopen?.();
    connection.send({ case: "ask", value: { name: "control" } });
    await settle();
    const [first, ...rest] = peer.channel("ctl").sent;
    const message = decode(ControlSchema, first ?? new Uint8Array(0), 1 << 14);
    expect(message.body.case).toBe("proof");
    if (message.body.case === "proof") expect(message.body.value.mac).toEqual(await proof(Role.viewer));
    expect(rest).toEqual([]);
    for (const label of ["in", "in-fast", "cursor", "tiles", "tiles-fast"])
      expect(peer.channel(label).sent).toEqual([]);
    expect(log).not.toContain("begin");
    await prove();
    expect(log.slice(1)).toEqual(["begin", "proven", "tools up"]);
  });

  test.each([
    ["the viewer's role", Role.viewer, undefined, undefined],
    ["another viewer's certificate", Role.host, new Uint8Array(32), undefined],
    ["another host's certificate", Role.host, undefined, new Uint8Array(32)],
  ])("one for %s ends it before the picture begins", async (_, role, viewer, host) => {
    const { peer, log, proof, say } = await setup();
    peer.channel("ctl").onopen?.();
    say({ case: "proof", value: { mac: await proof(role, viewer, host) } });
    await settle();
    expect(log.slice(1)).toEqual(["failed CERTIFICATE_MISMATCH"]);
    expect(peer.log.at(-1)).toBe("close");
  });

  test("a host whose DTLS certificate is unknown is not believed", async () => {
    const { peer, log, prove } = await setup();
    peer.sctp.transport.getRemoteCertificates = () => [];
    await prove();
    expect(log.slice(1)).toEqual(["failed CERTIFICATE_MISMATCH"]);
  });

  test("cursor messages that overtake it wait, in order and bounded; acknowledgements are not believed", async () => {
    const { peer, log, prove } = await setup();
    peer.channel("cursor").receive(Uint8Array.of(1));
    peer.channel("cursor").receive(Uint8Array.of(2));
    peer.channel("in-fast").receive(Uint8Array.of(99)); // would end it if it were read
    expect(log).toHaveLength(1);
    await prove();
    expect(log.slice(1)).toEqual(["begin", "proven", "cursor 1", "cursor 2", "tools up"]);
    peer.channel("in-fast").receive(Uint8Array.of(99));
    expect(log.at(-1)).toBe("failed PROTOCOL");
  });

  test("tools hear of it when all their channels are open, and of what came before that only then", async () => {
    const { peer, log, prove } = await setup();
    const marks = peer.channel("marks");
    marks.readyState = "connecting";
    peer.channel("talk").receive(Uint8Array.of(7));
    await prove();
    peer.channel("talk").receive(Uint8Array.of(7, 8));
    peer.channel("files").onopen?.();
    expect(log.slice(1)).toEqual(["begin", "proven"]);
    marks.readyState = "open";
    marks.onopen?.();
    peer.channel("files").onopen?.();
    expect(log.slice(3)).toEqual(["tools up", "tool talk 1", "tool talk 2"]);
  });

  test("a flood of cursor messages before it ends it", async () => {
    const { peer, log } = await setup();
    for (let i = 0; i < 65; i++) peer.channel("cursor").receive(Uint8Array.of(1));
    expect(log.at(-1)).toBe("failed PROTOCOL");
  });

  test("after an interruption the host must still be the same", async () => {
    const { peer, log, prove } = await setup();
    await prove();
    peer.become("disconnected");
    peer.become("connected");
    await settle();
    expect(log.slice(-2)).toEqual(["path interrupted", "path up"]);
    peer.der = Uint8Array.of(9);
    peer.become("connected");
    await settle();
    expect(log.at(-1)).toBe("failed CERTIFICATE_MISMATCH");
  });
});

describe("offer and answer", () => {
  test("the offer is sealed before any candidate can be found", async () => {
    const { connection, peer, sealed } = await setup();
    await connection.start();
    peer.onicecandidate?.({ candidate: { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 } });
    peer.onicecandidate?.({ candidate: null });
    expect(sealed).toEqual([
      { case: "description", value: { type: "offer", sdp: "first" } },
      { case: "candidate", value: { candidate: "candidate:1", sdpMid: "0", sdpMlineIndex: 0 } },
      { case: "candidate", value: { candidate: "", sdpMid: "", sdpMlineIndex: 0 } },
    ]);
    expect(peer.log.at(-1)).toBe("local");
  });

  test("an answer that is quicker than the browser's own offer waits for it", async () => {
    const { connection, peer, log, sealed } = await setup();
    const started = connection.start();
    while (sealed.length === 0) await Promise.resolve();
    connection.description({ type: "answer", sdp: "v=0" } as never);
    await started;
    await settle();
    expect(peer.log.slice(-2)).toEqual(["local", "remote"]);
    expect(log.slice(1)).toEqual(["answered"]);
  });

  test("candidates wait for the answer; one that is of no use is no end", async () => {
    const { connection, peer, log } = await setup();
    await connection.start();
    connection.candidate(candidate("early"));
    connection.description({ type: "answer", sdp: "v=0" } as never);
    await settle();
    connection.candidate(candidate("unusable"));
    connection.candidate(candidate(""));
    await settle();
    expect(peer.log.slice(-3)).toEqual(["remote", "add early", "add unusable"]);
    expect(log.slice(1)).toEqual(["answered"]);
  });

  test.each([
    ["an offer", { type: "offer", sdp: "v=0" }],
    ["an answer that does not parse", { type: "answer", sdp: "bad" }],
  ])("%s ends it", async (_, description) => {
    const { connection, log } = await setup();
    await connection.start();
    connection.description(description as never);
    await settle();
    expect(log.at(-1)).toBe("failed PROTOCOL");
  });

  test("a second answer ends it", async () => {
    const { connection, log } = await setup();
    await connection.start();
    connection.description({ type: "answer", sdp: "v=0" } as never);
    await settle();
    connection.description({ type: "answer", sdp: "v=0" } as never);
    await settle();
    expect(log.at(-1)).toBe("failed PROTOCOL");
  });
});

describe("the path", () => {
  test("that is not found within 20 s, or fails, is lost", async () => {
    const late = await setup();
    await late.connection.start();
    vi.advanceTimersByTime(20_000);
    expect(late.log.at(-1)).toBe("lost");
    const failed = await setup();
    await failed.connection.start();
    failed.peer.become("failed");
    expect(failed.log.at(-1)).toBe("lost");
  });

  test("is told as it changes; once it failed before the proof the connection is lost", async () => {
    const { connection, peer, log, prove } = await setup();
    await connection.start();
    connection.description({ type: "answer", sdp: "v=0" } as never);
    await prove();
    for (const state of ["disconnected", "failed", "connected"]) {
      peer.become(state);
      await settle();
    }
    expect(log.slice(-3)).toEqual(["path interrupted", "path failed", "path up"]);
  });

  test("may become another by an ICE restart; a void offer does not stand in the way", async () => {
    const { connection, peer, log, sealed, prove } = await setup();
    await connection.start();
    connection.description({ type: "answer", sdp: "v=0" } as never);
    await prove();
    expect(log.filter((l) => l === "answered")).toHaveLength(1);
    connection.restart();
    await settle();
    expect(sealed.at(-1)).toEqual({ case: "description", value: { type: "offer", sdp: "again" } });
    connection.candidate(candidate("of the void answer"));
    connection.kept(); // the epoch ended before the host answered
    connection.restart();
    await settle();
    connection.candidate(candidate("new"));
    expect(peer.log).not.toContain("add new"); // its user is not known before the answer
    connection.description({ type: "answer", sdp: "v=0" } as never);
    await settle();
    expect(peer.log.slice(-2)).toEqual(["remote", "add new"]);
    expect(log.filter((l) => l === "answered")).toHaveLength(2);
  });

  test("ends when the host closes its channels, after what it said last", async () => {
    const { peer, log, prove, say } = await setup();
    await prove();
    say({ case: "hello", value: { minVersion: 1, maxVersion: 1, kind: Kind.HOST } });
    say({ case: "bye", value: { reason: Reason.PERSON_STOPPED } });
    peer.channel("ctl").onclose?.();
    await settle();
    expect(log.slice(-2)).toEqual(["control bye", "lost"]);
  });

  test("by relays is configured before the offer, and anew when they change", async () => {
    const { connection, peer } = await setup();
    expect(peer.configuration.iceServers).toEqual([{ urls: ["turn:a"], username: "u", credential: "c" }]);
    connection.relays([{ urls: ["turn:b"] }]);
    expect(peer.configurations).toEqual([
      { certificates: [certificate], bundlePolicy: "max-bundle", iceServers: [{ urls: ["turn:b"] }] },
    ]);
  });

  test.each([
    ["refused, and gave no address", [486], false, "lost refused"],
    ["was out of reach", [701], false, "lost"],
    ["refused, but another gave an address", [486], true, "lost"],
    ["had nothing to say", [], false, "lost"],
  ])("is lost where a relay %s", async (_, errors, relayed, want) => {
    const { connection, peer, log } = await setup();
    await connection.start();
    for (const errorCode of errors) peer.onicecandidateerror?.({ errorCode });
    if (relayed) peer.onicecandidate?.({ candidate: { candidate: "c", type: "relay" } });
    peer.become("failed");
    expect(log.at(-1)).toBe(want);
  });
});

describe("the end", () => {
  test("a last word leaves before the connection closes, and no word without a proof", async () => {
    const { connection, peer, prove, say } = await setup();
    await prove();
    say({ case: "hello", value: { minVersion: 1, maxVersion: 1, kind: Kind.HOST } });
    await settle();
    connection.close(Reason.TECHNICIAN_ENDED);
    const last = decode(ControlSchema, peer.channel("ctl").sent.at(-1) ?? new Uint8Array(0), 1 << 14);
    expect(last.body).toMatchObject({ case: "bye", value: { reason: Reason.TECHNICIAN_ENDED } });
    expect(peer.log).not.toContain("close");
    vi.advanceTimersByTime(250);
    expect(peer.log.at(-1)).toBe("close");

    const unproven = await setup();
    unproven.connection.close(Reason.TECHNICIAN_ENDED);
    expect(unproven.peer.channel("ctl").sent).toEqual([]);
    expect(unproven.peer.log.at(-1)).toBe("close");
  });

  test("nothing is heard after it", async () => {
    const { connection, peer, log, prove } = await setup();
    await prove();
    const before = [...log];
    connection.close();
    peer.channel("cursor").receive(Uint8Array.of(1));
    peer.channel("in-fast").receive(Uint8Array.of(99));
    peer.channel("in").receive(Uint8Array.of(1));
    peer.become("failed");
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(log).toEqual(before);
  });
});

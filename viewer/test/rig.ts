// A whole session over a fake line and a fake connection: each function takes it one step further.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "vitest";
import type { ConnectionEvents, HostConnection } from "../src/connection";
import { ControlSchema, GrantState } from "../src/gen/session_pb";
import { Reason, type ParticipantKind } from "../src/gen/signaling_pb";
import { Session } from "../src/session";
import type { View } from "../src/state";
import type { Tool } from "../src/tool";
import { claimId, FakeHost, FakeSocket, session as id, settle, token } from "./fakes";

export class FakeConnection implements HostConnection {
  log: string[] = [];
  at = 0;
  bytes = 0;
  sender = { open: false, motion() {}, button() {}, wheel() {}, key() {}, text() {}, release() {} };
  constructor(
    readonly relayed: RTCIceServer[],
    readonly events: ConnectionEvents,
  ) {}
  restart() {
    this.log.push("restart");
    this.events.seal({ case: "description", value: { type: "offer", sdp: "v=0 again" } });
  }
  kept() {
    this.log.push("kept");
  }
  relays(servers: RTCIceServer[]) {
    this.log.push(`relays ${servers.map(({ urls }) => String(urls)).join(" ")}`);
  }
  async stats() {
    this.bytes += 50_000;
    return {
      route: { way: "direct" as const, rtt: 12 },
      counters: { at: (this.at += 1000), bytes: this.bytes, film: null, rtt: 12 },
    };
  }
  outlet() {
    return { waiting: 0, send: () => true, drained: async () => {} };
  }
  hint(body: { case?: string | undefined; value?: unknown }) {
    this.log.push(`hint ${body.case} ${JSON.stringify(body.value)}`);
  }
  async start() {
    this.log.push("start");
    this.events.seal({ case: "description", value: { type: "offer", sdp: "v=0 offer" } });
  }
  description(d: { type: string; sdp: string }) {
    this.log.push(`description ${d.type} ${d.sdp}`);
  }
  candidate(c: { candidate: string }) {
    this.log.push(`candidate ${c.candidate}`);
  }
  send(body: { case?: string | undefined; value?: unknown }) {
    this.log.push(`send ${body.case} ${JSON.stringify(body.value)}`);
  }
  close(reason?: Reason) {
    if (this.log.at(-1)?.startsWith("close")) return;
    this.log.push(`close${reason === undefined ? "" : ` ${Reason[reason]}`}`);
  }
}

export function setup(typed = "482 913 706", host = new FakeHost("913706", "482")) {
  const sockets: FakeSocket[] = [];
  const connections: FakeConnection[] = [];
  const views: View[] = [];
  const tools: Tool[] = [];
  const picture = {
    log: [] as string[],
    blank: () => {},
    unblank: () => {},
    close: () => {},
    figures: async () => ({ updates: 10, work: 20, wait: 10 }),
  };
  for (const name of ["blank", "unblank", "close"] as const)
    picture[name] = () => void picture.log.push(name);
  const session = new Session({
    dial() {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    async connect(_, relays, events) {
      const connection = new FakeConnection(relays, events);
      connections.push(connection);
      return connection;
    },
    picture,
    tools,
    lang: "en",
    changed: (view) => views.push(view),
    cursor: () => {},
  });
  session.start(typed, "ticket-1");
  const socket = () => {
    const last = sockets.at(-1);
    if (last === undefined) throw new Error("no line");
    return last;
  };
  const connection = () => {
    const last = connections.at(-1);
    if (last === undefined) throw new Error("no connection");
    return last;
  };
  return { session, sockets, socket, connections, connection, views, host, picture, tools };
}

export type Setup = ReturnType<typeof setup>;

/** Up to Confirm. */
export function paired(s: Setup = setup()): Setup {
  s.socket().greet();
  s.socket().push({ case: "pakeReply", value: s.host.claimed(s.socket().last("claim")) });
  return s;
}

/** What the server may add to Opened. */
interface OpenedMore {
  participant?: string;
  kind?: ParticipantKind;
  ticket?: { id: string; number: string; subject: string };
}

/** Up to the first epoch. */
export async function attached(s: Setup = paired(), more: OpenedMore = {}): Promise<Setup> {
  s.socket().push({ case: "opened", value: { session: id, resumeToken: token, claim: claimId, ...more } });
  await s.host.attach(s.socket());
  await settle();
  return s;
}

export const grants = (view: GrantState, control = GrantState.UNSPECIFIED) => ({
  case: "grants" as const,
  value: {
    $typeName: "mf.v1.Grants" as const,
    grants: [
      { $typeName: "mf.v1.Grant" as const, name: "view", state: view, since: 0n },
      { $typeName: "mf.v1.Grant" as const, name: "control", state: control, since: 0n },
    ],
  },
});

/** Up to the first picture. */
export async function live(more: OpenedMore = {}): Promise<Setup> {
  const s = await attached(paired(), more);
  s.connection().events.answered();
  s.connection().events.proven();
  s.connection().events.toolsUp();
  s.connection().events.control(grants(GrantState.ALLOWED));
  s.session.painted({ kind: "size", width: 800, height: 600 });
  s.session.painted({ kind: "painted" });
  expect(s.session.view.state).toBe("live");
  return s;
}

export const ended = (s: Setup) => ({
  state: s.session.view.state,
  reason: Reason[s.session.view.reason ?? -1],
});

/** A message of the host on ctl. */
export function say(s: Setup, body: NonNullable<MessageInitShape<typeof ControlSchema>["body"]>): void {
  const { body: whole } = fromBinary(ControlSchema, toBinary(ControlSchema, create(ControlSchema, { body })));
  if (whole.case !== undefined) s.connection().events.control(whole);
}

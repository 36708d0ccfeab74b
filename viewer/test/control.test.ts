// C25: before the host's certificate proof has passed, nothing is sent but our
// own, and nothing is believed.
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { Control, type ControlInit } from "../src/control";
import { ControlSchema } from "../src/gen/session_pb";
import { Kind, Reason } from "../src/gen/signaling_pb";
import { decode, WireError } from "../src/wire/codec";
import { settle } from "./fakes";

const good = new Uint8Array(32).fill(1);
const ours = new Uint8Array(32).fill(2);

function setup() {
  const sent: string[] = [];
  const got: string[] = [];
  const channel = {
    readyState: "open",
    send(data: Uint8Array<ArrayBuffer>) {
      sent.push(decode(ControlSchema, data, 1 << 20).body.case ?? "nothing");
    },
  };
  const proof = {
    ours: async () => ours,
    check: async (mac: Uint8Array) => {
      if (Buffer.compare(mac, good) !== 0) throw new WireError(Reason.CERTIFICATE_MISMATCH, "no");
    },
  };
  const control = new Control(channel, proof, "en", {
    proven: () => got.push("proven"),
    message: (body) => got.push(body.case),
    failed: (reason) => got.push(`failed ${Reason[reason]}`),
  });
  const receive = (body: ControlInit | undefined, optional = false) =>
    control.received(
      Uint8Array.from(toBinary(ControlSchema, create(ControlSchema, { optional, ...(body ? { body } : {}) })))
        .buffer,
    );
  return { control, sent, got, receive };
}

const proof = (mac: Uint8Array): ControlInit => ({ case: "proof", value: { mac } });
const hello: ControlInit = { case: "hello", value: { minVersion: 1, maxVersion: 1, kind: Kind.HOST } };
const grants: ControlInit = { case: "grants", value: {} };

test("proof, Hello, then messages", async () => {
  const { control, sent, got, receive } = setup();
  control.opened();
  await settle();
  expect(sent).toEqual(["proof"]);
  receive(proof(good));
  receive(hello);
  receive(grants);
  await settle();
  expect(sent).toEqual(["proof", "hello"]);
  expect(got).toEqual(["proven", "grants"]);
});

test("nothing else is sent before the host's proof", async () => {
  const { control, sent } = setup();
  control.opened();
  control.send({ case: "ask", value: { name: "control" } });
  await settle();
  expect(sent).toEqual(["proof"]);
});

test.each([
  ["a wrong proof", [proof(ours)], "CERTIFICATE_MISMATCH"],
  ["our own proof echoed", [proof(ours)], "CERTIFICATE_MISMATCH"],
  ["an empty proof", [proof(new Uint8Array(0))], "CERTIFICATE_MISMATCH"],
  ["a grant before the proof", [grants, proof(good)], "CERTIFICATE_MISMATCH"],
  ["a goodbye before the proof", [{ case: "bye", value: {} } as ControlInit], "CERTIFICATE_MISMATCH"],
])("%s ends it, and nothing after it counts", async (_, messages, reason) => {
  const { control, sent, got, receive } = setup();
  control.opened();
  for (const message of messages) receive(message);
  receive(proof(good));
  receive(hello);
  receive(grants);
  await settle();
  expect(got).toEqual([`failed ${reason}`]);
  expect(sent).not.toContain("hello");
  control.send({ case: "ask", value: { name: "control" } });
  expect(sent).not.toContain("ask");
});

test.each([
  ["a message before Hello", [grants], "PROTOCOL"],
  [
    "a viewer's Hello",
    [{ case: "hello", value: { minVersion: 1, maxVersion: 1, kind: Kind.VIEWER } } as ControlInit],
    "PROTOCOL",
  ],
  [
    "a newer Hello",
    [{ case: "hello", value: { minVersion: 2, maxVersion: 3, kind: Kind.HOST } } as ControlInit],
    "VERSION",
  ],
  ["a second Hello", [hello, hello], "PROTOCOL"],
  ["a second proof", [hello, proof(good)], "PROTOCOL"],
  ["an unknown message", [hello, undefined], "UNKNOWN_MESSAGE"],
])("%s ends it", async (_, messages, reason) => {
  const { control, got, receive } = setup();
  control.opened();
  receive(proof(good));
  for (const message of messages) receive(message);
  await settle();
  expect(got).toEqual(["proven", `failed ${reason}`]);
});

test("an unknown optional message is skipped", async () => {
  const { control, got, receive } = setup();
  control.opened();
  receive(proof(good));
  receive(hello);
  receive(undefined, true);
  receive(grants);
  await settle();
  expect(got).toEqual(["proven", "grants"]);
});

test.each([
  ["a text message", "hello", "PROTOCOL"],
  ["a message over 16 KiB", new ArrayBuffer(16 * 1024 + 1), "TOO_LARGE"],
  ["rubbish", Uint8Array.of(255, 255).buffer, "PROTOCOL"],
])("%s ends it", async (_, data, reason) => {
  const { control, got } = setup();
  control.opened();
  control.received(data);
  await settle();
  expect(got).toEqual([`failed ${reason}`]);
});

test("a flood while the proof is checked ends it", async () => {
  const { control, got, receive } = setup();
  control.opened();
  for (let i = 0; i < 100; i++) receive(hello);
  await settle();
  expect(got).toEqual(["failed PROTOCOL"]);
});

// Holds the browser's half of the wire to the golden files of internal/wire,
// which the Go tests hold the other half to.

import { readFileSync } from "node:fs";

import {
  createRegistry,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonValue,
} from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";

import { file_clip } from "../src/gen/clip_pb";
import { file_files } from "../src/gen/files_pb";
import { file_marks } from "../src/gen/marks_pb";
import { file_talk } from "../src/gen/talk_pb";
import { ControlSchema, file_session } from "../src/gen/session_pb";
import { file_signaling, HelloSchema, Reason } from "../src/gen/signaling_pb";
import * as codec from "../src/wire/codec";
import { formatCode, parseCode } from "../src/wire/code";
import { reasonOf, WireError } from "../src/wire/errors";
import * as input from "../src/wire/input";
import * as limits from "../src/wire/limits";
import { parsePart, parsePicture, type Area, tileAck, tileHello, tileRestart } from "../src/wire/picture";

interface Index {
  limits: Record<string, number>;
  messages: { file: string; type: string; json: JsonValue }[];
  input: GoldenInput[];
  picture: GoldenPicture[];
  parts: GoldenPart[];
  answers: { file: string; kind: number; update: number }[];
  shown: { file: string; timestamp: number }[];
  refused: { name: string; hex: string; error: string }[];
  channels: { id: number; label: string; reliable: boolean; max: number }[];
  reasons: Record<string, number>;
  ad: { viewer: string; host: string; key: string };
}

interface GoldenInput extends input.ButtonInput, input.WheelInput {
  file: string;
  kind: number;
  flags: number;
  usage: number;
  modifiers: number;
  locks: number;
  text: string;
}

interface GoldenPart {
  file: string;
  update: number;
  generation: number;
  offset?: number;
  last?: boolean;
  data: string;
}

interface GoldenPicture {
  file: string;
  kind: "start" | "piece" | "video";
  generation?: number;
  width?: number;
  height?: number;
  windowLog?: number;
  update?: number;
  last?: boolean;
  data?: string;
  timestamp?: number;
  area?: [number, number, number, number];
  rects?: [number, number, number, number][];
}

interface Texts {
  codes: { typed: string; nameplate?: string; secret?: string; refused?: boolean }[];
  shown: { nameplate: string; secret: string; shown: string }[];
  names: { raw: string; clean: string }[];
}

const folder = new URL("../../internal/wire/testdata/", import.meta.url);
const json = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as T;
const golden = (name: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(readFileSync(new URL(name, folder)));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "hex"));

const index = json<Index>("index.json");
const texts = json<Texts>("texts.json");
const registry = createRegistry(file_signaling, file_session, file_files, file_clip, file_talk, file_marks);

function schema(type: string): DescMessage {
  const found = registry.getMessage(type);
  if (found === undefined) throw new Error(`no message ${type}`);
  return found;
}

/** How a call is refused: a WireError's reason, or what it returns. */
function refusal(call: () => unknown): string {
  try {
    return call() === undefined ? "skip" : "accepted";
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return (
      { [Reason.PROTOCOL]: "malformed", [Reason.UNKNOWN_MESSAGE]: "unknown" }[error.reason as number] ?? "?"
    );
  }
}

describe("golden files", () => {
  it.each(index.messages)("$file", ({ file, type, json }) => {
    const message = codec.decode(schema(type), golden(file), limits.maxFrame);
    expect(toJson(schema(type), message)).toEqual(json);
    expect(codec.known(message as unknown as codec.Envelope)).toBe(true);
    expect(hex(toBinary(schema(type), fromJson(schema(type), json)))).toBe(hex(golden(file)));
  });

  it.each(index.input.filter((e) => e.flags === 0))("$file", (e) => {
    const encode: Record<number, () => Uint8Array> = {
      [input.InputKind.motion]: () => input.encodeMotion(e.seq, e.x, e.y),
      [input.InputKind.button]: () => input.encodeButton(e),
      [input.InputKind.wheel]: () => input.encodeWheel(e),
      [input.InputKind.key]: () => input.encodeKey({ ...e, key: e.text }),
      [input.InputKind.text]: () => input.encodeText(e.seq, e.text),
      [input.InputKind.release]: () => input.encodeRelease(e.seq),
      [input.InputKind.alive]: () => input.encodeAlive(),
    };
    if (e.kind === input.InputKind.ack) {
      expect(input.parseAck(golden(e.file))).toBe(e.seq);
      expect(input.parseAck(golden(e.file).buffer)).toBe(e.seq);
      return;
    }
    const written = encode[e.kind];
    if (written === undefined) throw new Error(`no encoder for kind ${e.kind}`);
    expect(hex(written())).toBe(hex(golden(e.file)));
  });

  it.each(index.picture)("$file", (g) => {
    const got = parsePicture(golden(g.file).buffer);
    if (got?.kind === "piece") {
      expect(g.kind).toBe("piece");
      expect({ update: got.update, last: got.last, data: hex(got.data) }).toEqual({
        update: g.update ?? 0,
        last: g.last ?? false,
        data: g.data ?? "",
      });
    } else if (got?.kind === "video") {
      const corners = ({ x, y, width, height }: Area) => [x, y, width, height];
      expect({
        kind: g.kind,
        timestamp: got.timestamp,
        area: corners(got.area),
        rects: got.rects.map(corners),
      }).toEqual({ kind: "video", timestamp: g.timestamp ?? 0, area: g.area, rects: g.rects ?? [] });
    } else {
      expect({ file: g.file, ...got }).toEqual({ generation: 0, ...g });
    }
  });

  it.each(index.parts)("$file", ({ update, generation, offset = 0, last = false, data, file }) => {
    const got = parsePart(golden(file).buffer);
    expect(got && { ...got, data: hex(got.data) }).toEqual({ update, generation, offset, last, data });
  });

  it("answers on tiles", () => {
    const written = [tileHello(), tileAck(0xfedcba98), tileAck(0xfedcba98, true), tileRestart()].map(hex);
    expect(written).toEqual(index.answers.map((a) => hex(golden(a.file))));
  });

  it("what is shown", () => {
    for (const { file, timestamp } of index.shown)
      expect(hex(input.encodeShown(timestamp))).toBe(hex(golden(file)));
    expect(() => input.encodeShown(2 ** 32)).toThrow(RangeError);
  });

  it("associated data of both roles", () => {
    expect(hex(codec.viewerAD())).toBe(index.ad.viewer);
    expect(hex(codec.hostAD(unhex(index.ad.key)))).toBe(index.ad.host);
    expect(codec.parseHostAD(unhex(index.ad.host))).toEqual(unhex(index.ad.key));
  });

  const planes: Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown> = {
    ack: (bytes) => input.parseAck(bytes),
    picture: (bytes) => parsePicture(bytes.buffer),
    part: (bytes) => parsePart(bytes.buffer),
    control: (bytes) => codec.known(codec.decode(ControlSchema, bytes, limits.maxControl)) || undefined,
  };
  it.each(index.refused.filter((r) => (r.name.split(" ")[0] ?? "") in planes))("refuses: $name", (r) => {
    const read = planes[r.name.split(" ")[0] ?? ""];
    expect(refusal(() => read?.(unhex(r.hex)))).toBe(r.error);
  });
});

describe("what both sides count with", () => {
  it("limits", () => {
    const ours = Object.fromEntries(Object.entries(limits).filter(([name]) => name in index.limits));
    expect(ours).toEqual(index.limits);
  });

  it("channels", () => {
    expect(Object.values(limits.channels)).toEqual(index.channels);
    expect(limits.channelInit(limits.channels.input)).toEqual({
      negotiated: true,
      id: 1,
      protocol: "mf/1",
      ordered: true,
    });
    expect(limits.channelInit(limits.channels.inputFast)).toEqual({
      negotiated: true,
      id: 2,
      protocol: "mf/1",
      ordered: false,
      maxRetransmits: 0,
    });
  });

  it("reasons", () => {
    for (const [name, number] of Object.entries(index.reasons)) expect(codec.reasonName(number)).toBe(name);
    expect(codec.reasonName(9999 as Reason)).toBe("9999");
  });
});

describe("codes", () => {
  it.each(texts.codes)("typed as $typed", (c) => {
    if (c.refused) {
      expect(() => parseCode(c.typed)).toThrowError(WireError);
      try {
        parseCode(c.typed);
      } catch (error) {
        expect(reasonOf(error)).toBe(Reason.MALFORMED_CODE);
        expect(String(error)).not.toMatch(/\d/); // the secret must not end in a log
      }
    } else {
      expect(parseCode(c.typed)).toEqual({ nameplate: c.nameplate, secret: c.secret });
    }
  });

  it.each(texts.shown)("shown as $shown", (c) => {
    expect(formatCode(c.nameplate, c.secret)).toBe(c.shown);
  });

  it("reads every decimal digit of this Unicode version", () => {
    let seen = 0;
    for (let code = 0; code <= 0x10ffff; code++) {
      const c = String.fromCodePoint(code);
      if (!/\p{Nd}/u.test(c)) continue;
      // A run of ten begins with zero: the tens' place in the order of all digits.
      expect(parseCode(`11111111${c}`).secret).toBe(`11111${seen % 10}`);
      seen++;
    }
    expect(seen % 10).toBe(0);
    expect(seen).toBeGreaterThan(600);
  });
});

describe("hostile names", () => {
  it.each(texts.names)("$raw", ({ raw, clean }) => {
    expect(codec.clean(raw)).toBe(clean);
    expect(codec.clean(clean)).toBe(clean);
  });

  it("lone surrogates", () => {
    expect(codec.clean("a\ud800b\udc00")).toBe("a\ufffdb\ufffd");
  });
});

describe("decode", () => {
  it("refuses by size before it parses", () => {
    const garbage = new Uint8Array(limits.maxControl + 1).fill(0xff);
    const reason = (bytes: Uint8Array): Reason => {
      try {
        codec.decode(ControlSchema, bytes, limits.maxControl);
        return Reason.UNSPECIFIED;
      } catch (error) {
        return reasonOf(error);
      }
    };
    expect(reason(garbage)).toBe(Reason.TOO_LARGE);
    expect(reason(garbage.subarray(1))).toBe(Reason.PROTOCOL);
    const tooLong = { body: { case: "ask", value: { name: "x".repeat(limits.maxControl) } } } as const;
    expect(() => codec.encode(ControlSchema, tooLong, limits.maxControl)).toThrowError(WireError);
    expect(() => input.parseAck(new Uint8Array(limits.maxInput + 1))).toThrowError("too large");
    expect(() => parsePicture(new ArrayBuffer(limits.maxTileMessage + 1))).toThrowError("too large");
    expect(() => parsePart(new ArrayBuffer(limits.maxTilePart + 1))).toThrowError("too large");
  });

  it("gives an error without a reason as a fault of ours", () => {
    expect(reasonOf(new Error("x"))).toBe(Reason.INTERNAL);
  });
});

describe("negotiate", () => {
  it.each([
    [1, 1, 1],
    [1, 9, 1],
    [2, 3, Reason.VERSION],
    [0, 0, Reason.PROTOCOL],
    [0, 1, Reason.PROTOCOL],
    [2, 1, Reason.PROTOCOL],
  ])("%i to %i", (minVersion, maxVersion, want) => {
    const hello = codec.decode(
      HelloSchema,
      codec.encode(HelloSchema, { minVersion, maxVersion }, limits.maxFrame),
      limits.maxFrame,
    );
    const got = (): number => {
      try {
        return codec.negotiate(hello);
      } catch (error) {
        return reasonOf(error);
      }
    };
    expect(got()).toBe(want);
  });
});

describe("input that may not be sent", () => {
  const at = { seq: 1, motion: 0, x: 0, y: 0 };
  const key = { seq: 1, usage: 4, down: true, modifiers: 0, locks: 0, key: "" };
  const cases: [string, () => unknown][] = [
    ["motion without a number", () => input.encodeMotion(0, 1, 1)],
    ["motion left of the picture", () => input.encodeMotion(1, -1, 1)],
    ["motion between pixels", () => input.encodeMotion(1, 1, 1.5)],
    ["motion at NaN", () => input.encodeMotion(1, NaN, 1)],
    ["motion past the widest picture", () => input.encodeMotion(1, 65536, 1)],
    ["a number past 32 bits", () => input.encodeRelease(2 ** 32)],
    ["button 5", () => input.encodeButton({ ...at, button: 5, down: true })],
    ["a button without a number", () => input.encodeButton({ ...at, seq: 0, button: 0, down: true })],
    ["a wheel too fast", () => input.encodeWheel({ ...at, dx: 0, dy: 32768 })],
    ["a key below the page", () => input.encodeKey({ ...key, usage: 3 })],
    ["a key above the page", () => input.encodeKey({ ...key, usage: 0xe8 })],
    ["unknown modifiers", () => input.encodeKey({ ...key, modifiers: 32 })],
    ["unknown locks", () => input.encodeKey({ ...key, locks: 8 })],
    ["a key of half a character", () => input.encodeKey({ ...key, key: "\ud800" })],
    ["a key that types too much", () => input.encodeKey({ ...key, key: "é".repeat(17) })],
    ["no text", () => input.encodeText(1, "")],
    ["too much text", () => input.encodeText(1, "é".repeat(513))],
  ];
  it.each(cases)("%s", (_, encode) => {
    expect(encode).toThrowError(RangeError);
  });

  it("motion reuses its message", () => {
    expect(input.encodeMotion(1, 2, 3)).toBe(input.encodeMotion(4, 5, 6));
    expect(input.encodeAlive()).not.toBe(input.encodeAlive());
  });

  it("an ack is read where it lies in its buffer", () => {
    const bytes = new Uint8Array(16);
    bytes.set([128, 0, 0, 0, 7, 0, 0, 0], 5);
    expect(input.parseAck(bytes.subarray(5, 13))).toBe(7);
  });
});

describe("associated data of a host", () => {
  const good = unhex(index.ad.host);
  it.each([
    ["nothing", new Uint8Array(0)],
    ["the viewer's", codec.viewerAD()],
    ["a byte less", good.subarray(0, -1)],
    ["a byte more", codec.concat(good, Uint8Array.of(0))],
    ["no role", good.subarray(-32)],
    ["a longer key", codec.hostAD(new Uint8Array(33))],
    ["another role", codec.lv(codec.utf8("mf/1 h0st"), good.subarray(-32))],
  ])("%s", (_, ad) => {
    expect(codec.parseHostAD(ad)).toBeNull();
  });
});

describe("lv", () => {
  it("is the draft's lv_cat", () => {
    const got = codec.lv(codec.utf8("1234"), codec.utf8("5"), codec.utf8(""), codec.utf8("678"));
    expect(hex(got)).toBe("043132333401350003363738");
    expect(hex(codec.lv(new Uint8Array(300)).subarray(0, 2))).toBe("ac02");
  });
});

// Relays are bounded, and none that a browser cannot read spoils the others.
import { describe, expect, test } from "vitest";
import { iceServers } from "../src/relay";
import { WireError } from "../src/wire/codec";

const server = (urls: string[], username = "u", credential = "c") =>
  ({ urls, username, credential }) as Parameters<typeof iceServers>[0]["servers"][number];

describe("relays", () => {
  test("of every form", () => {
    const urls = [
      "turn:help.example.org",
      "turn:help.example.org:3478?transport=udp",
      "turns:help.example.org:443?transport=tcp",
      "turn:[2001:db8::1]:3478",
      "turn:192.0.2.1",
    ];
    expect(iceServers({ servers: [server(urls)] })).toEqual([{ urls, username: "u", credential: "c" }]);
    expect(iceServers({ servers: [server(["stun:help.example.org"], "", "")] })).toEqual([
      { urls: ["stun:help.example.org"] },
    ]);
  });

  test.each([
    "http://help.example.org",
    "turn:",
    "turn:a b",
    "turn:help.example.org:99999",
    "turn:help.example.org?transport=sctp",
    "turn:help.example.org/path",
    "turn://help.example.org",
    "javascript:1",
    "",
  ])("%j is left out, the others stay", (url) => {
    expect(iceServers({ servers: [server([url, "turn:a.example.org"]), server([url])] })).toEqual([
      { urls: ["turn:a.example.org"], username: "u", credential: "c" },
    ]);
  });

  test("without credentials are left out: a browser refuses the whole list for one", () => {
    expect(
      iceServers({
        servers: [server(["turn:a.example.org"], "", "c"), server(["turn:a.example.org"], "u", "")],
      }),
    ).toEqual([]);
  });

  test.each([
    ["9 servers", Array.from({ length: 9 }, () => server(["turn:a.example.org"]))],
    ["9 addresses", [server(Array.from({ length: 9 }, () => "turn:a.example.org"))]],
    ["a long address", [server([`turn:${"a".repeat(256)}`])]],
    ["a long name", [server(["turn:a"], "u".repeat(513))]],
    ["a long credential", [server(["turn:a"], "u", "c".repeat(513))]],
  ])("%s are refused", (_, servers) => {
    expect(() => iceServers({ servers })).toThrow(WireError);
  });
});

// Filling in a canned text, and keeping what was typed.
import { beforeEach, describe, expect, test, vi } from "vitest";
import { forget, forgetAll, keep, kept } from "../src/lib/drafts";
import { fillIn } from "../src/lib/fillin";
import { labelOf } from "../src/lib/words";

describe("a canned text", () => {
  test("is filled in once: what is filled in has no holes of its own", () => {
    expect(
      fillIn("Bonjour {requester}, {number}: {subject}. {technician}", {
        requester: "{technician}",
        technician: "Ann",
        number: "$& $1 $$",
        subject: "<b>{requester}</b>",
      }),
    ).toBe("Bonjour {technician}, $& $1 $$: <b>{requester}</b>. Ann");
  });

  test("keeps a hole that nothing is known for, and what is none", () => {
    expect(fillIn("{requester} {password} {__proto__} {toString} {", { requester: " " })).toBe(
      "{requester} {password} {__proto__} {toString} {",
    );
  });

  test("takes neither lines nor turned writing from a name; emoji are whole", () => {
    expect(fillIn("Hi {requester}!", { requester: "\u202eevil\u202c\r\n\u0000Bcc: x 👩‍👧 é" })).toBe(
      "Hi evil Bcc: x 👩‍👧 é!",
    );
  });

  test("is quick where it is long", () => {
    expect(fillIn("{requester}".repeat(900), { requester: "x".repeat(256) })).toHaveLength(900 * 256);
    expect(fillIn("{".repeat(10_000), {})).toHaveLength(10_000);
  });
});

test("a code is said in the language there is", () => {
  const c = { code: "PWD", outcome: "solved" as const, en: "", fr: "Mot de passe", version: 1 };
  expect([labelOf(c, "en"), labelOf(c, "fr")]).toEqual(["Mot de passe", "Mot de passe"]);
  expect(labelOf({ ...c, en: "Password" }, "en")).toBe("Password");
});

describe("a draft", () => {
  let box: Record<string, string> = {};
  beforeEach(() => {
    box = {};
    const storage = new Proxy(box, {
      get: (o, k) =>
        ({
          getItem: (key: string) => o[key] ?? null,
          setItem: (key: string, v: string) => (o[key] = v),
          removeItem: (key: string) => Reflect.deleteProperty(o, key),
        })[String(k)],
    });
    vi.stubGlobal("sessionStorage", storage);
  });

  test("is its writer's, until it is sent", () => {
    keep("ann", "closing:1", { text: "<b>typed", resolution: "solved" });
    expect(kept("ann", "closing:1")).toEqual({ text: "<b>typed", resolution: "solved" });
    expect(kept("bob", "closing:1")).toBeNull();
    expect(kept("ann", "closing:2")).toBeNull();
    forget("closing:1");
    expect(box).toEqual({});
  });

  test("with nothing in it is none", () => {
    keep("ann", "n", { text: "x" });
    keep("ann", "n", { text: "" });
    expect(box).toEqual({});
  });

  test("is gone when its writer signs out; what is not ours stays", () => {
    keep("ann", "a", { text: "x" });
    keep("ann", "b", { text: "y" });
    box["other"] = "z";
    forgetAll();
    expect(box).toEqual({ other: "z" });
  });

  test.each(["", "null", "[]", "{", '{"writer":"ann"}', '{"writer":"ann","fields":null}', '"x"'])(
    "that is none of ours is none: %s",
    (text) => {
      box["mf_draft:n"] = text;
      expect(kept("ann", "n")).toBeNull();
    },
  );

  test("where storage is blocked the page goes on", () => {
    vi.stubGlobal("sessionStorage", undefined);
    keep("ann", "n", { text: "x" });
    expect(kept("ann", "n")).toBeNull();
    forgetAll();
  });
});

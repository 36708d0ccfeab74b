// Texts in both languages, the code as it is typed, the cursor, the Worker's URL.
import { create, toBinary } from "@bufbuild/protobuf";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import en from "../locales/en.json";
import fr from "../locales/fr.json";
import { Cursor } from "../src/cursor";
import { CursorUpdateSchema } from "../src/gen/session_pb";
import { Reason, ReasonSchema } from "../src/gen/signaling_pb";
import { trustedWorkerUrl } from "../src/picture/screen";
import { caretAfter, grouped, isCode } from "../src/view/grouping";
import { langOf, reasonTexts, textsFor } from "../src/view/texts";
import { reasonName, WireError } from "../src/wire/codec";
import { settle } from "./fakes";

describe("locales", () => {
  const fields = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

  test("both languages have the same keys, in the same order, with the same fields", () => {
    expect(Object.keys(fr)).toEqual(Object.keys(en));
    for (const [key, text] of Object.entries(en))
      expect(fields((fr as Record<string, string>)[key] ?? "")).toEqual(fields(text));
  });

  test("every text says something, and the French is not the English", () => {
    const same = Object.entries(en).filter(([key, text]) => (fr as Record<string, string>)[key] === text);
    expect(same.map(([key]) => key)).toEqual(
      [
        "code.label",
        "toolbar.label",
        "toolbar.people",
        "toolbar.peopleCount",
        "keys.super",
        "keys.altTab",
        "keys.altF4",
        "people.title",
        "details.ticket",
        "details.session",
        "details.pixels",
        "look.actual",
        "look.size",
        "step.code",
      ].sort(byEn),
    );
    for (const text of [...Object.values(en), ...Object.values(fr)]) expect(text.trim()).not.toBe("");
  });

  test("French punctuation does not begin a line", () => {
    for (const text of Object.values(fr)) expect(text).not.toMatch(/ [:;?!»]|[^\u202f\u00a0][;?!]/);
  });

  test.each(["en", "fr"] as const)("every reason of the protocol has its two sentences (%s)", (lang) => {
    const t = textsFor(lang);
    const unknown = reasonTexts(Reason.UNSPECIFIED, t);
    for (const { number } of ReasonSchema.values) {
      const texts = reasonTexts(number, t);
      if (number !== Reason.UNSPECIFIED) expect(texts, reasonName(number)).not.toEqual(unknown);
      expect(texts.what).toMatch(/\.$/);
      expect(texts.next).toMatch(/\.$/);
    }
    expect(reasonTexts(9999 as Reason, t)).toEqual(unknown);
  });

  test("no reason text is for a reason that does not exist", () => {
    const names = new Set(ReasonSchema.values.map(({ number }) => reasonName(number)));
    for (const key of Object.keys(en)) {
      const name = /^(?:reason|next)\.(.+)$/.exec(key)?.[1];
      if (name) expect(names.has(name), key).toBe(true);
    }
  });

  test("every key that the code names exists, and every key is named", () => {
    const folders = ["view", "files", "clip", "talk", "marks"];
    const sources = folders
      .map((folder) => `../src/${folder}/`)
      .flatMap((folder) => readdirSync(new URL(folder, import.meta.url)).map((f) => folder + f))
      .concat("../src/element.ts");
    const code = sources.map((f) => readFileSync(new URL(f, import.meta.url), "utf8")).join("\n");
    const built =
      /^(?:reason|next|keys\.(?:ctrl|alt|super|print)|banner\.(?:untyped|reserved|denied|ruledOut|revoked|pathBack|serverBack|hostBack)|(?:route|station|sysinfo|files\.unit)\.|marks\.(?:hint\.)?(?:laser|pen|arrow|box|ellipse|text)$|files\.(?:waiting|asking|offered|lost|cancelled)|(?:code|pairing|asking|connecting|ended)\.(?:title|lead)|step\.(?:done|now|next))/;
    for (const key of Object.keys(en))
      if (!built.test(key) && key !== "title") expect(code, key).toContain(`"${key}"`);
  });

  test("languages", () => {
    expect(["fr", "fr-CA", "FR", "en", "de", "", null].map(langOf)).toEqual([
      "fr",
      "fr",
      "fr",
      "en",
      "en",
      "en",
      "en",
    ]);
    expect(textsFor("en")("details.pixels", { width: 3, height: 4 })).toBe("3 × 4 pixels");
  });
});

describe("the code as it is typed", () => {
  test.each([
    ["4", "4"],
    ["4829", "482 9"],
    ["482913706", "482 913 706"],
    ["482-913-706", "482 913 706"],
    ["48213913706", "48 213 913 706"],
    ["４８２９１３７０６", "482 913 706"],
    ["482 913 70x", "482 913 70x"],
    ["", ""],
    ["1234567890123456", "1234567890123456"],
  ])("%j shows as %j", (typed, want) => {
    expect(grouped(typed)).toBe(want);
  });

  test("the caret stays behind the digit that was typed", () => {
    expect(caretAfter("4829", 4, "482 9")).toBe(5);
    expect(caretAfter("4812 9", 3, "481 29")).toBe(3);
    expect(caretAfter("482913", 0, "482 913")).toBe(0);
  });

  test("what may be submitted", () => {
    expect(["482913706", "482 913 706", "48 213 913 706"].every(isCode)).toBe(true);
    expect(["48291370", "", "abc", "482913706x", "1".repeat(16)].some(isCode)).toBe(false);
  });
});

describe("the cursor", () => {
  type Body = Parameters<typeof create<typeof CursorUpdateSchema>>[1];
  function setup(ratio = 1) {
    const css: string[] = [];
    const freed: string[] = [];
    let made = 0;
    const cursor = new Cursor(
      (c) => css.push(c),
      () => ratio,
      async () => `blob:${++made}`,
      (url) => freed.push(url),
    );
    const receive = (init: Body) =>
      cursor.received(Uint8Array.from(toBinary(CursorUpdateSchema, create(CursorUpdateSchema, init))).buffer);
    const shape = (id: number, more = {}) =>
      receive({
        body: {
          case: "shape",
          value: { id, width: 2, height: 2, hotX: 1, hotY: 0, rgba: new Uint8Array(16), ...more },
        },
      });
    return { cursor, css, freed, receive, shape };
  }

  test("a shape is used when it is made, an old one again at once, and none when hidden", async () => {
    const { css, receive, shape } = setup();
    shape(5);
    expect(css).toEqual([]);
    await settle();
    shape(6);
    await settle();
    receive({ body: { case: "use", value: { id: 5 } } });
    receive({ body: { case: "hidden", value: {} } });
    receive({ body: { case: "use", value: { id: 77 } } });
    expect(css).toEqual([
      'url("blob:1") 1 0, default',
      'url("blob:2") 1 0, default',
      'url("blob:1") 1 0, default',
      "none",
      "default",
    ]);
  });

  test("where somebody else put the pointer is passed on and changes no shape", () => {
    const { cursor, css, receive } = setup();
    const places: unknown[] = [];
    cursor.placed = ({ x, y, participant }) => places.push([x, y, participant]);
    receive({ optional: true, body: { case: "place", value: { x: 3, y: 4, participant: "" } } });
    receive({ body: { case: "place", value: { x: 9, y: 1, participant: "2" } } });
    expect(places).toEqual([
      [3, 4, ""],
      [9, 1, "2"],
    ]);
    expect(css).toEqual([]);
  });

  test("only the newest shape shows, however late an older one is made", async () => {
    const { css, shape } = setup();
    shape(1);
    shape(2);
    await settle();
    expect(css).toEqual(['url("blob:2") 1 0, default']);
  });

  test("a shape keeps its size in device pixels", async () => {
    const { css, shape } = setup(2);
    shape(1, { hotX: 1, hotY: 1 });
    await settle();
    expect(css).toEqual(['image-set(url("blob:1") 2x) 0 0, default']);
  });

  test.each([
    ["no pixels", { width: 0 }],
    ["a side over 96", { width: 97, height: 1, rgba: new Uint8Array(388) }],
    ["too few bytes", { rgba: new Uint8Array(15) }],
    ["a hot spot outside", { hotX: 2 }],
  ])("a shape with %s is refused", (_, more) => {
    const { shape } = setup();
    expect(() => shape(1, more)).toThrow(WireError);
  });

  test("unknown updates: skipped if optional, else refused; text and giants refused", () => {
    const { cursor, receive } = setup();
    expect(() => receive({ optional: true })).not.toThrow();
    expect(() => receive({})).toThrow(WireError);
    expect(() => cursor.received("text")).toThrow(WireError);
    expect(() => cursor.received(new ArrayBuffer(64 * 1024 + 1))).toThrow(WireError);
  });

  test("shapes are bounded, and what is forgotten is freed", async () => {
    const { cursor, freed, shape } = setup();
    for (let id = 0; id < 300; id++) shape(id);
    await settle();
    expect(freed).toHaveLength(44);
    cursor.close();
    expect(freed).toHaveLength(300);
  });
});

describe("the Worker's URL", () => {
  test("the policy lets exactly one through", () => {
    const names: string[] = [];
    const types = {
      createPolicy(name: string, rules: { createScriptURL(url: string): string }) {
        names.push(name);
        return rules;
      },
    };
    expect(String(trustedWorkerUrl("/viewer/worker.js", types))).toBe("/viewer/worker.js");
    for (const url of [
      "/viewer/worker.js?x",
      "https://evil.example/viewer/worker.js",
      "data:,",
      "/viewer/viewer.js",
      "",
    ]) {
      expect(() => trustedWorkerUrl(url, types)).toThrow(TypeError);
    }
    expect(names).toEqual(["mf-worker"]); // a name can be taken once
  });
});

function byEn(a: string, b: string): number {
  const keys = Object.keys(en);
  return keys.indexOf(a) - keys.indexOf(b);
}

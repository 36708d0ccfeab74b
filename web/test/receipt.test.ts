// The person's receipt, with the file that the server's tests read, too.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { render } from "svelte/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NoProof } from "../src/audit/proof/form";
import { verdict } from "../src/audit/proof/verify";
import { use } from "../src/lib/i18n.svelte";
import { readReceipt, verifyReceipt } from "../src/receipt/receipt";
import ReceiptView from "../src/receipt/ReceiptView.svelte";
import { browser } from "./setup";

const file = readFileSync(
  join(import.meta.dirname, "../../signaling/audit/receipt/testdata/receipt.json"),
  "utf8",
);
const nothing = { key: "", roots: [] };

beforeEach(() => {
  browser();
  use("en");
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test("a receipt is proven, and says who helped", async () => {
  const r = readReceipt(file);
  const { report, statement } = await verifyReceipt(r, { key: r.proof.keys[0] ?? "", roots: [] });
  expect(verdict(report)).toBe("proven");
  expect(report).toMatchObject({ counted: 2, complete: false });
  expect(statement).toMatchObject({ server: "help.example.org", organisation: "Exemple" });
  expect(statement?.names.get("01T")).toBe("Zoë Ölçü");
});

interface Raw {
  statement: string;
  proof: { lines: { leaf: string }[] };
}

describe("what is not as it was signed is named", () => {
  test.each<[string, (r: Raw) => void]>([
    ["a line taken out", (r) => r.proof.lines.splice(2, 1)],
    ["the end taken out", (r) => r.proof.lines.pop()],
    ["another name", (r) => (r.statement = r.statement.replace("Zoë", "Eve"))],
    ["another server", (r) => (r.statement = r.statement.replace("help.", "evil."))],
    ["no statement", (r) => (r.statement = "")],
    [
      "a no that became a yes",
      (r) => {
        for (const l of r.proof.lines) l.leaf = l.leaf.replace("consent.denied", "consent.granted");
      },
    ],
  ])("%s", async (_, change) => {
    const raw = JSON.parse(file) as Raw;
    change(raw);
    const { report } = await verifyReceipt(readReceipt(JSON.stringify(raw)), nothing);
    expect(verdict(report)).toBe("broken");
  });

  test.each([
    "",
    "{}",
    "[]",
    "null",
    '{"format":"mainforte receipt v1"}',
    file.replace("receipt v1", "receipt v2"),
  ])("and what is no receipt is refused: %.40s", (text) => {
    expect(() => readReceipt(text)).toThrow(NoProof);
  });
});

describe("the page", () => {
  const page = async (text: string): Promise<string> => {
    const r = readReceipt(text);
    const checked = await verifyReceipt(r, nothing);
    return render(ReceiptView, { props: { ...checked, key: r.proof.keys[0] ?? "" } }).body;
  };

  test.each([
    ["en", ["Nothing in this receipt was changed", "help.example.org", "You allowed:", "Zoë Ölçü"]],
    ["fr", ["Rien n’a été changé dans ce reçu", "Vous avez refusé", "Qui vous a aidé"]],
  ] as const)("tells it in words: %s", async (lang, words) => {
    use(lang);
    const html = await page(file);
    for (const w of words) expect(html).toContain(w);
  });

  test("warns plainly, and shows nothing of what is not proven", async () => {
    const html = await page(file.replace("organisation Exemple", "organisation Bank"));
    expect(html).toContain("Do not rely on this receipt");
    expect(html).not.toContain("Bank");
    expect(html).not.toContain("Zoë");
  });
});

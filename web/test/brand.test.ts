import { describe, expect, test } from "vitest";
import { alone, read } from "../src/lib/brand.svelte";

describe("the brand in the head of a page", () => {
  const src = `/brand/${"0".repeat(64)}.png`;

  test("is nothing where there is none", () => {
    expect(read(null)).toEqual({ name: "", logo: null });
  });

  test("is a name, and a logo with its size", () => {
    expect(read({ content: "<b>Aide</b>", dataset: {} })).toEqual({ name: "<b>Aide</b>", logo: null });
    expect(
      read({ content: "Aide", dataset: { logo: src, width: "300", height: "60", plate: "light" } }),
    ).toEqual({ name: "Aide", logo: { src, width: 300, height: 60, plate: "light" } });
  });

  test("is no logo without a size, and no plate of another name", () => {
    expect(read({ content: "Aide", dataset: { logo: src, width: "x" } }).logo).toBeNull();
    expect(
      read({ content: "", dataset: { logo: src, width: "9", height: "9", plate: "red" } }).logo?.plate,
    ).toBe("");
  });

  test("stands alone when it is as wide as a name", () => {
    const logo = { src, width: 120, height: 60, plate: "" as const };
    expect(alone(logo)).toBe(true);
    expect(alone({ ...logo, width: 119 })).toBe(false);
    expect(alone(null)).toBe(false);
  });
});

import { vi } from "vitest";

/** The browser that the sources expect, as far as they ask for one outside components. */
export function browser(languages: readonly string[] = ["en-CA"]): void {
  vi.stubGlobal("navigator", { languages });
  vi.stubGlobal("document", { documentElement: { lang: "" }, cookie: "" });
  vi.stubGlobal("location", { protocol: "http:", pathname: "/", search: "" });
}

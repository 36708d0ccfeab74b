import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { adminApi } from "../src/admin/api";
import { People } from "../src/admin/people.svelte";
import { use } from "../src/lib/i18n.svelte";
import { browser } from "./setup";

const fetched = vi.fn<(path: string, init: RequestInit) => Promise<Response>>();

function answer(status: number, body: unknown): void {
  fetched.mockResolvedValueOnce(new Response(JSON.stringify(body), { status }));
}

const user = (id: string, name: string, disabled: string | null = null): object => ({
  id,
  name,
  role: "technician",
  created: "2026-11-30T12:00:00Z",
  disabled,
  signins: 0,
  seen: null,
  provider: null,
  teams: [],
  you: false,
});

beforeEach(() => {
  browser();
  vi.stubGlobal("location", { origin: "https://help.example.org", pathname: "/admin", search: "" });
  use("en");
  vi.stubGlobal("fetch", fetched);
});
afterEach(() => {
  fetched.mockReset();
  vi.unstubAllGlobals();
});

describe("what an administrator asks for", () => {
  test("is about one account, whatever its id holds", async () => {
    answer(200, user("x", "Ana"));
    await adminApi.act("../teams?", "disable");
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/v1/users/..%2Fteams%3F/disable");
  });

  test("gives a link that is whole", async () => {
    answer(201, { path: "/signin/abc", role: "technician", expires: "2026-12-01T12:00:00Z" });
    expect((await adminApi.invite("", "technician", [])).url).toBe("https://help.example.org/signin/abc");
  });

  test("is refused where an answer is not as agreed", async () => {
    answer(200, { users: [{ ...user("x", "Ana"), role: "owner" }], more: false });
    await expect(adminApi.users("", "open", "")).rejects.toThrow("role");
  });
});

describe("the list of people", () => {
  test("goes on after the last one, and loses who no longer belongs into it", async () => {
    const people = new People();
    answer(200, { users: [user("1", "Ana"), user("2", "Bea")], more: true });
    answer(200, { teams: [{ id: "t", name: "First line", tier: 1, members: 1 }] });
    await people.load();
    answer(200, { users: [user("3", "Cleo")], more: false });
    await people.next();
    expect(fetched.mock.calls[2]?.[0]).toBe("/api/v1/users?q=&state=open&after=2");
    expect(people.found?.map((u) => u.name)).toEqual(["Ana", "Bea", "Cleo"]);
    answer(200, user("2", "Bea", "2026-11-30T13:00:00Z"));
    people.put(await adminApi.act("2", "disable"));
    expect(people.found?.map((u) => u.name)).toEqual(["Ana", "Cleo"]);
  });
});

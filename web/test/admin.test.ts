import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { adminApi } from "../src/admin/api";
import { People } from "../src/admin/people.svelte";
import { DeskDraft, example } from "../src/admin/desks.svelte";
import { Draft } from "../src/admin/rules.svelte";
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

const policy = {
  version: 3,
  preset: "",
  ruled_out: ["file_out"],
  minutes: 60,
  factor: ["admin"],
  retention: null as object | null,
  grants: ["control", "file_in", "file_out"],
  fixed: [],
  presets: [
    {
      name: "bank",
      ruled_out: ["file_in", "file_out"],
      minutes: 30,
      factor: ["technician", "admin"],
      retention: { name: "finance", sessions_days: 2555, outside_days: 1825 },
    },
  ],
};

describe("the rules", () => {
  test("are filled in by a preset, changed by the line, and told before they are sent", async () => {
    answer(200, policy);
    const force = await adminApi.policy();
    const draft = new Draft(force);
    expect(draft.differences).toEqual([]);
    expect(draft.body).toEqual({
      version: 3,
      ruled_out: ["file_out"],
      minutes: 60,
      factor: ["admin"],
      retention: null,
    });
    const bank = force.presets[0];
    if (bank === undefined) throw new Error("no preset");
    draft.take(bank);
    expect(draft.is(bank)).toBe(true);
    draft.allow("control", false);
    draft.minutes = "";
    expect(draft.is(bank)).toBe(false);
    expect(draft.differences.map(({ line, name, from, to }) => [line + name, from, to])).toEqual([
      ["grantcontrol", true, false],
      ["grantfile_in", true, false],
      ["minutes", 60, null],
      ["factortechnician", false, true],
      ["sessions", null, 2555],
      ["outside", null, 1825],
    ]);
    expect(draft.body).toEqual({
      version: 3,
      ruled_out: ["file_in", "file_out", "control"],
      minutes: 0,
      factor: ["technician", "admin"],
      retention: { sessions_days: 2555, outside_days: 1825 },
    });
    draft.reset();
    expect(draft.differences).toEqual([]);
  });

  test("are numbers that can be", async () => {
    answer(200, { ...policy, retention: { name: "own", sessions_days: 90, outside_days: 0 } });
    const draft = new Draft(await adminApi.policy());
    expect([draft.minutes, draft.sessions, draft.outside]).toEqual(["60", "90", ""]);
    for (const bad of ["4", "1441", "1e2", "-5", "60 ", "6.5", "x"]) {
      draft.minutes = bad;
      expect(draft.minutesFit, bad).toBe(false);
    }
    for (const [days, ok] of [
      ["29", false],
      ["30", true],
      ["36525", true],
      ["36526", false],
      ["", true],
    ] as const) {
      draft.sessions = days;
      expect(draft.sessionsFit, days).toBe(ok);
    }
    draft.sessions = draft.outside = "";
    expect(draft.body).toMatchObject({ retention: { sessions_days: 0, outside_days: 0 } }); // for ever, now said
  });
});

describe("a ticket system as it is filled in", () => {
  const field = (name: string, need: boolean, secret = false): object => ({ name, need, secret, of: [] });
  const systems = [
    {
      name: "rt",
      fields: [
        field("url", true),
        field("token", true, true),
        field("hook_secret", false, true),
        field("per_minute", false),
        field("ca", false),
      ],
    },
    { name: "zammad", fields: [field("url", true), field("token", true, true)] },
  ];
  const rt = {
    name: "rt",
    system: "rt",
    kept: "page",
    state: "used",
    url: "https://rt.example.org",
    per_minute: 60,
    has: ["token", "hook_secret"],
    waiting: 0,
    check: null,
  };
  const setup = async (desks: object[]): Promise<Awaited<ReturnType<typeof adminApi.setup>>> => {
    const policy = { desk: "local", ticket: "required", note: "private", chat: "none", offline: "refuse" };
    answer(200, { version: 3, desks, policy, policy_from: "", systems, allow: [] });
    return adminApi.setup();
  };

  test("names the first field that it cannot do without", async () => {
    const d = new DeskDraft(await setup([]), null);
    expect(d.missing).toBe("name");
    for (const bad of ["Rt", "local", "", "a b", "é"]) {
      d.name = bad;
      expect(d.missing, bad).toBe("name");
    }
    d.name = "rt";
    expect(d.missing).toBe("url");
    d.put("url", "https://rt.example.org");
    expect(d.missing).toBe("token");
    d.put("token", " t ");
    d.put("per_minute", "many");
    expect(d.missing).toBe("per_minute");
    d.put("per_minute", "");
    expect(d.missing).toBe("");
    expect(d.body).toEqual({
      url: "https://rt.example.org",
      per_minute: 0,
      ca: "",
      system: "rt",
      secrets: { token: "t" },
      forget: [],
    });
    d.system = "zammad"; // knows no more than these
    expect(Object.keys(d.body).sort()).toEqual(["forget", "secrets", "system", "url"]);
  });

  test("keeps its secrets unless the address leads elsewhere", async () => {
    const s = await setup([rt]);
    const d = new DeskDraft(s, s.desks[0] ?? null);
    expect(d.missing).toBe("");
    expect(d.body["secrets"]).toEqual({});
    expect(d.value("per_minute")).toBe("60");
    d.put("url", "https://RT.example.org/rt");
    expect(d.moved).toBe(false);
    d.put("url", "https://rt.example.org:8443");
    expect(d.moved).toBe(true);
    expect(d.missing).toBe("token");
    expect(d.at("DESK_SECRETS")).toBe("token");
    expect(d.at("DESK_INNER")).toBe("url");
    expect(d.at("DESKS_CHANGED")).toBe("");
  });

  test("forgets a secret only where nothing is typed for it", async () => {
    const s = await setup([rt]);
    const d = new DeskDraft(s, s.desks[0] ?? null);
    d.drop("hook_secret", true);
    expect(d.body["forget"]).toEqual(["hook_secret"]);
    d.put("hook_secret", "whsec_new");
    expect(d.body["forget"]).toEqual([]);
  });

  test("shows what its address looks like", () => {
    expect(example("email")).toBe("smtps://mail.example.org");
    expect(example("rt")).toBe("https://desk.example.org");
  });
});

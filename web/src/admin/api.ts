// The part of the server's interface that is for the role admin only.
import { at, call, id, type Role } from "../lib/api";
import { plate, type Logo } from "../lib/brand.svelte";
import { integer, list, optional, record, role, string } from "../lib/api/shapes";

/** Names are hostile text, as everywhere. */
export interface User {
  id: string;
  name: string;
  role: Role;
  created: string;
  disabled: string | null;
  signIns: number;
  seen: string | null;
  /** Who vouches for the user and decides the role; null: signs in here. */
  provider: string | null;
  teams: string[];
  you: boolean;
}

export interface Team {
  id: string;
  name: string;
  tier: number;
  members: number;
}

export interface OneTimeLink {
  /** Whole, with this server's own name. */
  url: string;
  expires: string;
}

export interface Change {
  index: number;
  time: string;
  type: string;
  actor: { kind: string; name: string | null };
  user: string | null;
  team: string | null;
  name: string | null;
  data: Record<string, unknown>;
}

/** How many days names stay in the log; 0 is for ever. */
export interface Kept {
  sessions: number;
  outside: number;
}

export interface Rules {
  ruledOut: string[];
  /** Of a session; 0 is no limit. */
  minutes: number;
  factor: Role[];
}

export interface Preset extends Rules {
  name: string;
  retention: Kept;
}

export interface Policy extends Rules {
  version: number;
  /** Null: nobody said how long. */
  retention: Kept | null;
  /** What can be ruled out. */
  grants: string[];
  /** Roles that must have a second factor whatever is chosen here. */
  fixed: Role[];
  presets: Preset[];
}

export interface Brand {
  version: number;
  /** Empty: that of the configuration. */
  name: string;
  /** For the landing page in English, and in French; empty: none. */
  sentence: string;
  phrase: string;
  /** A colour, #rrggbb; empty: that of the pages. */
  accent: string;
  /** Of the picture; empty: none. */
  logo: string;
  configured: string;
  picture: Picture | null;
  /** Path of the stylesheet with the colour; empty: none. */
  sheet: string;
}

/** What can be chosen of a Brand. */
export type Choice = Pick<Brand, "name" | "sentence" | "phrase" | "accent" | "logo">;

/** A logo as the server drew it. */
export interface Picture {
  logo: string;
  width: number;
  height: number;
  plate: Logo["plate"];
}

/** What is said of a colour. */
export interface Palette {
  /** The one asked for, or the one most like it that can be had. */
  colour: string;
  /** Why not the one asked for: words of it could not be read, or look like a warning. */
  why: "" | "faint" | "warning";
  /** The colours of the pages by name, with it. */
  light: Record<string, string>;
  dark: Record<string, string>;
}

/** What a check of a ticket system found. */
export interface DeskCheck {
  at: string;
  /** What is missing; null: it can be used. */
  problem: { code: string; message: string } | null;
  /** The system's own: hostile. */
  words: string;
}

export interface Desk {
  name: string;
  system: string;
  /** Where: "server" is the embedded one. */
  kept: "server" | "file" | "page";
  state: "used" | "shadowed" | "sealed" | "refused";
  /** By name, as the server calls them; no secrets. */
  fields: Record<string, string>;
  /** Names of the secrets that it has. */
  has: string[];
  /** Notes that wait for it. */
  waiting: number;
  check: DeskCheck | null;
}

export interface Field {
  name: string;
  need: boolean;
  secret: boolean;
  /** The values that there are; none: any text. */
  of: string[];
}

export interface TicketPolicy {
  desk: string;
  ticket: string;
  note: string;
  chat: string;
  offline: string;
}

/** The ticket systems, and what is wanted of sessions and their tickets. */
export interface Setup {
  version: number;
  desks: Desk[];
  policy: TicketPolicy;
  /** Where that comes from; "" where nobody said anything. */
  policyFrom: "page" | "file" | "";
  systems: { name: string; fields: Field[] }[];
}

export type AccountState = "open" | "closed";

export const adminApi = {
  async users(q: string, state: AccountState, after: string): Promise<{ users: User[]; more: boolean }> {
    const query = { q, state, ...(after === "" ? {} : { after }) };
    const o = record(await call("GET", at("/api/v1/users", query)));
    return { users: list(o, "users", user), more: o["more"] === true };
  },
  async invite(name: string, as: Role, teams: string[]): Promise<OneTimeLink> {
    return link(await call("POST", "/api/v1/users", { name, role: as, teams }));
  },
  async reset(userID: string): Promise<OneTimeLink> {
    return link(await call("POST", `/api/v1/users/${id(userID)}/link`, {}));
  },
  async setRole(userID: string, to: Role): Promise<User> {
    return user(await call("POST", `/api/v1/users/${id(userID)}/role`, { role: to }));
  },
  async setTeams(userID: string, teams: string[]): Promise<User> {
    return user(await call("PUT", `/api/v1/users/${id(userID)}/teams`, { teams }));
  },
  async act(userID: string, what: "disable" | "enable" | "signout"): Promise<User> {
    return user(await call("POST", `/api/v1/users/${id(userID)}/${what}`, {}));
  },
  async teams(): Promise<Team[]> {
    return list(await call("GET", "/api/v1/teams"), "teams", team);
  },
  async makeTeam(name: string, tier: number): Promise<void> {
    await call("POST", "/api/v1/teams", { name, tier });
  },
  async setTeam(teamID: string, name: string, tier: number): Promise<void> {
    await call("PUT", `/api/v1/teams/${id(teamID)}`, { name, tier });
  },
  async removeTeam(teamID: string): Promise<void> {
    await call("DELETE", `/api/v1/teams/${id(teamID)}`);
  },
  async policy(): Promise<Policy> {
    return policy(await call("GET", "/api/v1/policy"));
  },
  async setPolicy(body: object): Promise<Policy> {
    return policy(await call("PUT", "/api/v1/policy", body));
  },
  async brand(): Promise<Brand> {
    return brand(await call("GET", "/api/v1/brand"));
  },
  async setBrand(version: number, b: Choice): Promise<Brand> {
    return brand(await call("PUT", "/api/v1/brand", { ...b, version }));
  },
  /** Adds a picture, to be looked at; setBrand shows it. */
  async addLogo(file: File): Promise<Picture> {
    const as = file.type.startsWith("image/") ? file.type : "image/unknown"; // the server looks for itself
    return picture(await call("POST", "/api/v1/brand/logo", new Blob([file], { type: as })));
  },
  /** Without a colour: the pages' own. */
  async palette(colour: string): Promise<Palette> {
    const o = record(await call("GET", at("/api/v1/brand/palette", colour === "" ? {} : { colour })));
    const why = string(o, "why");
    return {
      colour: string(o, "colour"),
      why: why === "faint" || why === "warning" ? why : "",
      light: colours(o["light"]),
      dark: colours(o["dark"]),
    };
  },
  async setup(): Promise<Setup> {
    return setup(await call("GET", "/api/v1/desks/setup"));
  },
  async addDesk(version: number, name: string, body: object): Promise<Setup> {
    return setup(await call("POST", "/api/v1/desks/setup", { ...body, version, name }));
  },
  async setDesk(version: number, name: string, body: object): Promise<Setup> {
    return setup(await call("PUT", `/api/v1/desks/setup/${id(name)}`, { ...body, version }));
  },
  async removeDesk(version: number, name: string): Promise<Setup> {
    const path = at(`/api/v1/desks/setup/${id(name)}`, { version: String(version) });
    return setup(await call("DELETE", path));
  },
  async tryDesk(name: string, body: object): Promise<DeskCheck> {
    return deskCheck(await call("POST", "/api/v1/desks/setup/check", { ...body, name }));
  },
  async checkDesk(name: string): Promise<DeskCheck> {
    return deskCheck(await call("POST", `/api/v1/desks/setup/${id(name)}/check`, {}));
  },
  async setTicketPolicy(version: number, policy: TicketPolicy | null): Promise<Setup> {
    return setup(await call("PUT", "/api/v1/desks/policy", { version, policy }));
  },
  async changes(before: number | null): Promise<{ changes: Change[]; more: boolean }> {
    const path = before === null ? "/api/v1/changes" : at("/api/v1/changes", { before: String(before) });
    const o = record(await call("GET", path));
    return { changes: list(o, "changes", change), more: o["more"] === true };
  },
};

function user(v: unknown): User {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    role: role(o),
    created: string(o, "created"),
    disabled: optional(o, "disabled"),
    signIns: integer(o, "signins"),
    seen: optional(o, "seen"),
    provider: optional(o, "provider"),
    teams: list(o, "teams", (t) => {
      if (typeof t !== "string") throw new TypeError("a team is not an id");
      return t;
    }),
    you: o["you"] === true,
  };
}

function team(v: unknown): Team {
  const o = record(v);
  return {
    id: string(o, "id"),
    name: string(o, "name"),
    tier: integer(o, "tier"),
    members: integer(o, "members"),
  };
}

function link(v: unknown): OneTimeLink {
  const o = record(v);
  return { url: new URL(string(o, "path"), location.origin).href, expires: string(o, "expires") };
}

const word = (v: unknown): string => {
  if (typeof v !== "string") throw new TypeError("a name is no text");
  return v;
};

function rules(o: Record<string, unknown>): Rules {
  return {
    ruledOut: list(o, "ruled_out", word),
    minutes: integer(o, "minutes"),
    factor: list(o, "factor", (v) => role({ role: v })),
  };
}

function kept(v: unknown): Kept {
  const o = record(v);
  return { sessions: integer(o, "sessions_days"), outside: integer(o, "outside_days") };
}

function policy(v: unknown): Policy {
  const o = record(v);
  return {
    ...rules(o),
    version: integer(o, "version"),
    retention: o["retention"] === null ? null : kept(o["retention"]),
    grants: list(o, "grants", word),
    fixed: list(o, "fixed", (r) => role({ role: r })),
    presets: list(o, "presets", (p) => {
      const of = record(p);
      return { ...rules(of), name: string(of, "name"), retention: kept(of["retention"]) };
    }),
  };
}

function brand(v: unknown): Brand {
  const o = record(v);
  return {
    version: integer(o, "version"),
    name: string(o, "name"),
    sentence: string(o, "sentence"),
    phrase: string(o, "phrase"),
    accent: string(o, "accent"),
    logo: string(o, "logo"),
    configured: string(o, "configured"),
    picture: o["picture"] === null ? null : picture(o["picture"]),
    sheet: string(o, "sheet"),
  };
}

function picture(v: unknown): Picture {
  const o = record(v);
  return {
    logo: string(o, "logo"),
    width: integer(o, "width"),
    height: integer(o, "height"),
    plate: plate(string(o, "plate")),
  };
}

function colours(v: unknown): Record<string, string> {
  const o = record(v);
  return Object.fromEntries(Object.keys(o).map((name) => [name, string(o, name)]));
}

function deskCheck(v: unknown): DeskCheck {
  const o = record(v);
  const p = o["problem"] === null ? null : record(o["problem"]);
  return {
    at: string(o, "at"),
    problem: p === null ? null : { code: string(p, "code"), message: string(p, "message") },
    words: string(o, "words"),
  };
}

function oneOf<T extends string>(o: Record<string, unknown>, key: string, of: readonly T[]): T {
  const v = string(o, key);
  const known = of.find((w) => w === v);
  if (known === undefined) throw new TypeError(`${key} is none that there is`);
  return known;
}

function desk(v: unknown): Desk {
  const o = record(v);
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(o)) if (typeof value === "string") fields[name] = value;
  const perMinute = integer(o, "per_minute");
  fields["per_minute"] = perMinute === 0 ? "" : String(perMinute);
  return {
    name: string(o, "name"),
    system: string(o, "system"),
    kept: oneOf(o, "kept", ["server", "file", "page"]),
    state: oneOf(o, "state", ["used", "shadowed", "sealed", "refused"]),
    fields,
    has: list(o, "has", word),
    waiting: integer(o, "waiting"),
    check: o["check"] === null ? null : deskCheck(o["check"]),
  };
}

function setup(v: unknown): Setup {
  const o = record(v);
  const p = record(o["policy"]);
  return {
    version: integer(o, "version"),
    desks: list(o, "desks", desk),
    policy: {
      desk: string(p, "desk"),
      ticket: string(p, "ticket"),
      note: string(p, "note"),
      chat: string(p, "chat"),
      offline: string(p, "offline"),
    },
    policyFrom: oneOf(o, "policy_from", ["page", "file", ""]),
    systems: list(o, "systems", (s) => ({
      name: string(record(s), "name"),
      fields: list(s, "fields", (f) => {
        const of = record(f);
        return {
          name: string(of, "name"),
          need: of["need"] === true,
          secret: of["secret"] === true,
          of: list(of, "of", word),
        };
      }),
    })),
  };
}

function change(v: unknown): Change {
  const o = record(v);
  const actor = record(o["actor"]);
  return {
    index: integer(o, "index"),
    time: string(o, "time"),
    type: string(o, "type"),
    actor: { kind: string(actor, "kind"), name: optional(actor, "name") },
    user: optional(o, "user"),
    team: optional(o, "team"),
    name: optional(o, "name"),
    data: record(o["data"] ?? {}),
  };
}

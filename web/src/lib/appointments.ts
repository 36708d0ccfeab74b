// Times at which a person and a technician will both be there. None of them opens anything.
import { at, call, id } from "./api";
import { integer, language, list, record, string } from "./api/shapes";
import type { Lang } from "./i18n.svelte";

/** What a person can be asked to prepare, in words that stand in both languages. */
export const itemKeys = ["computer", "save", "power", "phone", "password", "decide"] as const;
export type ItemKey = (typeof itemKeys)[number];
/** Of key "password", text says for what; without a key it is the line itself. */
export interface ToPrepare {
  key: ItemKey | "";
  text: string;
}

const states = ["made", "cancelled", "declined", "kept", "missed"] as const;
const phases = ["ahead", "soon", "now", "over"] as const;

export interface Appointment {
  id: string;
  ticket: { id: string; number: string; subject: string };
  technician: string;
  mine: boolean;
  /** Who is signed in may change it. */
  may: boolean;
  lang: Lang;
  starts: string;
  ends: string;
  about: string;
  items: ToPrepare[];
  state: (typeof states)[number];
  phase: (typeof phases)[number];
  /** Said by who called it off. */
  why: string;
  sequence: number;
  /** Name of the person, who waits now; "" while they do not. */
  here: string;
  /** What to write to the person; public: it stands in the ticket as a reply to them. */
  letter: { url: string; subject: string; text: string; public: boolean } | null;
}

/** An appointment as it is asked for. */
export interface Wanted {
  starts: string;
  ends: string;
  zone: string;
  lang: Lang;
  about: string;
  items: ToPrepare[];
  /** Others at that time. */
  despite: boolean;
}

export const aboutMax = 120;
export const itemMax = 120;
export const itemsMax = 12;
export const offMax = 300;
/** Minutes that are offered; the server takes 10 to 240. */
export const lengths = [10, 15, 30, 45, 60, 90, 120, 180, 240] as const;

function one<T extends string>(all: readonly T[], v: unknown): T {
  const x = all.find((k) => k === v);
  if (x === undefined) throw new TypeError("not a word that is known");
  return x;
}

export function appointment(v: unknown): Appointment {
  const o = record(v);
  const t = record(o["ticket"]);
  const l = o["letter"] === null ? null : record(o["letter"]);
  return {
    id: string(o, "id"),
    ticket: { id: string(t, "id"), number: string(t, "number"), subject: string(t, "subject") },
    technician: string(o, "technician"),
    mine: o["mine"] === true,
    may: o["may"] === true,
    lang: language(o),
    starts: string(o, "starts"),
    ends: string(o, "ends"),
    about: string(o, "about"),
    items: list(o, "items", (x) => {
      const i = record(x);
      return { key: i["key"] === "" ? "" : one(itemKeys, i["key"]), text: string(i, "text") };
    }),
    state: one(states, o["state"]),
    phase: one(phases, o["phase"]),
    why: string(o, "why"),
    sequence: integer(o, "sequence"),
    here: string(o, "here"),
    letter:
      l === null
        ? null
        : {
            url: string(l, "url"),
            subject: string(l, "subject"),
            text: string(l, "text"),
            public: l["public"] === true,
          },
  };
}

export const appointmentsApi = {
  async of(whose: "mine" | "team"): Promise<Appointment[]> {
    return list(await call("GET", at("/api/v1/appointments", { whose })), "appointments", appointment);
  },
  async on(ticket: string): Promise<Appointment[]> {
    return list(await call("GET", at("/api/v1/appointments", { ticket })), "appointments", appointment);
  },
  async make(ticket: string, wanted: Wanted): Promise<Appointment> {
    return appointment(await call("POST", `/api/v1/tickets/${id(ticket)}/appointment`, wanted));
  },
  async change(a: Appointment, wanted: Wanted): Promise<Appointment> {
    const { sequence } = a;
    return appointment(await call("PUT", `/api/v1/appointments/${id(a.id)}`, { ...wanted, sequence }));
  },
  async cancel(a: Appointment, why: string): Promise<Appointment> {
    return appointment(await call("POST", `/api/v1/appointments/${id(a.id)}/cancel`, { why }));
  },
  async end(a: Appointment, kept: boolean): Promise<Appointment> {
    return appointment(await call("POST", `/api/v1/appointments/${id(a.id)}/end`, { kept }));
  },
};

// The server's JSON interface, typed. Answers are checked for their shape, so
// that a page shows a sentence instead of breaking when one is not as agreed.
import { lang, t, type Lang } from "./i18n.svelte";
import { Problem } from "./api/problem";
import {
  record,
  string,
  optional,
  integer,
  list,
  language,
  role,
  me,
  factor,
  challenge,
  text,
  ticket,
  deskInfo,
  policy,
  trouble,
  heldSession,
  note,
  letter,
  session,
  liveSession,
  waiting,
  transfer,
  colleague,
  crew,
  figures,
  logEvent,
  trends,
} from "./api/shapes";
import {
  localDesk,
  type Me,
  type Factors,
  type Challenge,
  type NewApp,
  type StepUpNeed,
  type Ticket,
  type Desks,
  type Outbox,
  type Note,
  type TicketDetail,
  type Session,
  type LiveSession,
  type WaitingRoom,
  type Work,
  type Colleagues,
  type Priority,
  type Figures,
  type Trends,
  type Watch,
  type SessionLog,
  type SignInLink,
  type SessionFormat,
  type ListFormat,
  type TicketState,
  type PersonLink,
  type Download,
} from "./api/types";

export { asProblem, Problem } from "./api/problem";
export * from "./api/types";

const timeoutMs = 20_000;

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers:
        body === undefined ? {} : { "Content-Type": body instanceof Blob ? body.type : "application/json" },
      body: body === undefined ? null : body instanceof Blob ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new Problem(0, "NETWORK", t("problem.network"));
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** What the server answers, as JSON. A Blob is sent as it is, anything else as JSON. */
export async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await ask(method, path, body);
  if (answer.status === 204) return null;
  try {
    return await answer.json();
  } catch {
    throw new Problem(answer.status, "ANSWER", t("problem.answer"));
  }
}

async function refusal(answer: Response): Promise<Problem> {
  let code = `HTTP_${answer.status}`;
  let message =
    answer.status === 401 ? t("problem.signed_out") : t("problem.status", { status: answer.status });
  try {
    const error = record(record(await answer.json())["error"]);
    code = string(error, "code");
    message = string(error, "message") || message;
  } catch {
    // Not the agreed shape: a proxy in between, say. The general sentence holds.
  }
  return new Problem(answer.status, code, message);
}

export const at = (path: string, query: Record<string, string>): string =>
  `${path}?${new URLSearchParams(query)}`;
export const id = encodeURIComponent;

export const api = {
  async signIn(name: string, password: string, code = ""): Promise<Me> {
    return me(await call("POST", "/api/v1/signin", { name, password, code }));
  },
  async link(token: string): Promise<SignInLink> {
    const o = record(await call("GET", at("/api/v1/signin/link", { token })));
    return { role: role(o), name: optional(o, "name"), reset: o["reset"] === true };
  },
  async takeLink(token: string, name: string, password: string): Promise<Me> {
    return me(await call("POST", "/api/v1/signin/link", { token, name, password }));
  },
  async providers(): Promise<{ name: string; label: string }[]> {
    return list(await call("GET", "/api/v1/signin/providers"), "providers", (v) => {
      const o = record(v);
      return { name: string(o, "name"), label: string(o, "label") };
    });
  },
  async signOut(): Promise<void> {
    await call("POST", "/api/v1/signout", {});
  },
  async me(): Promise<Me> {
    return me(await call("GET", "/api/v1/me"));
  },
  async setLang(lang: Lang): Promise<void> {
    await call("PUT", "/api/v1/me/lang", { lang });
  },
  async sawFailures(): Promise<void> {
    await call("POST", "/api/v1/me/failures", {});
  },
  async factors(): Promise<Factors> {
    const o = record(await call("GET", "/api/v1/me/factors"));
    return {
      totp: o["totp"] === null ? null : factor(o["totp"]),
      passkeys: list(o, "passkeys", factor),
      recovery: integer(o, "recovery"),
      required: o["required"] === true,
      possible: o["passkeys_possible"] === true,
    };
  },
  async removeFactor(factorID: string): Promise<void> {
    await call("DELETE", `/api/v1/me/factors/${id(factorID)}`);
  },
  async newApp(): Promise<NewApp> {
    const o = record(await call("POST", "/api/v1/me/totp", {}));
    const qr = record(o["qr"]);
    return { secret: string(o, "secret"), size: integer(qr, "size"), path: string(qr, "path") };
  },
  /** The recovery codes that came with it; null if there were some already. */
  async confirmApp(code: string): Promise<string[] | null> {
    const o = record(await call("POST", "/api/v1/me/totp/confirm", { code }));
    return o["recovery"] === null ? null : list(o, "recovery", text);
  },
  async newRecovery(): Promise<string[]> {
    return list(await call("POST", "/api/v1/me/recovery", {}), "recovery", text);
  },
  async stepUpNeed(): Promise<StepUpNeed> {
    const o = record(await call("GET", "/api/v1/stepup"));
    const p = o["provider"] === null ? null : record(o["provider"]);
    return {
      control: o["control"] === true,
      by: list(o, "by", text),
      provider: p === null ? null : { name: string(p, "name"), label: string(p, "label") },
    };
  },
  async askPasskey(): Promise<Challenge> {
    return challenge(await call("POST", "/api/v1/passkey", {}));
  },
  async signInByPasskey(state: string, credential: unknown): Promise<Me> {
    return me(await call("POST", "/api/v1/signin/passkey", { state, credential }));
  },
  async offerPasskey(): Promise<Challenge> {
    return challenge(await call("POST", "/api/v1/me/passkeys", {}));
  },
  async addPasskey(name: string, state: string, credential: unknown): Promise<void> {
    await call("PUT", "/api/v1/me/passkeys", { name, state, credential });
  },
  async stepUp(
    proof: { code: string } | { password: string } | { passkey: { state: string; credential: unknown } },
  ): Promise<void> {
    await call("POST", "/api/v1/stepup", proof);
  },
  async desks(): Promise<Desks> {
    const o = record(await call("GET", "/api/v1/desks"));
    return { desks: list(o, "desks", deskInfo), policy: policy(o["policy"]) };
  },
  /** A page of tickets: those behind the one of an id. */
  async tickets(
    state: TicketState,
    q: string,
    desk = localDesk,
    after = "",
  ): Promise<{ tickets: Ticket[]; more: boolean }> {
    const behind: Record<string, string> = after === "" ? {} : { after };
    const o = record(await call("GET", at("/api/v1/tickets", { state, q, desk, ...behind })));
    return { tickets: list(o, "tickets", ticket), more: o["more"] === true };
  },
  async queue(whose: "mine" | "team" = "mine"): Promise<Ticket[]> {
    return list(await call("GET", at("/api/v1/queue", { whose })), "tickets", ticket);
  },
  async work(): Promise<Work> {
    const o = record(await call("GET", "/api/v1/work"));
    return {
      toTake: list(o, "to_take", transfer),
      sent: list(o, "sent", transfer),
      away: o["away"] === true,
      now: string(o, "now"),
    };
  },
  async colleagues(): Promise<Colleagues> {
    const o = record(await call("GET", "/api/v1/colleagues"));
    return { colleagues: list(o, "colleagues", colleague), teams: list(o, "teams", crew) };
  },
  async setAway(away: boolean): Promise<void> {
    await call("PUT", "/api/v1/availability", { away });
  },
  async takeTicket(ticketID: string): Promise<Ticket> {
    return ticket(await call("POST", `/api/v1/tickets/${id(ticketID)}/take`, {}));
  },
  async setUrgency(ticketID: string, priority: Priority, due: string | null): Promise<Ticket> {
    return ticket(await call("PUT", `/api/v1/tickets/${id(ticketID)}/urgency`, { priority, due }));
  },
  async handOver(ticketID: string, to: { user: string } | { team: string }, note: string): Promise<void> {
    await call("POST", `/api/v1/tickets/${id(ticketID)}/transfer`, { ...to, note });
  },
  async takeTransfer(transferID: string): Promise<Ticket> {
    return ticket(record(await call("POST", `/api/v1/transfers/${id(transferID)}/take`, {}))["ticket"]);
  },
  async returnTransfer(transferID: string, note: string): Promise<void> {
    await call("POST", `/api/v1/transfers/${id(transferID)}/return`, { note });
  },
  async undoTransfer(transferID: string): Promise<void> {
    await call("POST", `/api/v1/transfers/${id(transferID)}/undo`, {});
  },
  async ticket(ticketID: string): Promise<TicketDetail> {
    const o = record(await call("GET", `/api/v1/tickets/${id(ticketID)}`));
    return {
      ticket: ticket(o["ticket"]),
      notes: list(o, "notes", note),
      sessions: list(o, "sessions", heldSession),
      problem: trouble(o["problem"]),
    };
  },
  async createTicket(subject: string, requester: string, lang: Lang): Promise<Ticket> {
    return ticket(await call("POST", "/api/v1/tickets", { subject, requester, lang }));
  },
  async setOpen(ticketID: string, open: boolean): Promise<Ticket> {
    return ticket(await call("POST", `/api/v1/tickets/${id(ticketID)}/${open ? "open" : "close"}`, {}));
  },
  async addNote(ticketID: string, text: string, isPublic: boolean): Promise<Note> {
    return note(await call("POST", `/api/v1/tickets/${id(ticketID)}/notes`, { text, public: isPublic }));
  },
  async personLink(ticketID: string, lang: Lang): Promise<PersonLink> {
    const o = record(record(await call("POST", "/api/v1/sessions", { ticket: ticketID, lang }))["person"]);
    return { url: string(o, "url"), lang: language(o), expires: string(o, "expires") };
  },
  async outbox(): Promise<Outbox> {
    const o = record(await call("GET", "/api/v1/outbox"));
    return { waiting: list(o, "waiting", letter), dead: list(o, "dead", letter) };
  },
  async retryNote(letterID: string): Promise<void> {
    await call("POST", `/api/v1/outbox/${id(letterID)}/retry`, {});
  },
  async sessions(
    filter: Record<string, string>,
    before: string,
  ): Promise<{ sessions: Session[]; more: boolean }> {
    const o = record(
      await call("GET", at("/api/v1/sessions", before === "" ? filter : { ...filter, before })),
    );
    return { sessions: list(o, "sessions", session), more: o["more"] === true };
  },
  async live(): Promise<{ now: string; sessions: LiveSession[] }> {
    const o = record(await call("GET", "/api/v1/supervise/live"));
    return { now: string(o, "now"), sessions: list(o, "sessions", liveSession) };
  },
  async figures(since: Date): Promise<Figures> {
    return figures(await call("GET", at("/api/v1/supervise/figures", { since: String(since.getTime()) })));
  },
  async trends(from: Date, until: Date): Promise<Trends> {
    return trends(await call("GET", at("/api/v1/trends", span(from, until))));
  },
  async exportTrends(from: Date, until: Date): Promise<Download> {
    return download(at("/api/v1/trends/export", span(from, until)));
  },
  async waiting(): Promise<WaitingRoom> {
    const o = record(await call("GET", "/api/v1/waiting"));
    return { waiting: list(o, "waiting", waiting), targetMs: integer(o, "target_ms"), now: string(o, "now") };
  },
  async takeWaiting(personID: string): Promise<Ticket> {
    return ticket(record(await call("POST", `/api/v1/waiting/${id(personID)}/take`, {}))["ticket"]);
  },
  async askToWatch(sessionID: string): Promise<void> {
    await call("POST", `/api/v1/supervise/sessions/${id(sessionID)}/watch`, {});
  },
  async watches(): Promise<Watch[]> {
    return list(await call("GET", "/api/v1/watches"), "watches", (v) => {
      const o = record(v);
      return { session: string(o, "session"), supervisor: string(o, "supervisor") };
    });
  },
  async answerWatch(sessionID: string, invited: boolean): Promise<void> {
    await call("POST", `/api/v1/sessions/${id(sessionID)}/watched`, { invited });
  },
  async endSession(sessionID: string, why: string): Promise<void> {
    await call("POST", `/api/v1/sessions/${id(sessionID)}/end`, { why });
  },
  async sessionLog(sessionID: string): Promise<SessionLog> {
    const o = record(await call("GET", `/api/v1/sessions/${id(sessionID)}/events`));
    const tree = record(o["tree"]);
    return {
      session: session(o["session"]),
      events: list(o, "events", logEvent),
      tree: { size: integer(tree, "size"), root: string(tree, "root") },
    };
  },
  /** What a session is verified with: not looked at here, it is hostile until it is proven. */
  async proof(sessionID: string): Promise<unknown> {
    return call("GET", `/api/v1/sessions/${id(sessionID)}/proof`);
  },
  async exportSession(sessionID: string, format: SessionFormat, personal: boolean): Promise<Download> {
    const query = { format, lang: lang(), ...(personal ? { personal: "1" } : {}) };
    return download(at(`/api/v1/sessions/${id(sessionID)}/export`, query));
  },
  async exportList(format: ListFormat, filter: Record<string, string>): Promise<Download> {
    return download(at("/api/v1/sessions/export", { format, ...filter }));
  },
  async linkReceipt(sessionID: string): Promise<{ path: string; until: string }> {
    const o = record(await call("POST", `/api/v1/sessions/${id(sessionID)}/receipt`, {}));
    return { path: string(o, "path"), until: string(o, "until") };
  },
  async receipt(token: string): Promise<Download> {
    return download(`/api/v1/receipts/${id(token)}`);
  },
};

const span = (from: Date, until: Date): Record<string, string> => ({
  from: from.toISOString(),
  until: until.toISOString(),
});

async function download(path: string): Promise<Download> {
  const answer = await ask("GET", path);
  const name = /filename="([A-Za-z0-9._-]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
  return { name: name ?? "mainforte", body: await answer.blob() };
}

import { lookup } from "../lib/i18n.svelte";
import type { Desk, Field, Setup } from "./api";

/** How the systems call themselves: names are the same in every language. */
const systemNames: Readonly<Record<string, string>> = {
  freshdesk: "Freshdesk",
  glpi: "GLPI 10",
  glpi11: "GLPI 11",
  itop: "iTop",
  jira: "Jira Service Management",
  redmine: "Redmine",
  rt: "Request Tracker 5",
  servicenow: "ServiceNow",
  zammad: "Zammad",
  zendesk: "Zendesk",
  znuny: "Znuny, OTRS",
};

export const systemName = (system: string): string =>
  systemNames[system] ?? lookup(`admin.desks.system.${system}`) ?? system;

const hosts: Readonly<Record<string, string>> = {
  email: "mail.example.org",
  freshdesk: "name.freshdesk.com",
  jira: "name.atlassian.net",
  servicenow: "instance.service-now.com",
  zendesk: "name.zendesk.com",
};

/** What an address of a system looks like. */
export const example = (system: string): string =>
  `${system === "email" ? "smtps" : "https"}://${hosts[system] ?? "desk.example.org"}`;

/** The fields that most never need. */
export const further: readonly string[] = ["hook_secret", "per_minute", "ca"];

/** Where the server's word about a field stands. */
const places: Readonly<Record<string, string>> = {
  DESK_NAME: "name",
  DESK_TAKEN: "name",
  DESK_USED: "name",
  DESK_URL: "url",
  DESK_PLAIN: "url",
  DESK_INNER: "url",
  DESK_CA: "ca",
  DESK_HOOK: "hook_secret",
};

const nameForm = /^[a-z0-9-]{1,32}$/;

/** A ticket system as an administrator fills it in. Secrets are never told: an empty one stays as it was. */
export class DeskDraft {
  name = $state("");
  system = $state("rt");
  values = $state<Record<string, string>>({});
  forget = $state<readonly string[]>([]);
  readonly old: Desk | null;
  private setup: Setup;

  constructor(setup: Setup, old: Desk | null) {
    this.setup = setup;
    this.old = old;
    if (old === null) return;
    this.name = old.name;
    this.system = old.system;
    this.values = { ...old.fields };
  }

  get fields(): readonly Field[] {
    return this.setup.systems.find((s) => s.name === this.system)?.fields ?? [];
  }

  /** Whether a secret is kept that nothing was typed for. */
  keeps(field: string): boolean {
    return this.old?.has.includes(field) === true && !this.forget.includes(field);
  }

  value(field: string): string {
    return this.values[field] ?? "";
  }

  put(field: string, value: string): void {
    this.values = { ...this.values, [field]: value };
    if (value !== "") this.forget = this.forget.filter((f) => f !== field);
  }

  drop(field: string, on: boolean): void {
    this.forget = on ? [...this.forget, field] : this.forget.filter((f) => f !== field);
  }

  /** Another address: its secrets must be typed anew. */
  get moved(): boolean {
    return this.old !== null && origin(this.old.fields["url"] ?? "") !== origin(this.value("url"));
  }

  get nameFits(): boolean {
    return nameForm.test(this.name.trim()) && this.name.trim() !== "local";
  }

  /** The first field that nothing can be done without, "" if there is none. */
  get missing(): string {
    if (!this.nameFits) return "name";
    const bad = this.fields.find(
      (f) => f.need && this.value(f.name).trim() === "" && (!this.keeps(f.name) || this.moved),
    );
    if (bad !== undefined) return bad.name;
    return /^\d{0,5}$/.test(this.value("per_minute").trim()) ? "" : "per_minute";
  }

  /** The field that a refusal is about, "" if it is about none. */
  at(code: string): string {
    if (code === "DESK_SECRETS")
      return this.fields.find((f) => f.secret && f.name !== "hook_secret" && this.keeps(f.name))?.name ?? "";
    return places[code] ?? "";
  }

  get body(): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    const secrets: Record<string, string> = {};
    for (const f of this.fields) {
      const v = this.value(f.name).trim();
      if (f.secret) {
        if (v !== "") secrets[f.name] = v;
      } else if (f.name === "per_minute") out[f.name] = Number(v);
      else out[f.name] = v;
    }
    return { ...out, system: this.system, secrets, forget: this.forget };
  }
}

function origin(address: string): string {
  const m = /^([a-z]+):\/\/([^/?#]*)/i.exec(address.trim());
  return m === null ? address.trim() : m[0].toLowerCase();
}

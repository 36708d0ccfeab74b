-- The first schema; the twin of sqlite/0001_first.sql, where the columns are
-- explained. Types as in the package comment of store.

-- +goose Up

-- store ----------------------------------------------------------------------

-- Each transaction that writes takes the next number, under the writers' lock:
-- one that follows its own last number is the only one that wrote since.
create sequence store_batch;

-- Which of them committed: what a server asks whose line broke meanwhile.
create table store_commits (
  batch  bigint not null,
  writer text collate "C" not null,
  primary key (writer, batch)
);

-- identity -------------------------------------------------------------------

create table users (
  id            text collate "C" primary key,
  name          text collate "C" not null,
  name_key      text collate "C" not null unique,
  role          text collate "C" not null,
  password_hash text collate "C" not null,
  lang          text collate "C" not null default '',
  created       text collate "C" not null,
  disabled      text collate "C"
);

create table signins (
  token_hash bytea primary key,
  user_id    text collate "C" not null references users (id),
  method     text collate "C" not null,
  created    text collate "C" not null,
  last_seen  text collate "C" not null,
  expires    text collate "C" not null
);
create index signins_user on signins (user_id);
create index signins_expires on signins (expires);

create table links (
  token_hash bytea primary key,
  role       text collate "C" not null,
  name       text collate "C",
  created    text collate "C" not null,
  expires    text collate "C" not null,
  used       text collate "C",
  setup      bigint not null default 0
);

-- pairing --------------------------------------------------------------------

create table sessions (
  id            text collate "C" primary key,
  ticket_id     text collate "C" not null default '',
  technician_id text collate "C" not null,
  method        text collate "C" not null default '',
  host_key      bytea,
  started       text collate "C" not null,
  ended         text collate "C",
  reason        text collate "C",
  host_seq      bigint not null default 0,
  host_events   bigint,
  duration_ms   bigint,
  grants        text collate "C" not null default '[]',
  used          text collate "C" not null default '{}',
  host_token    bytea,
  viewer_token  bytea,
  interrupted   bigint not null default 0
);
create index sessions_ticket on sessions (ticket_id);
create index sessions_started on sessions (started);
create index sessions_technician on sessions (technician_id);
create index sessions_open on sessions (id) where ended is null;

-- tickets --------------------------------------------------------------------

create table tickets (
  id        text collate "C" primary key,
  number    text collate "C" not null unique,
  subject   text collate "C" not null,
  requester text collate "C" not null default '',
  lang      text collate "C" not null,
  is_open   bigint not null default 1,
  search    text collate "C" not null,
  created   text collate "C" not null,
  updated   text collate "C" not null
);
create index tickets_updated on tickets (updated);

create table ticket_notes (
  id        text collate "C" primary key,
  ticket_id text collate "C" not null references tickets (id),
  note_key  text collate "C" unique,
  author    text collate "C" not null default '',
  lang      text collate "C" not null default '',
  body      text collate "C" not null,
  is_public bigint not null default 0,
  created   text collate "C" not null
);
create index ticket_notes_ticket on ticket_notes (ticket_id, id);

create table counters (
  name  text collate "C" primary key,
  value bigint not null
);
insert into counters (name, value) values ('ticket', 1000);

create table outbox (
  id         text collate "C" primary key,
  note_key   text collate "C" not null unique,
  system     text collate "C" not null,
  ticket_id  text collate "C" not null,
  session_id text collate "C" not null default '',
  note       text collate "C" not null,
  state      text collate "C" not null check (state in ('waiting', 'written', 'dead')),
  attempts   bigint not null default 0,
  next_at    text collate "C" not null,
  remote_id  text collate "C" not null default '',
  problem    text collate "C" not null default '',
  created    text collate "C" not null,
  updated    text collate "C" not null
);
create index outbox_due on outbox (state, next_at);

-- audit ----------------------------------------------------------------------

-- A leaf is public for ever and holds no personal data. hash is its leaf hash,
-- RFC 6962 §2.1. id, session and type repeat what the leaf says, for look-ups.
-- No more indexes than this one: each costs every event a page.
create table audit_leaves (
  idx     bigint primary key,
  id      text collate "C" not null,
  session text collate "C" not null,
  type    text collate "C" not null,
  leaf    text collate "C" not null,
  hash    bytea not null
);
create index audit_leaves_session on audit_leaves (session, idx);

-- Hashes above the leaves, by the numbering of x/mod/sumdb/tlog.
create table audit_nodes (
  idx  bigint primary key,
  hash bytea not null
);

-- A personal part: nonce, then AES-256-GCM of salt and JSON under the key.
create table audit_personal (
  idx    bigint primary key references audit_leaves (idx),
  key_id text collate "C" not null,
  box    bytea not null
);

-- Keys of sessions (or of days), each wrapped by the key file. A purged key
-- leaves its row, so that nothing writes it again.
create table audit_keys (
  id      text collate "C" primary key,
  scope   text collate "C" not null,
  wrapped bytea,
  created text collate "C" not null,
  purged  text collate "C"
);
create index audit_keys_scope on audit_keys (scope);

create table audit_head (
  id   bigint primary key check (id = 1),
  size bigint not null,
  edge bytea not null
);

create table audit_checkpoints (
  size    bigint primary key,
  note    text collate "C" not null,
  created text collate "C" not null
);

-- +goose StatementBegin
create function only_grows() returns trigger language plpgsql as $$
begin raise exception '% only grows', tg_table_name using errcode = 'restrict_violation'; end $$;
-- +goose StatementEnd
create trigger audit_leaves_only_grows before update or delete or truncate on audit_leaves execute function only_grows();
create trigger audit_nodes_only_grows before update or delete or truncate on audit_nodes execute function only_grows();
create trigger audit_checkpoints_only_grows before update or delete or truncate on audit_checkpoints execute function only_grows();

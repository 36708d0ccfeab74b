-- The first schema. Forward only. Types as in the package comment of store:
-- integer here is bigint in PostgreSQL, blob is bytea, times are text.

-- +goose Up

-- identity -------------------------------------------------------------------

create table users (
  id            text primary key,              -- ULID
  name          text not null,                 -- as shown
  name_key      text not null unique,          -- as compared
  role          text not null,
  password_hash text not null,
  lang          text not null default '',
  created       text not null,
  disabled      text                           -- when; null: not
);

create table signins (
  token_hash blob primary key,                 -- SHA-256: the token itself is nowhere
  user_id    text not null references users (id),
  method     text not null,                    -- "password", "link"
  created    text not null,
  last_seen  text not null,
  expires    text not null
);
create index signins_user on signins (user_id);
create index signins_expires on signins (expires);

create table links (
  token_hash blob primary key,
  role       text not null,
  name       text,                             -- suggested; null: the person chooses
  created    text not null,
  expires    text not null,
  used       text,                             -- when; null: not yet
  setup      integer not null default 0        -- 1: good only while there is no user at all
);

-- pairing --------------------------------------------------------------------

create table sessions (
  id            text primary key,              -- ULID
  ticket_id     text not null default '',
  technician_id text not null,                 -- users.id; the name is read from there
  method        text not null default '',      -- how the technician had signed in
  host_key      blob,                          -- Ed25519 public key, 32 bytes
  started       text not null,
  ended         text,                          -- null: still open
  reason        text,                          -- name of a wire Reason without REASON_
  host_seq      integer not null default 0,    -- highest HostEvent.seq that is durable
  host_events   integer,                       -- the host's own count, from its signed close
  duration_ms   integer,
  grants        text not null default '[]',    -- JSON
  used          text not null default '{}',    -- JSON: counts
  host_token    blob,                          -- SHA-256 of the resume tokens
  viewer_token  blob,
  interrupted   integer not null default 0     -- 1: ended by a restart of the server, not by its parties
);
create index sessions_ticket on sessions (ticket_id);
create index sessions_started on sessions (started);
create index sessions_technician on sessions (technician_id);
create index sessions_open on sessions (id) where ended is null;

-- tickets --------------------------------------------------------------------

create table tickets (
  id        text primary key,                  -- ULID
  number    text not null unique,              -- "MF-1042"
  subject   text not null,
  requester text not null default '',
  lang      text not null,                     -- "en" or "fr"
  is_open   integer not null default 1,
  search    text not null,                     -- number, subject and requester, folded
  created   text not null,
  updated   text not null
);
create index tickets_updated on tickets (updated);

create table ticket_notes (
  id        text primary key,                  -- ULID
  ticket_id text not null references tickets (id),
  note_key  text unique,                       -- "mf:<session>:<event>"; null: written by hand
  author    text not null default '',
  lang      text not null default '',
  body      text not null,
  is_public integer not null default 0,
  created   text not null
);
create index ticket_notes_ticket on ticket_notes (ticket_id, id);

create table counters (
  name  text primary key,
  value integer not null
);
insert into counters (name, value) values ('ticket', 1000);

create table outbox (
  id         text primary key,                 -- ULID
  note_key   text not null unique,
  system     text not null,                    -- tickets.System.Name
  ticket_id  text not null,
  session_id text not null default '',
  note       text not null,                    -- JSON; emptied once it stands in the ticket
  state      text not null check (state in ('waiting', 'written', 'dead')),
  attempts   integer not null default 0,
  next_at    text not null,
  remote_id  text not null default '',
  problem    text not null default '',         -- the last error
  created    text not null,
  updated    text not null
);
create index outbox_due on outbox (state, next_at);

-- audit ----------------------------------------------------------------------

-- A leaf is public for ever and holds no personal data. hash is its leaf hash,
-- RFC 6962 §2.1. id, session and type repeat what the leaf says, for look-ups.
-- No more indexes than this one: each costs every event a page.
create table audit_leaves (
  idx     integer primary key,                 -- from 0, without a gap
  id      text not null,                       -- ULID
  session text not null,
  type    text not null,
  leaf    text not null,                       -- canonical JSON
  hash    blob not null
);
create index audit_leaves_session on audit_leaves (session, idx);

-- Hashes above the leaves, by the numbering of x/mod/sumdb/tlog.
create table audit_nodes (
  idx  integer primary key,
  hash blob not null
);

-- A personal part: nonce, then AES-256-GCM of salt and JSON under the key.
create table audit_personal (
  idx    integer primary key references audit_leaves (idx),
  key_id text not null,
  box    blob not null
);

-- Keys of sessions (or of days), each wrapped by the key file. A purged key
-- leaves its row, so that nothing writes it again.
create table audit_keys (
  id      text primary key,                    -- ULID
  scope   text not null,                       -- "session:<id>" or "day:2026-11-22"
  wrapped blob,                                -- null: purged
  created text not null,
  purged  text
);
create index audit_keys_scope on audit_keys (scope);

create table audit_head (
  id   integer primary key check (id = 1),
  size integer not null,
  edge blob not null                           -- hashes of the full subtrees, left to right
);

create table audit_checkpoints (
  size    integer primary key,
  note    text not null,                       -- signed note, C2SP tlog-checkpoint
  created text not null
);

-- +goose StatementBegin
create trigger audit_leaves_no_update before update on audit_leaves
begin select raise(abort, 'audit_leaves only grows'); end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_leaves_no_delete before delete on audit_leaves
begin select raise(abort, 'audit_leaves only grows'); end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_nodes_no_update before update on audit_nodes
begin select raise(abort, 'audit_nodes only grows'); end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_nodes_no_delete before delete on audit_nodes
begin select raise(abort, 'audit_nodes only grows'); end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_checkpoints_no_update before update on audit_checkpoints
begin select raise(abort, 'audit_checkpoints only grows'); end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_checkpoints_no_delete before delete on audit_checkpoints
begin select raise(abort, 'audit_checkpoints only grows'); end;
-- +goose StatementEnd

-- What starts from a service desk: the tokens of its programs, the key that signs
-- links for persons, and what its webhooks told.

-- +goose Up

create table api_tokens (
  id         text primary key,                 -- ULID, also the actor in the log
  token_hash blob not null unique,             -- SHA-256: the token itself is nowhere
  name       text not null,
  role       text not null,
  owner_id   text references users (id),       -- null: of who runs the server
  scopes     text not null,                    -- what it may use, separated by blanks
  created    text not null,
  expires    text not null,
  revoked    text,                             -- when; null: not
  last_used  text not null default ''          -- to the minute
);

-- One key for all nodes. Who steals it can forge links that give no right.
create table launch_key (
  id    integer primary key check (id = 1),
  secret blob not null                         -- 32 bytes
);

-- Webhooks that were taken, so that each is taken once.
create table hook_deliveries (
  desk     text not null,
  delivery text not null,
  taken    text not null,
  primary key (desk, delivery)
);
create index hook_deliveries_taken on hook_deliveries (taken);

-- Tickets that a desk gave to somebody who signs in here, the last one only.
create table assignments (
  ticket_id text primary key,
  user_id   text not null references users (id),
  at        text not null
);
create index assignments_user on assignments (user_id, at);

-- What starts from a service desk; the twin of sqlite/0005_launch.sql, where the
-- columns are explained.

-- +goose Up

create table api_tokens (
  id         text collate "C" primary key,
  token_hash bytea not null unique,
  name       text collate "C" not null,
  role       text collate "C" not null,
  owner_id   text collate "C" references users (id),
  scopes     text collate "C" not null,
  created    text collate "C" not null,
  expires    text collate "C" not null,
  revoked    text collate "C",
  last_used  text collate "C" not null default ''
);

create table launch_key (
  id     bigint primary key check (id = 1),
  secret bytea not null
);

create table hook_deliveries (
  desk     text collate "C" not null,
  delivery text collate "C" not null,
  taken    text collate "C" not null,
  primary key (desk, delivery)
);
create index hook_deliveries_taken on hook_deliveries (taken);

create table assignments (
  ticket_id text collate "C" primary key,
  user_id   text collate "C" not null references users (id),
  at        text collate "C" not null
);
create index assignments_user on assignments (user_id, at);

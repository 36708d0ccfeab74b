-- What the server allows its sessions at most, and what each of them began with; the
-- twin of sqlite/0012_rules.sql, where the columns are explained.

-- +goose Up

create table policy (
  id      bigint primary key check (id = 1),
  policy  text collate "C" not null,
  version bigint not null,
  created text collate "C" not null
);

alter table sessions add column ruled_out text collate "C" not null default '';
alter table sessions add column ends text collate "C" not null default '';

create table brand (
  id      bigint primary key check (id = 1),
  brand   text collate "C" not null,
  version bigint not null,
  created text collate "C" not null
);

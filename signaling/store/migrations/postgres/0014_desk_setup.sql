-- The service desks that admins connect on a page; the twin of
-- sqlite/0014_desk_setup.sql, where the columns are explained.

-- +goose Up

create table desk_setup (
  id      bigint primary key check (id = 1),
  setup   text collate "C" not null,
  version bigint not null,
  created text collate "C" not null
);

-- Logos of the help desk; the twin of sqlite/0015_logos.sql, where the columns are
-- explained.

-- +goose Up

create table brand_logos (
  id      text collate "C" primary key,
  picture bytea not null,
  width   bigint not null,
  height  bigint not null,
  plate   text collate "C" not null,
  created text collate "C" not null
);

-- Logos of the help desk. Its name and its colour stand in brand.

-- +goose Up

create table brand_logos (
  id      text primary key,     -- SHA-256 of the picture, hexadecimal
  picture blob not null,        -- PNG, written by the server
  width   integer not null,     -- pixels
  height  integer not null,
  plate   text not null,        -- what it needs under it: 'light', 'dark' or ''
  created text not null
);

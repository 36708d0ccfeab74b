-- What the server allows its sessions at most, and what each of them began with.

-- +goose Up

create table policy (
  id      integer primary key check (id = 1),
  policy  text not null,                       -- JSON of signaling/policy
  version integer not null,
  created text not null
);

alter table sessions add column ruled_out text not null default '';  -- grants, separated by blanks
alter table sessions add column ends text not null default '';       -- at the latest; '': no such time

-- How the help desk calls itself on its pages.
create table brand (
  id      integer primary key check (id = 1),
  brand   text not null,                       -- JSON of signaling/brand
  version integer not null,
  created text not null
);

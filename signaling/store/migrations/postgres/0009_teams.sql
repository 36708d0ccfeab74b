-- Teams, what admins do about accounts, and accounts that somebody else vouches for;
-- the twin of sqlite/0009_teams.sql, where the columns are explained.

-- +goose Up

create table teams (
  id       text collate "C" primary key,
  name     text collate "C" not null,
  name_key text collate "C" not null unique,
  tier     bigint not null,
  created  text collate "C" not null
);

create table team_members (
  team_id  text collate "C" not null references teams (id),
  user_id  text collate "C" not null references users (id),
  provided bigint not null default 0,
  primary key (team_id, user_id)
);
create index team_members_user on team_members (user_id);

alter table users add column search text collate "C" not null default '';
update users set search = lower(name);
create index users_search on users (search, id);

alter table links add column user_id text collate "C";
alter table links add column teams text collate "C" not null default '';
alter table links add column made_by text collate "C" not null default '';

create table user_origins (
  issuer   text collate "C" not null,
  subject  text collate "C" not null,
  user_id  text collate "C" not null references users (id),
  provider text collate "C" not null,
  label    text collate "C" not null,
  created  text collate "C" not null,
  primary key (issuer, subject)
);
create unique index user_origins_user on user_origins (user_id);

alter table signins add column via text collate "C" not null default '';

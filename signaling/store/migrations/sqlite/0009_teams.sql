-- Teams, what admins do about accounts, and accounts that somebody else vouches for.

-- +goose Up

create table teams (
  id       text primary key,                   -- ULID
  name     text not null,                      -- as shown
  name_key text not null unique,               -- as compared
  tier     integer not null,                   -- 1: hears first, 2, 3: is handed what the tier before could not solve
  created  text not null
);

create table team_members (
  team_id  text not null references teams (id),
  user_id  text not null references users (id),
  provided integer not null default 0,         -- 1: the sign-in provider says so, and says so again at each sign-in
  primary key (team_id, user_id)
);
create index team_members_user on team_members (user_id);

-- The name folded, by which people are found and listed; those of before are put
-- right when they are next written.
alter table users add column search text not null default '';
update users set search = lower(name);
create index users_search on users (search, id);

-- A link is for a new person, or for somebody who needs a new password. It dies
-- with the rights of the admin who made it.
alter table links add column user_id text;                       -- users.id; null: makes an account
alter table links add column teams text not null default '';     -- of the new account, ids separated by blanks
alter table links add column made_by text not null default '';   -- users.id; '': who runs the server

-- Who is vouched for by a provider: never found by name, only by what the provider
-- itself calls the person for ever.
create table user_origins (
  issuer   text not null,
  subject  text not null,
  user_id  text not null references users (id),
  provider text not null,                      -- its name in the configuration
  label    text not null,                      -- as people read it, at the last sign-in
  created  text not null,
  primary key (issuer, subject)
);
create unique index user_origins_user on user_origins (user_id);

-- The provider of a sign-in as people read it; '': none.
alter table signins add column via text not null default '';

-- Second factors, passkeys and recovery codes; and what a sign-in has proven.

-- +goose Up

-- box of "totp" is the secret, sealed by the key file; of "passkey" the public
-- credential record, JSON. A TOTP counts only once confirmed.
create table factors (
  id         text primary key,                 -- ULID
  user_id    text not null references users (id),
  kind       text not null check (kind in ('totp', 'passkey')),
  name       text not null default '',
  box        blob not null,
  credential blob unique,                      -- id of a passkey; null: totp
  step       integer not null default 0,       -- last 30-second step that a code was taken of
  created    text not null,
  confirmed  text not null default '',         -- when; empty: not yet
  used       text not null default ''          -- when last; empty: never
);
create index factors_user on factors (user_id);

create table recovery_codes (
  user_id   text not null references users (id),
  code_hash blob not null,                     -- SHA-256 with the user's id: the code itself is nowhere
  used      text not null default '',          -- when; empty: not yet
  primary key (user_id, code_hash)
);

-- Challenges of passkeys that were answered, until they would be too old anyway.
create table answered (
  challenge text primary key,
  until     text not null
);

-- id stays when a sign-in gets a new token. proven is when the strongest thing
-- that its user has was last proven in it; empty: not.
alter table signins add column id text not null default '';
alter table signins add column proven text not null default '';
-- How many sign-ins had failed before it, for its user to know; and when the last.
alter table signins add column failed integer not null default 0;
alter table signins add column failed_last text not null default '';
update signins set id = lower(hex(token_hash));
create unique index signins_id on signins (id);

alter table users add column failed integer not null default 0;
alter table users add column failed_last text not null default '';

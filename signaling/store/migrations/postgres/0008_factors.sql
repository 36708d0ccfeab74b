-- Second factors, passkeys and recovery codes; and what a sign-in has proven.

-- +goose Up

-- box of "totp" is the secret, sealed by the key file; of "passkey" the public
-- credential record, JSON. A TOTP counts only once confirmed.
create table factors (
  id         text collate "C" primary key,                 -- ULID
  user_id    text collate "C" not null references users (id),
  kind       text collate "C" not null check (kind in ('totp', 'passkey')),
  name       text collate "C" not null default '',
  box        bytea not null,
  credential bytea unique,                      -- id of a passkey; null: totp
  step       bigint not null default 0,       -- last 30-second step that a code was taken of
  created    text collate "C" not null,
  confirmed  text collate "C" not null default '',         -- when; empty: not yet
  used       text collate "C" not null default ''          -- when last; empty: never
);
create index factors_user on factors (user_id);

create table recovery_codes (
  user_id   text collate "C" not null references users (id),
  code_hash bytea not null,                     -- SHA-256 with the user's id: the code itself is nowhere
  used      text collate "C" not null default '',          -- when; empty: not yet
  primary key (user_id, code_hash)
);

-- Challenges of passkeys that were answered, until they would be too old anyway.
create table answered (
  challenge text collate "C" primary key,
  until     text collate "C" not null
);

-- id stays when a sign-in gets a new token. proven is when the strongest thing
-- that its user has was last proven in it; empty: not.
alter table signins add column id text collate "C" not null default '';
alter table signins add column proven text collate "C" not null default '';
-- How many sign-ins had failed before it, for its user to know; and when the last.
alter table signins add column failed bigint not null default 0;
alter table signins add column failed_last text collate "C" not null default '';
update signins set id = encode(token_hash, 'hex');
create unique index signins_id on signins (id);

alter table users add column failed bigint not null default 0;
alter table users add column failed_last text collate "C" not null default '';

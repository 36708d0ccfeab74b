-- What participants attached to sessions for their tickets.

-- +goose Up

-- A picture (PNG) or what the computer is (text). A purge deletes the session's rows.
create table attachments (
  id         text collate "C" primary key,
  session_id text collate "C" not null,
  kind       text collate "C" not null,
  size       bigint not null,
  sha256     bytea not null,
  body       bytea not null,
  created    text collate "C" not null
);
create index attachments_session on attachments (session_id);

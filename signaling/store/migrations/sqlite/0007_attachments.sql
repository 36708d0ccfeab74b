-- What participants attached to sessions for their tickets.

-- +goose Up

-- A picture (PNG) or what the computer is (text). A purge deletes the session's rows.
create table attachments (
  id         text primary key,
  session_id text not null,
  kind       text not null,
  size       integer not null,
  sha256     blob not null,
  body       blob not null,
  created    text not null
);
create index attachments_session on attachments (session_id);

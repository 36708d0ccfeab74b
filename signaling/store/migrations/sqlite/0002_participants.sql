-- Sessions of several participants. Each has its own resume token, so that of
-- the session's one viewer moves into its row.

-- +goose Up

create table session_participants (
  session_id    text not null references sessions (id),
  number        integer not null,              -- from 1: its id on the wire; never used twice
  technician_id text not null,                 -- users.id
  method        text not null default '',      -- how the technician had signed in
  kind          text not null,                 -- "lead", "expert", "observer": as it joined
  viewer_token  blob,                          -- SHA-256 of its resume token
  joined        text not null,
  departed      text,                          -- null: still in the session
  reason        text,                          -- name of a wire Reason without REASON_
  primary key (session_id, number)
);
create index session_participants_technician on session_participants (technician_id);

insert into session_participants (session_id, number, technician_id, method, kind, viewer_token, joined, departed, reason)
  select id, 1, technician_id, method, 'lead', viewer_token, started, ended, reason from sessions;

alter table sessions drop column viewer_token;

-- What else the note tells: JSON, in the order of the events.
alter table sessions add column course text not null default '[]';

-- Sessions of several participants. Each has its own resume token, so that of
-- the session's one viewer moves into its row.

-- +goose Up

create table session_participants (
  session_id    text collate "C" not null references sessions (id),
  number        bigint not null,
  technician_id text collate "C" not null,
  method        text collate "C" not null default '',
  kind          text collate "C" not null,
  viewer_token  bytea,
  joined        text collate "C" not null,
  departed      text collate "C",
  reason        text collate "C",
  primary key (session_id, number)
);
create index session_participants_technician on session_participants (technician_id);

insert into session_participants (session_id, number, technician_id, method, kind, viewer_token, joined, departed, reason)
  select id, 1, technician_id, method, 'lead', viewer_token, started, ended, reason from sessions;

alter table sessions drop column viewer_token;

-- What else the note tells: JSON, in the order of the events.
alter table sessions add column course text collate "C" not null default '[]';

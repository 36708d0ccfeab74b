-- How urgent tickets are, who hands which over to whom, and who is there.

-- +goose Up

alter table tickets add column priority integer not null default 0;       -- tickets.Priority; 0: nobody said
alter table tickets add column due text not null default '';              -- until when; '': nobody said
alter table desk_tickets add column priority integer not null default 0;  -- as it was when seen
alter table desk_tickets add column due text not null default '';

-- Since when somebody says that they are away; '': they are there.
alter table users add column away text not null default '';

-- Tickets that somebody hands over. A row is there while it waits; once taken it says
-- by whom, for a day, without its note: that stands in the ticket.
create table transfers (
  id        text primary key,                  -- ULID
  ticket_id text not null,                     -- whole id
  from_id   text not null references users (id),
  to_user   text not null default '',          -- users.id, or
  to_team   text not null default '',          -- teams.id, which may be gone
  to_name   text not null,                     -- as it was called then
  note      text not null,
  is_back   integer not null default 0,        -- 1: it was handed to from_id, who hands it back
  taken_by  text not null default '',          -- users.id; '': it waits
  created   text not null,
  settled   text not null default ''           -- when it was taken
);
-- A ticket waits for one taker at a time.
create unique index transfers_waiting on transfers (ticket_id) where taken_by = '';
create index transfers_from on transfers (from_id);

-- How urgent tickets are, who hands which over to whom, and who is there; the twin of
-- sqlite/0010_work.sql, where the columns are explained.

-- +goose Up

alter table tickets add column priority bigint not null default 0;
alter table tickets add column due text collate "C" not null default '';
alter table desk_tickets add column priority bigint not null default 0;
alter table desk_tickets add column due text collate "C" not null default '';

alter table users add column away text collate "C" not null default '';

create table transfers (
  id        text collate "C" primary key,
  ticket_id text collate "C" not null,
  from_id   text collate "C" not null references users (id),
  to_user   text collate "C" not null default '',
  to_team   text collate "C" not null default '',
  to_name   text collate "C" not null,
  note      text collate "C" not null,
  is_back   bigint not null default 0,
  taken_by  text collate "C" not null default '',
  created   text collate "C" not null,
  settled   text collate "C" not null default ''
);
create unique index transfers_waiting on transfers (ticket_id) where taken_by = '';
create index transfers_from on transfers (from_id);

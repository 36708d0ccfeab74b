-- Tickets of other service desks: what sessions show of them while the desk is
-- away; the twin of sqlite/0004_desks.sql, where the columns are explained.

-- +goose Up

create table desk_tickets (
  id      text collate "C" primary key,
  desk    text collate "C" not null,
  number  text collate "C" not null,
  subject text collate "C" not null,
  lang    text collate "C" not null,
  is_open bigint not null,
  url     text collate "C" not null default '',
  search  text collate "C" not null,
  seen    text collate "C" not null
);

alter table outbox add column fault text collate "C" not null default '';
alter table outbox add column look_at text collate "C" not null default '';
alter table outbox add column put_back bigint not null default 0;
create index outbox_look on outbox (system, look_at);

-- Times at which a person and a technician will both be there; the twin of
-- sqlite/0016_appointments.sql, where the columns are explained.

-- +goose Up

create table appointments (
  id        text collate "C" primary key,
  ticket_id text collate "C" not null,
  number    text collate "C" not null,
  user_id   text collate "C" not null references users (id),
  lang      text collate "C" not null,
  starts    text collate "C" not null,
  ends      text collate "C" not null,
  zone      text collate "C" not null,
  about     text collate "C" not null,
  items     text collate "C" not null,
  state     text collate "C" not null,
  why       text collate "C" not null default '',
  sequence  bigint not null default 0,
  created   text collate "C" not null,
  updated   text collate "C" not null
);
create index appointments_user on appointments (user_id, ends);
create index appointments_ticket on appointments (ticket_id);
create index appointments_made on appointments (state, ends);

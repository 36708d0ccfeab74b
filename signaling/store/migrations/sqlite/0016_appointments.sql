-- Times at which a person and a technician will both be there.

-- +goose Up

create table appointments (
  id        text primary key,                  -- ULID
  ticket_id text not null,                     -- whole id
  number    text not null,                     -- of the ticket, as people say it
  user_id   text not null references users (id),
  lang      text not null,                     -- en, fr: what the person reads
  starts    text not null,
  ends      text not null,
  zone      text not null,                     -- of tzdata, where the technician was
  about     text not null,                     -- what for; written for the person
  items     text not null,                     -- JSON of signaling/appointments
  state     text not null,                     -- made, cancelled, declined, kept, missed
  why       text not null default '',          -- said by who cancelled or declined
  sequence  integer not null default 0,        -- one more at each change
  created   text not null,
  updated   text not null
);
create index appointments_user on appointments (user_id, ends);
create index appointments_ticket on appointments (ticket_id);
create index appointments_made on appointments (state, ends);

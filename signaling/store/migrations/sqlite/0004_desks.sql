-- Tickets of other service desks: what sessions show of them while the desk is
-- away. Who asked for help is not kept: the desk knows.

-- +goose Up

create table desk_tickets (
  id      text primary key,                    -- "<desk>:<id of the desk>", as in sessions.ticket_id
  desk    text not null,                       -- its name in the configuration
  number  text not null,                       -- as people say it
  subject text not null,
  lang    text not null,                       -- "en" or "fr": the requester's
  is_open integer not null,                    -- when it was seen
  url     text not null default '',            -- of its page in the desk
  search  text not null,                       -- number and subject, folded
  seen    text not null
);

-- Why a note is not in its ticket, in one word: tickets.Fault.
alter table outbox add column fault text not null default '';
-- When a written note is looked for again, and its text let go; '': no more. And
-- how often it was written again because it was gone.
alter table outbox add column look_at text not null default '';
alter table outbox add column put_back integer not null default 0;
create index outbox_look on outbox (system, look_at);

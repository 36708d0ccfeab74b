-- What lists are found by, so that no page of one reads more the more there is; and
-- what was said of sessions afterwards, to be counted without reading the log.

-- +goose Up

-- What the person allowed in a session at some time, however often.
create table session_grants (
  name    text not null,                      -- of the grant
  session text not null references sessions (id),
  primary key (name, session)
);

-- The folded words of a session's ticket. A purge deletes the session's rows.
create table session_words (
  word    text not null,
  session text not null references sessions (id),
  primary key (word, session)
);
create index session_words_session on session_words (session, word);

alter table sessions add column score integer;                              -- 1 to 5, 0: words only; null: the person said nothing
alter table sessions add column commented integer not null default 0;      -- 1: and words
alter table sessions add column resolution text not null default '';        -- of the closing note; '': none
alter table sessions add column code text not null default '';              -- likewise: resolution_codes.code as it was
create index sessions_rated on sessions (started) where score is not null;

drop index sessions_ticket;
create index sessions_ticket on sessions (ticket_id, id);
create index sessions_reason on sessions (reason, id);
drop index session_participants_technician;
create index session_participants_technician on session_participants (technician_id, session_id);

-- Tickets in the orders of their lists: tickets.Local.Page.
drop index tickets_updated;
create index tickets_all on tickets (updated, id);
create index tickets_closed on tickets (updated, id) where is_open = 0;
create index tickets_open on tickets (priority, updated, id) where is_open = 1 and due = '';
create index tickets_due on tickets (due, priority desc, updated desc, id desc) where is_open = 1 and due <> '';
create index desk_tickets_number on desk_tickets (number);
create index desk_tickets_seen on desk_tickets (seen);

create index outbox_session on outbox (session_id);

-- Lines outside sessions by what they are. They are few: lines of sessions pay nothing.
create index audit_leaves_outside on audit_leaves (type, idx) where session = '';

-- What there was before.
insert into session_grants (name, session)
  select distinct json_extract(g.value, '$.Name'), s.id from sessions s, json_each(s.grants) g
  where json_extract(g.value, '$.State') = 'allowed' and json_extract(g.value, '$.Name') <> '';

-- Words end where tickets.Words ends them, but for letters of signs that no text has.
insert into session_words (word, session)
  with recursive
  texts (ticket, rest) as (select id, replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(search
    , char(10), ' '), char(9), ' '), '!', ' '), '"', ' '), '#', ' '), '$', ' '), '%', ' '), '&', ' '), '''', ' ')
    , '(', ' '), ')', ' '), '*', ' '), '+', ' '), ',', ' '), '-', ' '), '.', ' '), '/', ' '), ':', ' '), ';', ' ')
    , '<', ' '), '=', ' '), '>', ' '), '?', ' '), '@', ' '), '[', ' '), '\', ' '), ']', ' '), '^', ' '), '_', ' ')
    , '`', ' '), '{', ' '), '|', ' '), '}', ' '), '~', ' '), '’', ' '), '‘', ' '), '“', ' '), '”', ' '), '«', ' ')
    , '»', ' '), '–', ' '), '—', ' '), '…', ' '), '·', ' '), '•', ' '), '€', ' '), '°', ' '), '№', ' ')
    , char(160), ' '), char(8239), ' ') || ' '
    from (select id, search from tickets union all select id, search from desk_tickets)),
  parts (ticket, word, rest) as (
    select ticket, '', rest from texts
    union all
    select ticket, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1) from parts where rest <> ''
  )
  select distinct substr(p.word, 1, 40), s.id from parts p join sessions s on s.ticket_id = p.ticket
  where p.word <> '' and not exists (select 1 from audit_keys k where k.scope = 'session:' || s.id and k.purged is not null);

update sessions set score = r.score, commented = r.commented from (
  select session, json_extract(leaf, '$.data.score') as score, json_extract(leaf, '$.commit') is not null as commented
  from audit_leaves where type = 'session.rated'
) r where r.session = sessions.id;
update sessions set resolution = c.resolution, code = c.code from (
  select session, coalesce(json_extract(leaf, '$.data.resolution'), '') as resolution, coalesce(json_extract(leaf, '$.data.code'), '') as code
  from audit_leaves where type = 'session.closing'
) c where c.session = sessions.id;

-- What lists are found by, so that no page of one reads more the more there is; and
-- what was said of sessions afterwards, to be counted without reading the log.
-- The twin of sqlite/0013_rows.sql.

-- +goose Up

-- What the person allowed in a session at some time, however often.
create table session_grants (
  name    text collate "C" not null,
  session text collate "C" not null references sessions (id),
  primary key (name, session)
);

-- The folded words of a session's ticket. A purge deletes the session's rows.
create table session_words (
  word    text collate "C" not null,
  session text collate "C" not null references sessions (id),
  primary key (word, session)
);
create index session_words_session on session_words (session, word);

alter table sessions add column score bigint;
alter table sessions add column commented bigint not null default 0;
alter table sessions add column resolution text collate "C" not null default '';
alter table sessions add column code text collate "C" not null default '';
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
  select distinct g ->> 'Name', s.id from sessions s, jsonb_array_elements(s.grants::jsonb) g
  where g ->> 'State' = 'allowed' and g ->> 'Name' <> '';

insert into session_words (word, session)
  select distinct left(p.word, 40), s.id from (
    select id, regexp_split_to_table(search, '[ \u000a\u0009!"#$%&''()*+,\-./:;<=>?@\[\\\]\^_`{|}~\u2019\u2018\u201c\u201d\u00ab\u00bb\u2013\u2014\u2026\u00b7\u2022\u20ac\u00b0\u2116\u00a0\u202f]+') as word
    from (select id, search from tickets union all select id, search from desk_tickets) t
  ) p join sessions s on s.ticket_id = p.id
  where p.word <> '' and not exists (select 1 from audit_keys k where k.scope = 'session:' || s.id and k.purged is not null);

update sessions set score = r.score, commented = r.commented from (
  select session, (leaf::jsonb #>> '{data,score}')::bigint as score, case when leaf::jsonb ? 'commit' then 1 else 0 end as commented
  from audit_leaves where type = 'session.rated'
) r where r.session = sessions.id;
update sessions set resolution = c.resolution, code = c.code from (
  select session, coalesce(leaf::jsonb #>> '{data,resolution}', '') as resolution, coalesce(leaf::jsonb #>> '{data,code}', '') as code
  from audit_leaves where type = 'session.closing'
) c where c.session = sessions.id;

-- The search index over sealed parts, without a word in it.

-- +goose Up

-- token is an HMAC of a word under the key of the month in which the session
-- began (audit_keys, scope "search:2026-11"). A purge deletes the session's rows.
create table audit_search (
  key_id  text not null,
  token   blob not null,                       -- 16 bytes
  session text not null,
  primary key (key_id, token, session)
);
create index audit_search_session on audit_search (session);

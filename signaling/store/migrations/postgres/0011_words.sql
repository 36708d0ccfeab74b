-- What technicians write with: canned texts, codes of resolutions, and closing notes
-- that became solutions; the twin of sqlite/0011_words.sql, where the columns are explained.

-- +goose Up

create table phrases (
  id      text collate "C" primary key,
  lang    text collate "C" not null,
  name    text collate "C" not null,
  body    text collate "C" not null,
  search  text collate "C" not null,
  version bigint not null,
  updated text collate "C" not null
);
create index phrases_lang on phrases (lang, name, id);

-- Each says more about one of the four outcomes of a session.
create table resolution_codes (
  code    text collate "C" primary key,
  outcome text collate "C" not null,
  en      text collate "C" not null,
  fr      text collate "C" not null,
  version bigint not null,
  updated text collate "C" not null
);

create table solutions (
  id         text collate "C" primary key,
  session_id text collate "C",
  ticket_id  text collate "C",
  lang       text collate "C" not null,
  subject    text collate "C" not null,
  asset      text collate "C" not null,
  body       text collate "C" not null,
  author_id  text collate "C" not null,
  author     text collate "C" not null,
  withdrawn  bigint not null default 0,
  version    bigint not null,
  created    text collate "C" not null,
  updated    text collate "C" not null
);
create unique index solutions_session on solutions (session_id);

-- The folded words by which solutions are found.
create table solution_words (
  word     text collate "C" not null,
  solution text collate "C" not null references solutions (id),
  weight   bigint not null,
  primary key (word, solution)
);
create index solution_words_solution on solution_words (solution);

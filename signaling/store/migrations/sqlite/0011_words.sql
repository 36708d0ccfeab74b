-- What technicians write with: canned texts, codes of resolutions, and closing notes
-- that became solutions.

-- +goose Up

create table phrases (
  id      text primary key,                    -- ULID
  lang    text not null,                       -- en, fr
  name    text not null,                       -- by which it is picked
  body    text not null,                       -- with holes like {requester}
  search  text not null,                       -- name and body, folded
  version integer not null,                    -- one more at each change: who changes an older one is told
  updated text not null
);
create index phrases_lang on phrases (lang, name, id);

-- Each says more about one of the four outcomes of a session.
create table resolution_codes (
  code    text primary key,                    -- as the log has it
  outcome text not null,                       -- solved, workaround, escalated, unsolved
  en      text not null,                       -- as a note says it
  fr      text not null,
  version integer not null,
  updated text not null
);

create table solutions (
  id         text primary key,                 -- ULID
  session_id text,                             -- that it comes from; null once that was purged
  ticket_id  text,                             -- likewise
  lang       text not null,                    -- en, fr
  subject    text not null,
  asset      text not null,                    -- the device or the program that it is about; may be empty
  body       text not null,
  author_id  text not null,                    -- users.id
  author     text not null,
  withdrawn  integer not null default 0,
  version    integer not null,
  created    text not null,
  updated    text not null
);
create unique index solutions_session on solutions (session_id);

-- The folded words by which solutions are found.
create table solution_words (
  word     text not null,
  solution text not null references solutions (id),
  weight   integer not null,                   -- of the asset more than of the subject
  primary key (word, solution)
);
create index solution_words_solution on solution_words (solution);

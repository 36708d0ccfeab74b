-- The service desks that admins connect on a page, and the policy of tickets that they
-- set there.

-- +goose Up

create table desk_setup (
  id      integer primary key check (id = 1),
  setup   text not null,                       -- JSON of tickets.Keeper; its secrets are sealed
  version integer not null,                    -- one more at each change: who changes an older one is told
  created text not null
);

-- What an auditor needs beyond the tree: the keys that signed it, in order, and
-- what may not be purged.

-- +goose Up

-- Each change of the key that signs checkpoints, beside its leaf
-- log.key_rotated, so that a server which holds the old key notices.
create table audit_signers (
  idx  bigint primary key references audit_leaves (idx),
  old  text collate "C" not null,
  new  text collate "C" not null
);

create trigger audit_signers_only_grows before update or delete or truncate on audit_signers execute function only_grows();

-- Sessions whose personal parts must stay, whatever a policy says.
create table audit_holds (
  session text collate "C" primary key,
  created text collate "C" not null
);

-- The retention policy in force.
create table retention (
  id      bigint primary key check (id = 1),
  policy  text collate "C" not null,
  created text collate "C" not null,
  ran     text collate "C" not null default ''
);

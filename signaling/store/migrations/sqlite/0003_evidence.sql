-- What an auditor needs beyond the tree: the keys that signed it, in order, and
-- what may not be purged.

-- +goose Up

-- Each change of the key that signs checkpoints, beside its leaf
-- log.key_rotated, so that a server which holds the old key notices.
create table audit_signers (
  idx  integer primary key references audit_leaves (idx),
  old  text not null,                          -- verifier keys, C2SP signed-note
  new  text not null
);

-- +goose StatementBegin
create trigger audit_signers_no_update before update on audit_signers
begin select raise(abort, 'audit_signers only grows'); end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_signers_no_delete before delete on audit_signers
begin select raise(abort, 'audit_signers only grows'); end;
-- +goose StatementEnd

-- Sessions whose personal parts must stay, whatever a policy says.
create table audit_holds (
  session text primary key,
  created text not null
);

-- The retention policy in force.
create table retention (
  id      integer primary key check (id = 1),
  policy  text not null,                       -- JSON
  created text not null,
  ran     text not null default ''             -- when it last purged
);

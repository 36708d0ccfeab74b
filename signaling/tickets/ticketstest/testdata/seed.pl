# Seeds a fresh Request Tracker 5 for tests: an account that works on tickets, one
# that only reads, an auth token for each, and a requester who reads French.
# Prints the tokens as JSON.
use strict;
use warnings;
use utf8;
use lib '/usr/share/request-tracker5/lib';
use RT;
RT->LoadConfig;
RT->Init;
require RT::AuthToken;

sub ok { my ($id, $msg) = @_; die "seed: $msg\n" unless $id; return $id }
my $sys = RT->SystemUser;
my $queue = RT::Queue->new($sys);
ok($queue->Load('General'), 'no queue');

sub account {
    my ($name, @rights) = @_;
    my $u = RT::User->new($sys);
    ok($u->Create(Name => $name, Privileged => 1, EmailAddress => "$name\@desk.test"));
    ok($u->PrincipalObj->GrantRight(Right => $_, Object => $queue)) for @rights;
    my ($id, $msg, $token) = RT::AuthToken->new($sys)->Create(Owner => $u->id, Description => 'tests');
    ok($id, $msg);
    return $token;
}
my @read = qw(SeeQueue ShowTicket ShowTicketComments);
my $worker = account('mainforte', @read, qw(CommentOnTicket ReplyToTicket CreateTicket ModifyTicket OwnTicket TakeTicket));
my $other = account('colleague', @read, qw(CommentOnTicket ReplyToTicket));
my $reader = account('reader', @read);
my $r = RT::User->new($sys);
ok($r->Create(Name => 'zoe', RealName => 'Zoë Ölçü', EmailAddress => 'zoe@example.test', Lang => 'fr'));
print qq({"worker":"$worker","other":"$other","reader":"$reader"}\n);

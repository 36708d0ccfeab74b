#!/usr/bin/perl
# Makes Request Tracker 5 tell Mainforte that a ticket was made, closed, opened
# again or given to somebody: a global scrip, signed as Standard Webhooks says.
#
#   perl hook.pl https://help.example.org/hooks/rt whsec_...   # again: replaces it
#   perl hook.pl --remove
#
# Run it where RT is, as a user who may read RT's configuration. The secret then
# stands in the scrip, where RT's admins may read it. A scrip runs within the
# request that it is about: RT waits for Mainforte for 3 seconds at most.
use strict;
use warnings;
BEGIN { unshift @INC, grep { -d } '/opt/rt5/lib', '/usr/share/request-tracker5/lib' }
use RT;

my $name = 'Tell Mainforte';
my ($url, $secret) = @ARGV;
my $remove = @ARGV == 1 && $url eq '--remove';
die "usage: hook.pl URL SECRET | --remove\n" unless $remove || @ARGV == 2;
unless ($remove) {
    # Both become part of a program.
    die "the URL is no https address (http to this machine)\n"
        unless $url =~ m{\Ahttps://[A-Za-z0-9.\-]+(:[0-9]+)?/[A-Za-z0-9._~/\-]+\z} || $url =~ m{\Ahttp://127\.0\.0\.1(:[0-9]+)?/[A-Za-z0-9._~/\-]+\z};
    die "the secret is whsec_ and base64\n" unless $secret =~ m{\Awhsec_[A-Za-z0-9+/]{32,88}={0,2}\z};
}
RT->LoadConfig;
RT->Init;

my $scrips = RT::Scrips->new(RT->SystemUser);
$scrips->Limit(FIELD => 'Description', VALUE => $name);
while (my $old = $scrips->Next) {
    my ($ok, $why) = $old->Delete;
    die "$why\n" unless $ok;
}
exit 0 if $remove;

my $code = <<'CODE';
require Digest::SHA; require JSON; require LWP::UserAgent; require MIME::Base64; require POSIX;
my ($tx, $ticket) = ($self->TransactionObj, $self->TicketObj);
my ($type, $field) = ($tx->Type // '', $tx->Field // '');
my $kind;
if ($type eq 'Create') { $kind = 'opened' }
elsif ($type eq 'Status') {
    my $cycle = $ticket->QueueObj->LifecycleObj;
    my ($was, $is) = map { $cycle->IsInactive($_) ? 1 : 0 } $tx->OldValue, $tx->NewValue;
    $kind = $is && !$was ? 'closed' : $was && !$is ? 'opened' : 'changed';
}
elsif ($field eq 'Owner' && $type !~ /Watcher/) { $kind = 'assigned' }    # RT writes both
elsif ($type eq 'Set') { $kind = 'changed' }
return 1 unless $kind;    # notes, ours too, are not told
my %data = (ticket => '' . $ticket->id);
my $owner = $ticket->OwnerObj;
$data{assignee} = $owner->EmailAddress || $owner->Name if $owner->id != RT->Nobody->id;
my $body = JSON->new->utf8->canonical->encode(
    { type => "ticket.$kind", timestamp => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $tx->CreatedObj->Unix), data => \%data });
my ($id, $at) = ('rt-' . $tx->id, time);
my $key = MIME::Base64::decode_base64(substr '@SECRET@', 6);
my $signature = MIME::Base64::encode_base64(Digest::SHA::hmac_sha256("$id.$at.$body", $key), '');
my $answer = LWP::UserAgent->new(timeout => 3, max_redirect => 0)->post('@URL@',
    'Content-Type' => 'application/json', 'webhook-id' => $id, 'webhook-timestamp' => $at, 'webhook-signature' => "v1,$signature", Content => $body);
$RT::Logger->warning('Mainforte was not told of ' . $id . ': ' . $answer->status_line) unless $answer->is_success;
1;
CODE
$code =~ s/\@URL\@/$url/;
$code =~ s/\@SECRET\@/$secret/;

my ($ok, $why) = RT::Scrip->new(RT->SystemUser)->Create(
    Description => $name, Queue => 0, ScripCondition => 'On Transaction', ScripAction => 'User Defined', Template => 'Blank',
    Stage => 'TransactionCreate', CustomPrepareCode => '1;', CustomCommitCode => $code,
);
die "$why\n" unless $ok;

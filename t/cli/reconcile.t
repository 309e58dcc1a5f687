#!/usr/bin/perl

# reconcile: an upstream's log that charges 5 % too much, loses calls and has
# some of its own, beside our ledger: what differs is told to the unit.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use Cli;
use AIGW;
use AIGW::Sim;

use constant { OK => 0, EXACT => 1, VOID => 4, DAY => 86_400 };

my $key = 'sk-planted-1c9e7b35d2f84a60';
my $token = 'planted-token-88f0c3e1';
my $sim = AIGW::Sim->new("$AIGW::build/aigw-sim");
my @url = ('--url', 'http://127.0.0.1:' . $sim->port);

new_store();

my $p = json('project', 'create', 'one')->{project};
my $k = json('key', 'show', 'default', '--project', 'one');
my $file = spew(dir() . '/token', "$token\n");

chmod 0600, $file;

# Three days, three models; a call costs 10 units a million tokens, which is 5
# of their quota a token.

my $noon = int(time() / DAY) * DAY - DAY / 2;
my (@rows, @log, %want);

for my $d (0 .. 2) {
    for my $model (qw(gpt-4o o3 claude-x)) {
        for my $i (1 .. 60) {
            my $end = $noon - $d * DAY + $i * 20 + length $model;
            my ($in, $out) = (100 + $i % 7, $i);
            my $quota = int(($in + $out) * 5 * 1.05 + 0.5);
            my $day = substr json_time($end), 0, 10;

            push @rows, [$end * 1000 - 250, 1, $p->{id}, $k->{id}, $model, 200,
                OK, EXACT, 1, 0, $in, $out, ($in + $out) * 10_000];
            push @log, [$end + 1, $model, $in, $out, $quota, "their$d-$i"];

            my $cell = $want{"$day $model"} //= [0, 0, 0];

            $cell->[0] += ($in + $out) * 10_000;
            $cell->[1] += $quota * 2_000;
            $cell->[2]++;
        }
    }
}

sub json_time {
    my @t = gmtime $_[0];

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1,
        @t[3, 2, 1, 0];
}

sub units {
    my $text = sprintf '%.9f', $_[0] / 1e9;

    return $text =~ s/\.?0+$//r;
}

sub to_sim {
    $sim->reset;
    $sim->order('PUT', '/log', join '', map { "@$_\n" } sort {
        $a->[0] <=> $b->[0] } @_);
}

@rows = sort { $a->[0] <=> $b->[0] } @rows;
seed('ledger', @rows);
fails(3, 'reconcile');
json({ stdin => "$key\n" }, 'upstream', 'set', 'sim', @url);
to_sim(@log);

my @range = ('--since', json_time($noon - 3 * DAY), '--until',
    json_time($noon + DAY / 2 - 1));

# By key: the newest thousand, which is all there is here.

sub check {
    my ($name) = @_;
    my $r = json('reconcile', @range);

    is_deeply({ map { ("$_->{day} $_->{model}" => [@$_{qw(cost their_cost
        calls their_calls)}]) } @{ $r->{items} } },
        { map { ($_ => [units($want{$_}[0]), units($want{$_}[1]),
            $want{$_}[2], $want{$_}[2]]) } keys %want },
        "$name: each day and model, to the unit");
    is_deeply([grep { $_->{difference} ne units($want{"$_->{day} $_->{model}"}
        [1] - $want{"$_->{day} $_->{model}"}[0]) } @{ $r->{items} }], [],
        '... and its difference');
    is_deeply([grep { abs($_->{percent} - 5) > 0.06 } @{ $r->{items} }], [],
        '... of 5 %');
    is($r->{suspects_found}, 0, '... and all have found their pair')
        or diag(JSON::PP->new->pretty->encode($r->{suspects}));
    return $r;
}

my $r = check('by key');

is($r->{balance}{of}, 'key', 'the balance of the key');
is($r->{totals}{calls}, 540, 'all calls');

json({ stdin => '' }, 'upstream', 'set', 'sim', @url, '--log-token-file',
    $file, '--log-user', 7);
is(json('upstream', 'list')->{items}[0]{log_user}, 7, 'whose log it is');
$r = check('by token');
is($r->{balance}{of}, 'account', 'the balance of the account');

my $used = 0;
$used += $_->[4] for @log;
is($r->{balance}{used}, units($used * 2000), '... what it has used');
is($r->{balance}{balance}, units((5_000_000_000 - $used) * 2000),
    '... and what is left');

my @asked = $sim->seen;

splice @asked, 0, 2;                # those by key

is(scalar(grep { $_->{path} =~ m{^/api/log/self} } @asked), 7,
    'six pages, and an empty one');
is_deeply([grep { $_->{head} !~ /^authorization: Bearer \Q$token\E\r?$/mi
    || $_->{head} !~ /^new-api-user: 7\r?$/mi } @asked], [],
    'asked with the token alone');
is_deeply([grep { $_->{line} =~ /planted/ } @asked], [], 'none in a URL');

# What stands on one side alone, what differs, what another clock says.

my @odd = @log;
my ($lost) = splice @odd, 100, 1;
my $strange = [$noon + 11, 'gpt-5', 5, 6, 4000, 'extra'];

$odd[200] = [@{ $odd[200] }];
$odd[200][2] += 50;
to_sim(@odd, $strange);
$r = json('reconcile', @range);
is($r->{suspects_found}, 3, 'three suspects');
is_deeply([sort map { $_->{suspect} } @{ $r->{suspects} }],
    [qw(ours_only theirs_only tokens_differ)], '... of each kind one');

my %s = map { ($_->{suspect} => $_) } @{ $r->{suspects} };

is($s{ours_only}{model}, $lost->[1], 'one of ours');
ok(json('log', 'show', $s{ours_only}{id}), '... by its id');
is_deeply([@{ $s{theirs_only} }{qw(id model their_request their_cost)}],
    [undef, 'gpt-5', 'extra', '0.008'], 'one of theirs');
is($s{tokens_differ}{their_tokens} - $s{tokens_differ}{tokens}, 50,
    'one with other tokens');
is(scalar @{ json('reconcile', @range, '--limit', 1)->{suspects} }, 1,
    'so many at most');

# A refund or a credit is no call; a call that was void has no pair.

json('project', 'credit', 'one', 1, '--id', 'x');
seed('ledger', [$noon * 1000 + 7000, 1, $p->{id}, $k->{id}, 'o3', 502, 23,
    VOID, 1, 0, 0, 0, 0]);
is(json('reconcile', @range)->{suspects_found}, 3, 'no more than these');

# Another unit; a table; errors.

is(json('reconcile', @range, '--quota-per-unit', 1_000_000)->{totals}
    {their_cost}, units(($used - $lost->[4] + 4000) * 1000), 'another unit');
like(aigw('reconcile', @range)->{out}, qr/^\d{4}-\d\d-\d\d +gpt-4o +60 /m,
    'a table');
$sim->script(body => '{"success":false,"message":"no"}', repeat => 9);
like(fails(1, 'reconcile', @range)->{message}, qr/without data: no/,
    'a refusal with 200');
$sim->reset;
$sim->script(status => '401 X', body => '{}', repeat => 9);
like(fails(4, 'reconcile', @range)->{message}, qr/refuses the log token/,
    'one with 401');
fails(2, { stdin => '' }, 'upstream', 'set', 'sim', @url, '--log-user', 7);
fails(2, { stdin => '' }, 'upstream', 'set', 'sim', @url, '--log-token-file',
    $file, '--log-user', 'x');
$sim->stop;
is(fails(6, 'reconcile', @range)->{code}, 'unreachable', 'nobody there');

# Another URL does not get the token; it is nowhere in clear.

is(json({ stdin => "$key\n" }, 'upstream', 'set', 'sim', '--url',
    'https://other.example')->{log_user}, undef, 'another URL: no log');

for my $argv (['upstream', 'list', '--json'], ['reconcile', @range]) {
    my $out = aigw(@$argv);

    unlike("$out->{out}$out->{err}", qr/planted/, "not in: @$argv");
}

unlike(slurp("$ENV{AIGW_STORE}/control/data.mdb"), qr/planted/,
    'nor in the store');

done_testing();

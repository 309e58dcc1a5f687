#!/usr/bin/perl

# Credits and refunds: booked once, seen in every sum and every list, no call.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Cli;

use constant { OK => 0, EXACT => 1 };

new_store();

my $p = json('project', 'create', 'one', '--quota', 10)->{project};
my $other = json('project', 'create', 'two')->{project};
my $k = json('key', 'show', 'default', '--project', 'one');
my $now = (time() - 3) * 1000;
my @credit = ('project', 'credit', 'one');

sub spent {
    return [map { json($_->[0], 'show', @$_[1 .. $#$_])->{spent} }
        ['key', $k->{id}], ['project', 'one'], ['user', 'admin']];
}

sub clean { return is_deeply(json('store', 'verify')->{items}, [], $_[0]) }

# Where nginx has never run: into the store itself.

is(json(@credit, '1.5', '--id', 'dry', '--dry-run')->{booked},
    JSON::PP::true, 'a trial');
is_deeply(spent(), [0, 0, 0], '... books nothing');

my $c = json(@credit, '1.5', '--id', 'a', '--note', "caf\xc3\xa9");

is($c->{cost}, '-1.5', 'a signed cost');
ok($c->{booked}, '... booked');
is_deeply([@$c{qw(kind ref note key project spent remaining quota)}],
    ['credit', 'a', "caf\x{e9}", undef, 'one', '-1.5', '11.5', '10'],
    '... and what is left is more than the quota');

# With counters, and a call in a journal.

seed('journal', [$now, 1, $p->{id}, $k->{id}, 'gpt-4o', 200, OK, EXACT, 1, 0,
    100, 50, 1_500_000, 'tag/a']);
is_deeply(spent(), [qw(0.0015 -1.4985 -1.4985)],
    'key, project and user after a call');

my $again = json(@credit, '1.5', '--id', 'a', '--note', 'other');

ok(!$again->{booked}, 'the same again');
is_deeply([@$again{qw(id time note)}], [@$c{qw(id time note)}],
    '... is the first one');
like(aigw(@credit, '1.5', '--id', 'a')->{err}, qr/nothing was changed/,
    '... and says so');
like(fails(5, @credit, '1.4', '--id', 'a')->{message}, qr/with 1\.5/,
    '... another amount');
ok(json('project', 'credit', 'two', '1.4', '--id', 'a')->{booked},
    'the same name in another project');
ok(json(@credit, '0.000000001', '--id', 'b')->{booked}, 'the smallest');
is_deeply(spent(), [qw(0.0015 -1.498500001 -2.898500001)], 'sums of all');

fails(2, @credit, '0', '--id', 'z');
fails(2, @credit, '-1', '--id', 'z');
fails(2, @credit, '1');
fails(2, @credit, '1', '--id', 'x' x 65);
fails(2, @credit, '1', '--id', "a\nb");
fails(2, @credit, '1', '--id', 'z', '--note', 'x' x 81);
fails(2, @credit, '9223372036', '--id', 'z');
fails(3, 'project', 'credit', 'nosuch', '1', '--id', 'z');

# Refunds.

my ($row) = grep { $_->{kind} eq 'call' } @{ json('log', 'list')->{items} };
my @refund = ('log', 'refund', $row->{id});

fails(2, @refund, '--amount', '0.001500001');
fails(2, @refund, '--amount', '0');
fails(3, 'log', 'refund', '0' x 32);
fails(2, 'log', 'refund', $c->{id});

my $r = json(@refund, '--amount', '0.0005', '--yes');

is_deeply([@$r{qw(kind cost ref key booked)}], ['refund', '-0.0005',
    $row->{id}, 'default', JSON::PP::true], 'a part of a call given back');
ok(!json(@refund, '--amount', '0.0005')->{booked}, '... once');
like(fails(5, @refund)->{message}, qr/with 0\.0005/, '... not more later');
is_deeply(spent(), [qw(0.001 -1.499000001 -2.899000001)],
    'off key, project and user');
is(json('log', 'show', $row->{id})->{refunded}, '0.0005', 'its row tells');
is(json('log', 'show', $r->{id})->{model}, 'gpt-4o', 'the model is the same');
fails(2, 'explain', $r->{id});
is(json('key', 'show', $k->{id})->{last_used_at}, $row->{time},
    'the key was not used by that');

# Lists and reports.

my @rows = @{ json('log', 'list', '--project', 'one')->{items} };

is_deeply([sort map { "$_->{kind} $_->{cost}" } @rows], ['call 0.0015',
    'credit -0.000000001', 'credit -1.5', 'refund -0.0005'], 'log list');
is_deeply([map { $_->{verdict} // '-' } grep { $_->{kind} ne 'call' } @rows],
    ['-', '-', '-'], '... without a verdict');

my $sum = json('usage', 'show', '--project', 'one');

is_deeply([@$sum{qw(calls ok_calls refused_calls cost)}],
    [1, 1, 0, '-1.499000001'], 'no calls, but money');
is_deeply([map { $_->{cost} } @{ json('usage', 'show', '--project', 'one',
    '--by', $_)->{items} }], ['0.001', '-1.500000001'], "by $_")
    for qw(model tag key);
is(json('usage', 'show', '--until', $c->{time})->{cost}, '0.0015',
    'before it, without it');

my $tail = aigw({ shell => 'exec aigw log tail --json', seconds => 0.5 });

is(() = $tail->{out} =~ /"kind":"(?:credit|refund)"/g, 4, 'log tail');
like(aigw('log', 'list')->{out}, qr/ refund .* -0\.0005 /, 'a table');
clean('all agrees');

# Killed at any moment: once, and then told.

my @wait = map { $_ / 4 } 1 .. 24;        # ms

for my $ms (@wait) {
    my $pid = fork() // die $!;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null' or die $!;
        exec 'aigw', @credit, '0.01', '--id', "kill-$ms", '--json';
    }

    select undef, undef, undef, $ms / 1000;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    json(@credit, '0.01', '--id', "kill-$ms");
}

is(json('project', 'show', 'one')->{spent}, '-1.739000001',
    scalar(@wait) . ' killed and tried again: once each');
clean('... and all agrees');

done_testing();

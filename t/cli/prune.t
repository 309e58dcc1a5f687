#!/usr/bin/perl

# store prune: old rows go, what accounts have spent and reports by the hour
# stay; verify knows what was pruned from what is lost; kill -9 at any moment
# and running it again changes nothing of that.

use strict;
use warnings;

use File::Path qw(remove_tree);
use FindBin;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(usleep);

use lib $FindBin::Bin;
use Cli;

my $dir = dir();
my $break = break_program();
my $rows = 20_000;

# Row n of break.c is of 2026-09-21T14:13:20Z and n * 37 ms: the cut is within
# an hour.
my $cut = '2026-09-21T14:19:30Z';

sub broken {
    system($break, $ENV{AIGW_STORE}, @_) == 0 or die "break @_: $?";
}

sub verify {
    my $r = aigw('store', 'verify', '--json');

    return ($r->{exit}, JSON::PP->new->utf8->decode($r->{out}));
}

sub is_clean {
    my ($name, %want) = @_;
    my ($exit, $answer) = verify();

    ok($exit == 0 && !@{ $answer->{items} }, "$name: clean")
        or diag(explain($answer));
    is($answer->{$_}, $want{$_}, "... $_") for sort keys %want;

    return $answer;
}

# All that must be as before.
sub books {
    return { map { ("@$_" => json(@$_)) } ['user', 'list'], ['project', 'list'],
        ['usage', 'show'], map { ['usage', 'show', '--by', $_] }
        qw(day model key user project) };
}

my $whole = new_store();

broken('fill', $rows);

my $before = books();
my @all = @{ json('log', 'list', '--until', $cut, '--limit', 1000)->{items} };
my $gone = $all[-1];

# --- what it asks, and a dry run ---

fails(2, 'store', 'prune');
fails(2, 'store', 'prune', '--before', $cut);
fails(2, 'store', 'prune', '--before', '2126-01-01', '--yes');

my $dry = json('store', 'prune', '--before', $cut, '--dry-run');

is_clean('after a dry run', rows => $rows, pruned => 0);

# --- one cut ---

my $made = json('store', 'prune', '--before', $cut, '--yes');
my ($n, $left) = @$made{qw(rows rows_left)};

delete $dry->{dry_run};
is_deeply($dry, $made, 'the dry run told the same');
ok($n > 5000 && $n < 15_000, 'some of the rows') or diag($n);
is($n + $left, $rows, '... and the rest');
is($made->{before}, '2026-09-21T14:19:30.000Z', '... before when');
is_clean('pruned', rows => $left, pruned => $n, accounts => 42);
is_deeply(books(), $before, 'sums and reports are as they were');
is(scalar @{ json('log', 'list', '--until', $cut)->{items} }, 0,
    'no row is left that is older');
is(json('store', 'prune', '--before', $cut, '--yes')->{rows}, 0,
    'the same again: nothing to do');

my $cost = 0;

$cost += 1e9 * $_->{cost} for all_rows();

my $spent = 1e9 * json('usage', 'show')->{cost};

is(sprintf('%.0f', $cost + 1e9 * $made->{cost}), sprintf('%.0f', $spent),
    'pruned and remaining rows are what was spent');

# --- what is said of what is gone ---

like(fails(3, 'log', 'show', $gone->{id})->{hint},
    qr/before 2026-09-21T14:19:30.000Z were pruned/, 'a call that was pruned');
is(fails(3, 'log', 'show', 'f' x 32)->{hint}, undef, '... or never was');
like(aigw('usage', 'show', '--by', 'tag')->{err}, qr/^warning: .*pruned/,
    'reports by tag lack it');
like(aigw('usage', 'show', '--since', '2026-09-21T14:10:00Z')->{err},
    qr/^warning: .*pruned/, '... and parts of an hour');
is(aigw('usage', 'show')->{err}, '', '... whole hours do not');

# --- verify tells what was pruned from what is lost ---

sub spoil {
    remove_tree("$dir/spoilt");
    system('cp', '-r', $whole, "$dir/spoilt") == 0 or die;
    $ENV{AIGW_STORE} = "$dir/spoilt";
    broken(@_);
}

sub kinds {
    my ($exit, $answer) = verify();
    my %kinds;

    is($exit, 1, 'exit 1');
    $kinds{ $_->{finding} }++ for @{ $answer->{items} };

    return (join(' ', map { "$_=$kinds{$_}" } sort keys %kinds),
        @{ $answer->{items} });
}

my ($found, @items) = do { spoil('closing', 0); kinds() };

is($found, 'rollup=1 sums=3', 'a wrong closing: its roll-up, its accounts')
    or diag(explain(\@items));

($found, @items) = do { spoil('run', 5); kinds() };
is($found, 'row_missing=1', 'a row that was not pruned, and is not there');
is($items[0]{seq}, 5, '... which');

($found, @items) = do { spoil('delete', 19_000); kinds() };
like($found, qr/row_missing=1/, 'a deleted row behind the cut');

($found) = do { spoil('revive', 7); kinds() };
like($found, qr/\bpruned=1\b/, 'a row that was pruned is there again');
like($found, qr/row_seq=1/, '... and counted');

# --- while others write, and killed again and again ---

$ENV{AIGW_STORE} = $whole;

my $writer = fork() // die $!;

exec $break, $whole, 'write', 2500 or die $! if !$writer;
usleep(200_000);

my ($cuts, $killed) = (0, 0);

for my $n (1 .. 8) {
    my $pid = fork() // die $!;

    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'aigw', 'store', 'prune', '--yes', '--before',
            sprintf('2026-09-21T14:%02d:%02dZ', 19 + $n / 2, $n % 2 * 30)
            or die $!;
    }

    usleep(8_000 + rand(25_000));
    kill 'KILL', $pid;
    waitpid $pid, 0;
    $killed++ if $? == 9;
    is_clean("killed, $n");
}

cmp_ok($killed, '>', 2, 'it was killed at work');
waitpid $writer, 0;
json('store', 'prune', '--before', '2026-09-21T14:30:00Z', '--yes');

my $end = is_clean('after all of it', pruned => $rows);

cmp_ok($end->{rows}, '>', 100, '... others wrote meanwhile');

# A live segment made anew counts what was pruned as well.

remove_tree(json('store', 'stats')->{live_path});
broken('write', 50);
Cli::remember_live();
ok(is_clean('counters made anew')->{live}, '... live');
is(json('user', 'show', 'admin')->{spent} > 0, 1, '... what was spent is');

my $r = aigw({ seconds => 0.01 }, 'store', 'prune', '--before', '1d', '--yes');

ok($r->{exit} == 0 || $r->{exit} == 130, 'interrupted, or done');

done_testing();

# Every row, a page at a time.
sub all_rows {
    my ($cursor, @rows);

    do {
        my $page = json('log', 'list', '--limit', 1000,
            $cursor ? ('--cursor', $cursor) : ());

        push @rows, @{ $page->{items} };
        $cursor = $page->{next};
    } while ($cursor);

    return @rows;
}

#!/usr/bin/perl

# store verify: clean stores are clean, at rest and while workers and flushers
# are at work; what t/cli/break.c breaks in one place is found and named.

use strict;
use warnings;

use File::Path qw(remove_tree);
use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

my $dir = dir();
my $break = break_program();

my @live;

END { remove_tree(@live) if @live }

sub broken {
    system($break, $ENV{AIGW_STORE}, @_) == 0 or die "break @_: $?";
}

# The exit code and the answer.
sub verify {
    my $r = aigw('store', 'verify', '--json', @_);

    return ($r->{exit}, JSON::PP->new->utf8->decode($r->{out}), $r->{err});
}

sub is_clean {
    my ($name, $rows) = @_;
    my ($exit, $answer, $err) = verify();

    ok($exit == 0 && !@{ $answer->{items} } && $answer->{findings} == 0
        && $err eq '', "$name: clean") or diag(explain($answer), $err);
    is($answer->{rows}, $rows, '... all rows') if defined $rows;

    return $answer;
}

# Must find exactly these: each [finding, fields].
sub finds {
    my ($name, @want) = @_;
    my ($exit, $answer, $err) = verify();
    my @found = @{ $answer->{items} };
    my @is = map { my $item = $_; join ' ', map { $item->{$_} // '-' }
        qw(finding account account_id field) } @found;

    is($exit, 1, "$name: exit 1");
    is_deeply([sort @is], [sort @want], '... found') or diag(explain(\@found));
    is($answer->{findings}, @found, '... counted');
    like($err, qr/^\{"error":\{"code":"failed","message":"\d+ finding/,
        '... said on stderr');

    return @found;
}

my $whole = new_store();

is_clean('a new store', 0);
broken('fill', 20_000);

my $answer = is_clean('20,000 rows', 20_000);

is($answer->{accounts}, 42, '... all accounts');
is($answer->{rollups}, 210, '... all roll-ups');
is($answer->{unpriced}, 0, '... every price was there');
ok(!$answer->{live}, '... no live segment');

my $said = aigw('store', 'verify');

like($said->{err}, qr/^no fault in 20000 rows, 42 accounts and 210 roll-ups$/m,
    'people are told what was looked at');

unlike($said->{err}, qr/%/, 'no progress where there is no terminal');

{
    local $ENV{TERM} = 'xterm';

    system('script', '-qec', 'aigw store verify', "$dir/typed") == 0
        or diag('script: ' . $?);
    like(slurp("$dir/typed"), qr/\r 20 % of 20000 rows.*\r\e\[K.*no fault/s,
        'progress on a terminal, gone at the end');
}

# --- one place ---

# Row 777 and its accounts.
my ($row) = grep { $_->{id} =~ /308$/ } @{ json('log', 'list', '--limit',
    1000, '--until', '2026-09-21T14:13:50Z')->{items} };

# Of a copy.
sub spoil {
    my (@how) = @_;

    remove_tree("$dir/spoilt");
    system('cp', '-r', $whole, "$dir/spoilt") == 0 or die;
    $ENV{AIGW_STORE} = "$dir/spoilt";
    broken(@how);
}

sub sums_of {
    my ($field) = @_;

    return ("rollup key $row->{key_id} $field",
        "sums key $row->{key_id} $field",
        "sums project $row->{project_id} $field",
        "sums user $row->{user_id} $field");
}

ok($row, 'there is a row to break');

# Every bit of a row is looked after, also those that no sum is made of: its
# bytes are the version, id 16, partition 2, ids 24, times 16, 4, 4, status 2,
# route, verdict, settled, attempts, flags 2, tokens 40, version 4, hold 8,
# cost 8, model and tag.
for my $bit (0 .. 9, map { $_ * 37 + 10 } 0 .. 38) {
    spoil('flip', 777, $bit);

    my ($exit, $answer) = verify();
    my ($item) = grep { $_->{finding} eq 'row_damaged' }
        @{ $answer->{items} };

    ok($exit == 1 && $item && $item->{id} eq $row->{id}
        && $item->{seq} == 777, "bit $bit of a row: the row is named")
        or diag(explain($answer));
}

spoil('delete', 777);
my ($item) = grep { $_->{finding} eq 'row_missing' } finds('a deleted row',
    'row_missing - - -', sums_of('cost'));

is($item->{id}, $row->{id}, '... its id');

spoil('double', 777);
($item) = finds('a doubled row', 'row_double - - -');
is($item->{id}, $row->{id}, '... its id');
is($item->{seq}, 20_001, '... the number of the second');

spoil('sum', 0);
($item) = finds('a wrong sum', 'sums user 1 cost');
is($item->{name}, 'admin', '... whose');
like($item->{found}, qr/^\Q$item->{expected}\E0*1$/, '... and by how much');

spoil('rollup', 100);
($item) = finds('a wrong roll-up', 'rollup key 24 cost');
like($item->{hour_at}, qr/^2026-\d\d-\d\dT\d\d:00:00.000Z$/, '... its hour');
like($item->{model}, qr/^model-\d$/, '... its model');

spoil('stray', 777);
finds('a stray entry of ids', 'index_stray - - -');
spoil('straypro', 777);
finds('a stray entry of a project', 'index_stray - - -');
spoil('unproject', 777);
($item) = finds('a row that its project has not', 'index_missing - - -');
is($item->{id}, $row->{id}, '... its id');
spoil('unindex', 777);
($item) = grep { $_->{finding} eq 'row_unindexed' } finds('a row without an'
    . ' entry', 'row_unindexed - - -', sums_of('cost'));
is($item->{id}, $row->{id}, '... its id');

spoil('delete', 777);
system($break, $ENV{AIGW_STORE}, 'unindex', 778);
($item) = aigw('store', 'verify', '--columns', 'finding,seq');
like($item->{out}, qr/^row_missing +777$/m, 'two at once: one');
like($item->{out}, qr/^row_unindexed +778$/m, '... the other');
like($item->{err}, qr/^aigw: \d+ findings in 19999 rows$/m, '... counted');

# Rows of a time without checksums are as good as their sums.

spoil('unsign', 777);
is(is_clean('a row without a checksum')->{unsigned}, 1, '... counted');
is(json('log', 'show', $row->{id})->{cost}, $row->{cost}, '... and shown');

# --- costs ---

$ENV{AIGW_STORE} = $whole;
new_store();
seed('ledger', [1_790_000_000_000, 1, 1, 1, 'm', 200, 0, 1, 1, 0, 3, 4,
    70_000], [1_790_000_001_000, 1, 1, 1, 'm', 200, 0, 1, 1, 0, 3, 4, 70_001],
    [1_790_000_002_000, 1, 1, 1, 'm', 200, 0, 4, 1, 0, 3, 4, 5]);

my @found = finds('costs', 'row_cost - - cost', 'row_cost - - cost');

is("$found[0]{expected} $found[0]{found}", '0.00007 0.000070001',
    'a wrong cost');
is("$found[1]{expected} $found[1]{found}", '0 0.000000005',
    'a void call that costs something');

json('price', 'delete', '*', '--yes');
(my $exit, $answer) = verify();
is($answer->{unpriced}, 2, 'what has no price any more is counted');
is(scalar @{ $answer->{items} }, 1, '... and not found');

# --- the live segment ---

sub live_store {
    new_store();
    broken('write', 100);
    push @live, json('store', 'stats')->{live_path};
}

live_store();
ok(is_clean('after a worker')->{live}, '... live segment and all');
broken('hold', 1);
($item) = finds('a stray hold', 'live_held user 1 held');
is("$item->{name} $item->{expected} $item->{found}", 'admin 0 0.000000005',
    '... whose, and how much');

live_store();
broken('spent', 2);
finds('a wrong counter', 'live_spent user 2 spent');

live_store();
broken('mark', 3);
($item) = finds('a watermark ahead', 'watermark - - head');
is("$item->{journal} " . ($item->{found} - $item->{expected}), 'j.0 3',
    '... of which journal, and how far');

live_store();
broken('record', 1);
finds('a damaged record', 'journal_record - - damaged',
    'live_spent key 2 spent', 'live_spent project 3 spent',
    'live_spent user 2 spent');

# --- while others write ---

live_store();

my @writers = map {
    my $pid = fork() // die $!;

    exec $break, $ENV{AIGW_STORE}, 'write', 3000 or die $! if !$pid;
    $pid;
} 1, 2;

json('store', 'backup', "$dir/copy");

my @rows = map { is_clean("while others write, $_")->{rows} } 1 .. 4;

waitpid $_, 0 for @writers;
cmp_ok($rows[3], '>', $rows[0], '... they did');
is_clean('after it');
$ENV{AIGW_STORE} = "$dir/copy";
cmp_ok(is_clean('the backup made meanwhile')->{rows}, '>', 0, '... has rows');

done_testing();

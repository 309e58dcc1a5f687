#!/usr/bin/perl

# top: what is in flight now, and is gone with its worker.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

new_store();

is_deeply(json('top'), { items => [], next => undef },
    'no gateway has run: nothing is in flight');

my $p = json('project', 'create', 'demo')->{project};
my $k = json('key', 'show', 'default', '--project', 'demo');
my $other = json('project', 'create', 'other')->{project};
my $now = time() * 1000;

# time, project, model, sent, prompt, completion, hold, tag
sub flight {
    my ($ms, $project, $model, $sent, $prompt, $completion, $hold, @tag) = @_;

    return [$now + $ms, 1, $project->{id}, $k->{id}, $model, 0, 0, 0, $sent,
        1, $prompt, $completion, $hold, @tag];
}

my $die = fly(
    flight(-3000, $p, 'gpt-4o', 1, 9, 25, 3_000_000, 'chat'),
    flight(-2000, $p, 'o3', 1, 9, 0, 9_000_000),
    flight(-1000, $other, 'gpt-4o', 0, 9, 0, 1));

sub top { return @{ json('top', @_)->{items} } }

my @all = top();

is_deeply([map { "$_->{project} $_->{model}" } @all],
    ['other gpt-4o', 'demo o3', 'demo gpt-4o'], 'newest first');
is_deeply([map { $_->{state} } @all], [qw(admitted waiting answering)],
    'states');
is_deeply([map { $_->{held} } @all], [qw(0.000000001 0.009 0.003)], 'holds');
is_deeply([map { $_->{text_bytes} } @all], [0, 0, 100], 'delivered text');
is_deeply([map { $_->{completion_tokens} } @all], [undef, undef, 25],
    'usage, where some was seen');
is_deeply([map { $_->{prompt_tokens} } @all], [undef, undef, 9],
    '... of the prompt too, and no estimate');
is($all[2]{key}, 'default', 'names');
is($all[2]{tag}, 'chat', 'a tag');
ok($all[2]{stream}, 'a stream');
cmp_ok($all[2]{age_ms}, '>=', 3000, 'age');
cmp_ok($all[2]{age_ms}, '<', 60_000, '... in milliseconds');

is_deeply([map { $_->{held} } top('--by', 'hold')],
    [qw(0.009 0.003 0.000000001)], 'largest hold first');
is(scalar top('--project', 'demo'), 2, 'of a project');
is(scalar top('--model', 'gpt-4o'), 2, 'of a model');
is(scalar top('--model', 'gpt-4'), 0, '... by its whole name');
is(scalar top('--tag', 'chat'), 1, 'with a tag');
is(scalar top('--limit', '1', '--by', 'hold'), 1, 'at most so many');
is((top('--limit', '1', '--by', 'hold'))[0]{held}, '0.009',
    '... the first ones');

is(json('project', 'show', 'demo')->{held}, '0.012',
    'the holds are those that the project has');
is(json('store', 'stats')->{undrained}, 0, 'looking settles nothing');
is(scalar top(), 3, '... and ends nothing');

# --- for people ---

my $r = aigw('top', '--by', 'hold');

like($r->{out}, qr/\APROJECT +KEY +MODEL +STATE +AGE_MS +HELD /, 'a table');
like($r->{err}, qr/^3 in flight, 0\.012000001 held$/m, 'the sum of all');
like(aigw('top', '--limit', '1')->{err}, qr/^3 in flight, .*--limit/m,
    '... though not all is shown');
is(aigw('top', '-q')->{out}, join('', map { "$_->{id}\n" } @all), 'ids');

# --- watch ---

$r = aigw({ seconds => 2.5 }, 'top', '--watch', '--json');
is($r->{exit}, 130, 'watch goes on until ^C');

my @lists = map { JSON::PP->new->utf8->decode($_) } split /\n/, $r->{out};

cmp_ok(scalar @lists, '>=', 2, '... a list a second');
cmp_ok(scalar @lists, '<=', 4, '... and no more');
is(scalar @{ $_->{items} }, 3, '... each whole') for @lists;
unlike($r->{out}, qr/\e/, '... where there is no terminal: one by one');

# --- the end ---

$die->();
is(json('project', 'show', 'demo')->{held}, '0', 'the worker dies');
is(scalar top(), 0, '... and nothing is in flight');

fails(2, 'top', '--by', 'cost');
fails(3, 'top', '--project', 'nosuch');

done_testing();

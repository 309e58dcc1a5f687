#!/usr/bin/perl

# The ledger as the CLI shows it: filters, pages, sums and groups agree with
# the rows to the last digit; what a worker has journalled and nobody has
# written yet is shown too.

use strict;
use warnings;

use Fcntl qw(LOCK_EX);
use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

use constant { DAY => 86_400_000, OK => 0, NOT_ALLOWED => 7, GONE => 23 };
use constant { EXACT => 1, ESTIMATED => 2, VOID => 4 };

new_store();

my $p1 = json('project', 'create', 'one')->{project};
my $p2 = json('project', 'create', 'two')->{project};
my $k1 = json('key', 'show', 'default', '--project', 'one');
my $k2 = json('key', 'show', 'default', '--project', 'two');

# An hour's middle, so that the hour's edges do not matter here.
my $now = int(time() / 3600) * 3_600_000 - 1_800_000;

my @rows = (
    # time, user, project, key, model, status, verdict, settled, attempts,
    # flags, prompt, completion, cost
    [$now - 3 * DAY, 1, $p1->{id}, $k1->{id}, 'gpt-4o', 200, OK, EXACT, 1, 1,
     100, 50, 1_500_000],
    [$now - 2 * DAY, 1, $p1->{id}, $k1->{id}, 'o3', 200, OK, ESTIMATED, 1, 9,
     7, 3, 1],
    [$now - 2 * DAY + 1, 1, $p2->{id}, $k2->{id}, 'gpt-4o', 502, GONE, VOID,
     2, 0, 0, 0, 0],
    [$now - 1000, 0, 0, 0, 'gpt-4o', 401, 2, 0, 0, 0, 0, 0, 0],
    [$now - 500, 1, $p2->{id}, $k2->{id}, 'o3', 403, NOT_ALLOWED, 0, 0, 0, 0,
     0, 0],
    [$now, 1, $p2->{id}, $k2->{id}, 'gpt-4o', 200, OK, EXACT, 1, 0, 1, 1,
     999_999_999],
);

seed('ledger', @rows);

sub rows { return @{ json('log', 'list', @_)->{items} } }

my @all = rows();

is(scalar @all, 6, 'all rows');
is_deeply([map { $_->{status} } @all], [200, 403, 401, 502, 200, 200],
    'newest first');
is($all[0]{cost}, '0.999999999', 'cost to the last digit');
is($all[0]{project}, 'two', 'names');
is($all[0]{user}, 'admin', '... of the user');
is($all[0]{key}, 'default', '... and key');
is($all[2]{user}, undef, 'an unknown key has no user');
is($all[2]{user_id}, undef, '... and no id');
is($all[2]{ttft_ms}, undef, 'nothing came from upstream: null');
is($all[3]{settled}, 'void', 'settled');
is($all[3]{attempts}, 2, 'attempts');
is_deeply($all[4]{flags}, ['incomplete'], 'flags');
ok($all[4]{stream}, 'a stream');
is($all[4]{total_tokens}, 10, 'total tokens');
is($all[4]{route}, '/v1/chat/completions', 'route');

my $shown = json('log', 'show', $all[3]{id});

is_deeply({ map { $_ => $shown->{$_} } keys %{ $all[3] } }, $all[3],
    'one row is the same');

is(scalar rows('--project', 'one'), 2, 'of a project');
is(scalar rows('--project', 'two', '--key', 'default'), 3, 'of a key');
is(scalar rows('--key', $k1->{id}), 2, 'of a key by id');
is(scalar rows('--model', 'o3'), 2, 'for a model');
is(scalar rows('--model', 'nosuch'), 0, 'for a model never called');
is(scalar rows('--status', '401'), 1, 'with a status');
is(scalar rows('--since', $all[3]{time}), 4, 'since is included');
is(scalar rows('--until', $all[3]{time}), 2, 'until is not');
is(scalar rows('--since', '60h'), 5, 'since a span ago');
is(scalar rows('--since', $all[3]{time}, '--until', $all[0]{time},
    '--model', 'gpt-4o'), 2, 'all together');

my @paged;
my $next;

do {
    my $list = json('log', 'list', '--limit', 2,
        defined $next ? ('--cursor', $next) : ());
    push @paged, @{ $list->{items} };
    $next = $list->{next};
} while (defined $next && @paged < 20);

is_deeply(\@paged, \@all, 'pages are the whole list');

# Sums.

my $sum = json('usage', 'show');

is($sum->{cost}, '1.0015', 'the sum of all costs');
is($sum->{calls}, 4, 'calls that were sent');
is($sum->{ok_calls}, 3, '... that went well');
is($sum->{refused_calls}, 2, '... that were refused');
cmp_ok($sum->{success_rate}, '==', 75, 'success rate');
cmp_ok($sum->{estimated_share}, '==', 25, 'share that is not exact');
is_deeply([@$sum{qw(prompt_tokens completion_tokens total_tokens)}],
    [108, 54, 162], 'tokens');

my $none = json('usage', 'show', '--until', '2000-01-01');

cmp_ok($none->{success_rate}, '==', 100, 'no calls: 100');
cmp_ok($none->{estimated_share}, '==', 0, '... all of them exact');
is($none->{cost}, '0', '... at no cost');

is(json('usage', 'show', '--project', 'one')->{cost}, '0.001500001',
    'of a project');
is(json('usage', 'show', '--since', $all[0]{time})->{cost}, '0.999999999',
    'since a moment within an hour');
is(json('usage', 'show', '--until', $all[0]{time})->{cost}, '0.001500001',
    'until a moment within an hour');
is(json('project', 'show', 'one')->{spent}, '0.001500001', 'spent: project');
is(json('user', 'show', 'admin')->{spent}, '1.0015', 'spent: user');
is(json('key', 'show', $k1->{id})->{last_used_at}, $all[4]{time},
    'last use of a key');

sub groups {
    my $list = json('usage', 'show', '--by', @_);

    ok(exists $list->{next}, "groups by $_[0]");
    return [map { ($_->{group} // '-') . " $_->{calls} $_->{cost}" }
        @{ $list->{items} }];
}

is_deeply(groups('project'), ['two 2 0.999999999', 'one 2 0.001500001',
    '- 0 0'], '... those that cost most first');
is_deeply(groups('model'), ['gpt-4o 3 1.001499999', 'o3 1 0.000000001'],
    '... models');
is_deeply(groups('user'), ['admin 4 1.0015', '- 0 0'], '... users');
is_deeply([map { substr $_, 10 } @{ groups('day') }],
    [' 1 0.999999999', ' 2 0.000000001', ' 1 0.0015'],
    '... days, newest first');

my $keys = json('usage', 'show', '--by', 'key')->{items};

is_deeply([map { $_->{project} // '-' } @$keys], ['two', 'one', '-'],
    'a key with the project that makes its name unique');

# Journalled, not yet in the ledger: shown all the same, then in it.

seed('journal',
    [$now + 1000, 1, $p1->{id}, $k1->{id}, 'gpt-4o', 200, OK, EXACT, 1, 0, 5,
     5, 100]);

my $stats = json('store', 'stats');

is($stats->{undrained}, 1, 'one row waits');
is($stats->{rows}, 6, '... and is not in the ledger');
is(json('project', 'show', 'one')->{spent}, '0.001500101', 'spent has it');
is(json('usage', 'show', '--project', 'one')->{cost}, '0.001500101',
    'usage has it');
is(scalar rows('--project', 'one'), 3, 'the log has it');

$stats = json('store', 'stats');

is($stats->{undrained}, 0, 'nothing waits any more');
is($stats->{rows}, 7, 'it is in the ledger');
is(scalar rows(), 7, '... once');

# Somebody else leads, and does not write: what is in the ledger is shown,
# soon; what admission counts, at once.

seed('journal',
    [$now + 2000, 1, $p1->{id}, $k1->{id}, 'gpt-4o', 200, OK, EXACT, 1, 0, 5,
     5, 1000]);

open my $leader, '+<', "$stats->{live_path}/leader" or die $!;
flock $leader, LOCK_EX or die $!;

my $began = time;

is(scalar rows(), 7, 'with another leader: the ledger as it is');
is(json('project', 'show', 'one')->{spent}, '0.001501101',
    '... and spent as admission sees it');
cmp_ok(time - $began, '<', 5, '... without waiting for ever');
close $leader;
is(scalar rows(), 8, 'once it is gone the row is written');

done_testing();

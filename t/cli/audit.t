#!/usr/bin/perl

# The audit log by the command line: who, from where, what, before and after,
# no secret; one changed byte is found. That every command which changes
# something stands in it is contract.t's to see.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

$ENV{SUDO_USER} = "ana\e[31m";
$ENV{SSH_CONNECTION} = '203.0.113.9 50022 10.0.0.1 22';
delete $ENV{AIGW_STORE};

my $store = new_store();
my $me = getpwuid $<;

sub records { return json('audit', 'list', @_)->{items} }

sub last_one { return records('--limit', '1')->[0] }

sub count { return json('audit', 'verify')->{records} }

# --- who, from where, what ---

my ($made, @within) = @{ records() };

is_deeply([@$made{qw(via action object)}], [qw(shell create store)],
    'who made the store');
is_deeply([grep { $_->{via} ne 'system' } @within], [],
    '... with what nobody in particular put in');

my $secrets = json('project', 'create', 'demo', '--quota', '5')->{key};
my ($key, $project) = @{ records('--limit', '2') };

is_deeply([@$project{qw(actor via actor_id action object object_id name)}],
    [$me, 'shell', $<, 'create', 'project', 1, 'demo'], 'M26 who and what');
like($project->{from}, qr/\Auid $< \(\Q$me\E\), sudo by ana, (?:.+, )?ssh from/,
    'M26 from where');
like($project->{from}, qr/ssh from 203\.0\.113\.9\z/, '... and no byte of it'
    . ' that does harm')
    or diag($project->{from});
like($project->{time}, qr/^\d{4}-\d\d-\d\dT/, 'M26 when');
is($project->{before}, undef, 'M26 nothing before');
is($project->{after}{quota}, '5', '... and all of it after');
is($key->{after}{last4}, substr($secrets, -4), 'of a key what is seen of it');

json('project', 'set', 'demo', '--quota', '7', '--models', 'gpt-4o,o3');
is_deeply([@{ last_one() }{qw(before after)}],
    [{ quota => '5', models => '*' }, { quota => '7',
        models => 'gpt-4o,o3' }], 'M26 before and after: what differs');
json('project', 'disable', 'demo');
is(last_one()->{action}, 'disable', 'a switch');
json('project', 'enable', 'demo');
is(last_one()->{action}, 'enable', '... and back');

my $n = count();

json('project', 'set', 'demo', '--quota', '7');
json('project', 'set', 'demo', '--quota', '9', '--dry-run');
json('project', 'credit', 'demo', '1', '--id', 'x', '--dry-run');
fails(5, 'user', 'create', 'admin');
fails(3, 'key', 'delete', 'nosuch', '--yes');
is(count(), $n, 'what changes nothing, fails or is a trial has no record');

# --- in the ledger ---

json('project', 'credit', 'demo', '1.5', '--id', 'inv-1', '--note', 'sorry');

my $credit = last_one();

is_deeply([@$credit{qw(action object name)}, @{ $credit->{after} }{qw(cost ref
    note)}], ['credit', 'project', 'demo', '-1.5', 'inv-1', 'sorry'],
    'a credit');
json('project', 'credit', 'demo', '1.5', '--id', 'inv-1');
is(last_one()->{seq}, $credit->{seq}, '... is told once');

my $k = json('key', 'show', 'default');

seed('ledger', [(time - 90 * 86400) * 1000, 1, 1, $k->{id}, 'm', 200, 0, 1, 1,
    0, 1, 1, 20_000]);

my $id = json('log', 'list', '--status', '200')->{items}[0]{id};

json('log', 'refund', $id, '--yes');
is_deeply([@{ last_one() }{qw(action object name)}],
    ['refund', 'call', $id], 'a refund');
json('store', 'prune', '--before', '30d', '--yes');
is_deeply([@{ last_one() }{qw(action object)}, last_one()->{after}{rows}],
    ['prune', 'store', 1], 'what was pruned');

# --- lists ---

is_deeply([map { $_->{action} } @{ records('--object', 'project/demo') }],
    [qw(credit enable disable set create)], 'of one thing');
is_deeply(records('--object', 'project/1'), records('--object',
    'project/demo'), '... by its id');
is(scalar @{ records('--object', 'key') }, 1, 'of a kind');
is(scalar @{ records('--actor', 'system') }, scalar @within, 'by whom');
is(scalar @{ records('--actor', $me) }, count() - @within, '... by name');
is(scalar @{ records('--actor', 'nobody-here') }, 0, '... by nobody');
is(scalar @{ records('--until', '1h') }, 0, 'before an hour ago');
is(scalar @{ records('--since', '1h') }, count(), 'since then');

my ($all, $cursor, @paged) = (records(), undef);

do {
    my $page = json('audit', 'list', '--limit', '3',
        $cursor ? ('--cursor', $cursor) : ());

    push @paged, @{ $page->{items} };
    $cursor = $page->{next};
} while ($cursor);

is_deeply(\@paged, $all, 'in pages');
fails(2, 'audit', 'list', '--cursor', 'x');
like(aigw('audit', 'list')->{out}, qr/\{"quota":"5","models":"\*"\} +\{/,
    'a table has them on one line');
like(aigw('audit', 'list', '-o', 'csv')->{out},
    qr/"\{""quota"":""5"",""models"":""\*""\}"/, 'CSV, too');

# Bytes that are no UTF-8 are told all the same.
json('project', 'credit', 'demo', '1', '--id', 'inv-2', '--note', "caf\xe9");
is(last_one()->{after}{note}, "caf\x{fffd}", 'a byte that is no UTF-8');

# --- no secret ---

spew(dir() . '/key', "sk-planted-4f0c7d1e9b2a8635\n");
spew(dir() . '/token', "tok-planted-77aa12bc90de\n");
chmod 0600, dir() . '/key', dir() . '/token';
json('upstream', 'set', '4sapi', '--url', 'https://4sapi.com', '--key-file',
    dir() . '/key', '--log-token-file', dir() . '/token', '--log-user', '17');
is_deeply(last_one()->{after}, { log_user => 17, log_token => 'changed' },
    'a token has changed');
json('upstream', 'set', '4sapi', '--url', 'https://4sapi.com', '--key-file',
    dir() . '/key');
is_deeply(last_one()->{after}, { secret => 'changed' }, '... and a key');

my @keys = ($secrets, json('key', 'rotate', 'default', '--grace', '1h')->{key},
    json('key', 'create', '--project', 'demo', '--name', 'two')->{key});
my $planted = join '|', 'planted', (map { substr $_, 10, 30 } @keys),
    (map { sha256_hex($_) } @keys);

for my $form (['--json'], ['-o', 'csv'], []) {
    my $r = aigw('audit', 'list', '--limit', '1000', @$form);

    is($r->{exit}, 0, "audit list @$form");
    unlike("$r->{out}$r->{err}", qr/$planted/i, 'M26 no secret is in it');
}

# --- verify ---

my $sound = json('audit', 'verify');

is_deeply([@$sound{qw(sound fault seq)}], [JSON::PP::true, undef, undef],
    'sound');
is($sound->{head}, last_one()->{seq} . ':' . last_one()->{hash},
    '... to its head');
json('setting', 'set', 'max_output', '100');
is(json('audit', 'verify', '--head', $sound->{head})->{records},
    $sound->{records} + 1, 'an earlier head is still there');
fails(2, 'audit', 'verify', '--head', $_)
    for 'x', '0:' . 'a' x 64, '5:' . 'a' x 63, '5';

# What verify says of a store, which must be no good.
sub broken {
    my ($copy, @option) = @_;
    my $r = aigw('audit', 'verify', '--store', $copy, '--json', @option);
    my $answer = eval { JSON::PP->new->utf8->decode($r->{out}) } // {};

    return "$r->{exit} " . ($answer->{fault} // 'none') . ' '
        . ($answer->{seq} // 0);
}

is(broken($store, '--head', '5:' . 'a' x 64), '1 other_head 5',
    'M26 a chain that is sound, but another');
is(broken($store, '--head', '9999:' . 'a' x 64), '1 other_head 9999',
    'M26 a chain that has become shorter');

# A backup has no page that is free, so that each record is in it once.
my $copy = dir() . '/copy';

json('store', 'backup', $copy);

my $victim = records('--object', 'project/demo')->[2];
my $file = "$copy/control/data.mdb";
my $bytes = slurp($file);
my $end = index($bytes, pack('H*', $victim->{hash})) + 32;
my $begin = rindex($bytes, "\x01" . pack('Q>', $victim->{seq}), $end);
my ($found, $told) = (0, 0);

cmp_ok($end - $begin, '>', 100, 'a record in the file');
is(json('audit', 'verify', '--store', $copy)->{records}, count(),
    'a backup has the log');

for my $at ($begin .. $end - 1) {
    my $changed = $bytes;

    substr($changed, $at, 1) ^= chr(1 << $at % 8);
    spew($file, $changed);

    my $said = broken($copy);

    $found++ if $said =~ /^1 (?:changed|unreadable) $victim->{seq}$/;
    $told++ if aigw('audit', 'verify', '--store', $copy)->{err}
        =~ /record $victim->{seq} /;
}

is($found, $end - $begin, 'M26 one changed byte of a record is found: '
    . 'each in turn');
is($told, $found, '... and people are told which record');

spew($file, $bytes);
is(json('audit', 'verify', '--store', $copy)->{sound}, JSON::PP::true,
    'as it was: sound');

# What cannot be read is no reason to show nothing of the rest.
spew($file, substr($bytes, 0, $begin) . "\xff" . substr($bytes, $begin + 1));
fails(1, 'audit', 'list', '--store', $copy);
is(scalar @{ json('audit', 'list', '--store', $copy, '--cursor',
    $victim->{seq})->{items} }, $victim->{seq} - 1,
    'behind a damaged record the list goes on');

done_testing();

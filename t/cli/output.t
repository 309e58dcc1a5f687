#!/usr/bin/perl

# The forms of output: tables for people, CSV, names and ids for scripts;
# stdout carries data only, and what could not be written is an error.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Cli;

new_store();
json('user', 'create', 'ana', '--quota', '25.5');
json('project', 'create', 'demo', '--user', 'ana', '--models', 'a,b',
    '--expires', '2027-01-02T03:04:05Z');

# Tables.

my @lines = split /\n/, aigw('user', 'list')->{out};

is(scalar @lines, 3, 'a heading and two users');
like($lines[0], qr/^ID +NAME +ROLE +QUOTA +SPENT +HELD +REMAINING/, 'heading');
like($lines[1], qr/ ana +member +25\.5 +0 +0 +25\.5 +yes +yes/, 'a row');
like($lines[2], qr/ admin +admin +unlimited +0 +0 +unlimited/, 'no limit');
is(length $lines[1], length $lines[2], 'columns are aligned');
is((grep { /\e/ } @lines), 0, 'no colour where there is no terminal');

is(aigw('user', 'list', '--no-header')->{out} =~ tr/\n//, 2, '--no-header');
is(aigw('user', 'list', '--columns', 'name,id', '--no-header')->{out},
    "ana    2\nadmin  1\n", '--columns');

my $show = aigw('project', 'show', 'demo')->{out};

like($show, qr/^expires_at +2027-01-02 03:04:05 UTC$/m, 'time with its zone');
like($show, qr/^models +a,b$/m, 'models');
like($show, qr/^quota +unlimited$/m, 'quota');

{
    local $ENV{TZ} = 'CST-8';
    like(aigw('project', 'show', 'demo')->{out},
        qr/^expires_at +2027-01-02 11:04:05 CST$/m, 'local time in tables');
    like(aigw('project', 'show', 'demo', '-o', 'csv')->{out},
        qr/2027-01-02T03:04:05\.000Z/, 'UTC in CSV');
}

my $r = aigw('log', 'list');

is($r->{out}, '', 'nothing to list: nothing on stdout');
like($r->{err}, qr/none/, '... said on stderr');

# CSV.

is(aigw('user', 'list', '-o', 'csv')->{out},
    "id,name,role,quota,spent,held,remaining,enabled,active\r\n"
    . "2,ana,member,25.5,0,0,25.5,true,true\r\n"
    . "1,admin,admin,,0,0,,true,true\r\n", 'CSV');
is(aigw('project', 'list', '-ocsv', '--no-header', '--columns',
    'models')->{out}, "\"a,b\"\r\n", 'a comma is quoted');

# What a spreadsheet would run. A model's name is the caller's.
my $key = json('key', 'list')->{items}[0]{id};

seed('ledger', map { [1_700_000_000_000 + $_->[0], 2, 1, $key, $_->[1], 200,
    0, 1, 1, 0, 1, 1, 1] } [1, '=1+1'], [2, '@x'], [3, "\e[31mred"],
    [4, "bad\xff"], [5, '-"q"']);

is(aigw('log', 'list', '-o', 'csv', '--no-header', '--columns',
    'model')->{out},
    qq("'-""q"""\r\nbad\xef\xbf\xbd\r\n [31mred\r\n"'\@x"\r\n"'=1+1"\r\n),
    'formulas, control characters and bad UTF-8 are defused');
unlike(aigw('log', 'list')->{out}, qr/\e/, '... in tables, too');
is(json('log', 'list')->{items}[1]{model}, "bad\x{fffd}", '... and in JSON');

# Names and ids.

is(aigw('user', 'list', '-q')->{out}, "2\n1\n", '-q: ids');
is(aigw('user', 'list', '-o', 'name')->{out}, "ana\nadmin\n", '-o name');
is(aigw('price', 'list', '-q')->{out}, "*\n", 'a price has but its model');
like(aigw('log', 'list', '-q', '--limit', '1')->{out}, qr/^[0-9a-f]{32}$/,
    'ids of calls');
is(aigw('user', 'list', '-q', '--json')->{out},
    aigw('user', 'list', '--json')->{out}, '-q leaves JSON as it is');

# Hints are on stderr, and only for people.

$r = aigw('project', 'create', 'next');
like($r->{err}, qr/base_url/, 'the next step');
like($r->{out}, qr/^key +aigw_\w{49}$/m, 'the key');
is(() = ("$r->{out}$r->{err}" =~ /aigw_\w{49}/g), 1, '... once');

json('setting', 'set', 'base_url', 'http://h:1/v1');
$r = aigw('key', 'create', '--project', 'next');
like($r->{err}, qr{^curl http://h:1/v1/chat/completions }m, 'a curl line');
is(() = ("$r->{out}$r->{err}" =~ /aigw_\w{49}/g), 1, 'the key once');

$r = aigw('key', 'create', '--project', 'next', '-q');
like($r->{out}, qr/^\d+$/, '-q: the id');
like($r->{err}, qr/aigw_\w{49}/, '... and the key, which is not lost');

is(aigw('user', 'list', '--limit', '1', '--json')->{err}, '',
    'no hint beside JSON');
like(aigw('user', 'list', '--limit', '1')->{err}, qr/--cursor/,
    'a hint that there is more');

# What could not be written.

for my $how ([], ['--json'], ['-o', 'csv'], ['-q']) {
    $r = aigw({ stdout => '/dev/full' }, 'user', 'list', @$how);
    is($r->{exit}, 1, "a full disk is exit 1: @$how");
    like($r->{err}, qr/cannot write/, '... and said');
}

my $code = dir() . '/code';

aigw({ shell => "{ sleep 0.5; aigw user list; echo \$? >$code; } | true" });
is(slurp($code), "1\n", 'a closed pipe is exit 1, not a death by signal');

done_testing();

#!/usr/bin/perl

# explain: each rule above a call in the gateway's order, and the first that
# says no.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Cli;

new_store();

my $p = json('project', 'create', 'demo', '--quota', '1', '--models',
    'gpt-4o*,fast')->{project};
my $k = json('key', 'show', 'default', '--project', 'demo');
my @of = ('--key', 'default', '--project', 'demo');
my $now = time() * 1000;

sub now { return json('explain', @of, '--model', @_) }

sub rule {
    my ($e, $rule, $of) = @_;
    my ($found) = grep { $_->{rule} eq $rule && $_->{of} eq $of }
        @{ $e->{rules} };

    return $found // {};
}

my $e = now('gpt-4o', '--max-tokens', '100', '--prompt-tokens', '1000');

is($e->{now}, 'ok', 'nothing stands in the way');
is($e->{binds}, undef, '... no rule');
is($e->{would_hold}, '0.041', 'the hold: four bytes a token, and the limit');
is($e->{would_limit}, undef, '... not limited');
is_deeply([map { "$_->{rule} $_->{of}" } @{ $e->{rules} }],
    ['enabled key', 'enabled project', 'enabled user', 'expiry key',
     'expiry project', 'quota key', 'quota project', 'quota user',
     'models key', 'models project', 'price model', 'hold project'],
    'the rules in order');
is_deeply([map { "$_->{account} $_->{name}" } @{ $e->{accounts} }],
    ['key default', 'project demo', 'user admin'], 'the accounts');
is($e->{accounts}[1]{quota}, '1', '... quota');
is($e->{accounts}[0]{quota}, undef, '... or none');

$e = now('o3');
is("$e->{now} $e->{binds} $e->{binds_of}",
    'model_not_allowed models project', 'a model not in the list');
is(rule($e, 'models', 'key')->{result}, 'ok', '... of the project alone');

json('model', 'set', 'fast', '--alias-of', 'o3');
$e = now('fast');
is("$e->{now} $e->{target}", 'ok o3', 'an alias that the list names');

json('price', 'delete', '*', '--yes');
$e = now('gpt-4o');
is("$e->{now} $e->{binds}", 'model_not_found price', 'a model without a price');
json('price', 'set', '*', '--prompt', '10', '--completion', '10');

# --- quota ---

my $die = fly([$now, 1, $p->{id}, $k->{id}, 'gpt-4o', 0, 0, 0, 1, 0, 1, 0,
    600_000_000]);

$e = now('gpt-4o', '--max-tokens', '50000', '--prompt-tokens', '10');
is("$e->{now} $e->{binds} $e->{binds_of}", 'quota_in_use hold project',
    'what others hold is in the way');
is($e->{accounts}[1]{held}, '0.6', '... so much');
is($e->{accounts}[1]{remaining}, '0.4', '... and so much is free');

$e = now('gpt-4o', '--max-tokens', '30000', '--prompt-tokens', '10');
is("$e->{now} $e->{would_hold}", 'ok 0.3004', 'a smaller one fits');

$e = now('gpt-4o', '--prompt-tokens', '10');
is($e->{would_limit}, 4096, 'without a limit of its own it gets one');

# A strict cap: bytes count, not the estimate, and a limit is set with plenty.
json('project', 'create', 'hard', '--cap', 'strict');
$e = json('explain', '--key', 'default', '--project', 'hard', '--model',
    'gpt-4o', '--prompt-tokens', '1000');
is("$e->{would_hold} $e->{would_limit}", '0.08096 4096', 'a strict cap');
json('project', 'set', 'hard', '--quota', '0.03');
$e = json('explain', '--key', 'default', '--project', 'hard', '--model',
    'gpt-4o', '--prompt-tokens', '1000', '--max-tokens', '100');
is("$e->{now} $e->{binds_of}", 'insufficient_quota project',
    '... which its bytes alone would overdraw');
json('project', 'set', 'hard', '--cap', 'clamp');
$e = json('explain', '--key', 'default', '--project', 'hard', '--model',
    'gpt-4o', '--prompt-tokens', '1000', '--max-tokens', '100');
is($e->{now}, 'ok', '... and the estimate would not');

$die->();
json('project', 'show', 'demo');
seed('journal', [$now + 1, 1, $p->{id}, $k->{id}, 'gpt-4o', 200, 0, 1, 1, 0,
    1, 1, 999_900_000 - 10_000]);

$e = now('gpt-4o', '--prompt-tokens', '100000');
is("$e->{now} $e->{binds} $e->{binds_of}", 'insufficient_quota hold project',
    'not even the smallest answer is paid');

json('project', 'set', 'demo', '--quota', '0.5');
$e = now('o3');
is("$e->{now} $e->{binds} $e->{binds_of}", 'insufficient_quota quota project',
    'all is spent: that comes before the model');
is(rule($e, 'models', 'project')->{result}, 'refuses',
    '... which would be in the way, too');

# --- switches and clocks ---

json('user', 'create', 'other', '--admin');
json('user', 'disable', 'admin');
$e = now('gpt-4o');
is("$e->{now} $e->{binds} $e->{binds_of}", 'api_key_disabled enabled user',
    'a disabled user comes first');
json('user', 'enable', 'admin');

# --- calls of the past ---

my ($last) = grep { $_->{status} } @{ json('log', 'list')->{items} };

$e = json('explain', $last->{id});
is("$e->{verdict} $e->{now} $e->{binds}", 'ok insufficient_quota quota',
    'a call that was let in, and would not be now');
ok($e->{admitted}, '... it was');
is($e->{cost}, $last->{cost}, '... at its cost');

seed('ledger', [$now + 9, 0, 0, 0, '-', 401, 2, 0, 0, 0, 0, 0, 0],
    [$now + 10, 1, $p->{id}, $k->{id}, 'o3', 403, 7, 0, 0, 0, 0, 0, 0]);

my ($bad, $unknown) = @{ json('log', 'list')->{items} };

$e = json('explain', $unknown->{id});
is("$e->{verdict}", 'invalid_api_key', 'a key that nobody has');
is_deeply($e->{rules}, [], '... has no rules');
ok(!$e->{admitted}, '... and was refused');
like($e->{error}, qr/not known/, '... and why');

$e = json('explain', $bad->{id});
is($e->{verdict}, 'model_not_allowed', 'a refused one');
is(rule($e, 'models', 'project')->{result}, 'refuses', '... by this rule');

# --- for people ---

my $r = aigw('explain', @of, '--model', 'gpt-4o');

like($r->{out}, qr/^now +insufficient_quota$/m, 'what it would be');
like($r->{out}, qr/^RULE +OF +RESULT +WHY$/m, '... by which rules');
like($r->{out}, qr/^ACCOUNT +NAME +QUOTA +SPENT +HELD +REMAINING$/m,
    '... over which accounts');

fails(2, 'explain');
fails(2, 'explain', '--key', 'default');
fails(2, 'explain', $last->{id}, '--model', 'o3');
fails(3, 'explain', 'nosuch');
fails(3, 'explain', '--key', 'nosuch', '--model', 'o3');

done_testing();

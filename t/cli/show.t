#!/usr/bin/perl

# log show: how a cost came about. The parts are those of the price that was in
# force when the call came; they add up to the cost, rounded up once.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Cli;

use constant { EXACT => 1, ESTIMATED => 2, PARTIAL => 3, VOID => 4,
    UNKNOWN => 5 };
use constant { CLAMPED => 0x40, OVER_HOLD => 0x20 };

new_store();

my $p = json('project', 'create', 'demo')->{project};
my $k = json('key', 'show', 'default', '--project', 'demo');
my $old = json('price', 'set', 'gpt-4o', '--prompt', '2.5', '--completion',
    '10', '--cached', '1.25', '--from', '2026-01-01T00:00:00Z');
my $new = json('price', 'set', 'gpt-4o', '--prompt', '1', '--completion', '1',
    '--from', '2026-06-01T00:00:00Z');
my $fine = json('price', 'set', 'fine', '--prompt', '0.000000001',
    '--completion', '0.000000003');
my $gone = json('price', 'set', 'gone', '--prompt', '1', '--completion', '1');

json('price', 'delete', 'gone', '--yes');

my $now = time() * 1000;

# model, status, verdict, settled, attempts, flags, prompt, completion,
# cost_nano, cached, reasoning, price version, hold_nano
sub shown {
    my ($model, $status, $verdict, $settled, $attempts, $flags, $prompt,
        $completion, $cost, @more) = @_;

    seed('ledger', [$now++, 1, $p->{id}, $k->{id}, $model, $status, $verdict,
        $settled, $attempts, $flags, $prompt, $completion, $cost, '-',
        @more]);

    my $id = json('log', 'list', '--limit', 1)->{items}[0]{id};

    return (json('log', 'show', $id), $id);
}

sub said {
    my ($row, $about) = @_;

    return join '; ', map { $_->{note} }
        grep { $_->{about} eq $about } @{ $row->{notes} };
}

sub parts {
    my ($row) = @_;

    return [map { join ' ', map { $_ // 'null' }
        @$_{qw(part tokens per_million amount)} } @{ $row->{parts} }];
}

# --- what the parts are ---

my ($row, $id) = shown('gpt-4o', 200, 0, EXACT, 1, 0, 1001, 50, 2_377_500,
    300, 20, $old->{version}, 5_000_000);

is_deeply(parts($row), ['prompt 701 2.5 0.0017525', 'cached 300 1.25 0.000375',
    'completion 30 10 0.0003', 'reasoning 20 10 0.0002'],
    'parts, at the price of then');
is($row->{exact_cost}, '0.0026275', 'their sum');
is($row->{price_model}, 'gpt-4o', 'whose price');
is($row->{price_version}, $old->{version}, '... which one');
is($row->{price_from_at}, '2026-01-01T00:00:00.000Z', '... since when');
is($row->{returned}, '0.0026225', 'what was given back');
like(said($row, 'cost'), qr/not what the tokens come to/,
    'a cost that the parts do not come to is told');
like(said($row, 'settled'), qr/reported/, 'how it was settled, in words');

($row) = shown('gpt-4o', 200, 0, EXACT, 1, 0, 1001, 50, 2_627_500, 300, 20,
    $old->{version}, 2_627_500);
is(said($row, 'cost'), '', 'one that they do come to is not');
is($row->{returned}, '0', 'nothing given back');

# --- one rounding ---

($row, $id) = shown('fine', 200, 0, EXACT, 1, 0, 1, 1, 1, 0, 0,
    $fine->{version}, 1);
is_deeply(parts($row), ['prompt 1 0.000000001 0.000000000000001',
    'completion 1 0.000000003 0.000000000000003'], 'all places of a part');
is($row->{exact_cost}, '0.000000000000004', '... of their sum');
is($row->{cost}, '0.000000001', '... rounded up once');
like(said($row, 'cost'), qr/rounded up/, '... and says so');

($row) = shown('big', 200, 0, EXACT, 1, 0, '9000000000000000', 0, 1, 0, 0, 1,
    1);
is($row->{exact_cost}, '90000000000', 'more than 64 bits of nano-units');

# --- where there is nothing, or not enough ---

($row) = shown('gone', 200, 0, EXACT, 1, 0, 5, 6, 11_000, 0, 0,
    $gone->{version}, 11_000);
is_deeply(parts($row), ['prompt 5 null null', 'completion 6 null null'],
    'a price that was deleted');
is($row->{exact_cost}, undef, '... has no sum');
is($row->{price_model}, undef, '... and no name');
like(said($row, 'price'), qr/deleted/, '... and says so');

($row) = shown('gpt-4o', 403, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
is_deeply($row->{parts}, [], 'a refused call has no parts');
is(said($row, 'settled'), '', '... and was not settled');
is_deeply($row->{notes}, [], '... its error says it all');

($row) = shown('gpt-4o', 502, 23, VOID, 1, 0, 0, 0, 0, 0, 0, 1, 700);
is($row->{returned}, '0.0000007', 'void: all of the hold is given back');
like(said($row, 'settled'), qr/nothing is charged/, '... in words');

($row) = shown('gpt-4o', 0, 29, UNKNOWN, 1, 8, 100, 100, 500, 0, 0, 1, 500);
like(said($row, 'cost'), qr/at most the hold/, 'no more than the hold');
like(said($row, 'settled'), qr/worker died/, 'unknown, in words');

# --- flags ---

($row) = shown('gpt-4o', 200, 0, EXACT, 1, CLAMPED | OVER_HOLD, 1, 1, 20_000,
    0, 0, 1, 10_000);
is_deeply($row->{flags}, ['over_hold', 'clamped'], 'flags');
like(said($row, 'over_hold'), qr/more than was held/, '... in words');
like(said($row, 'clamped'), qr/limited here/, '... each');
is($row->{returned}, '0', 'over its hold: nothing given back');

# --- for people ---

my $r = aigw('log', 'show', $id);

like($r->{out}, qr/^exact_cost +0\.000000000000004$/m, 'a field a line');
unlike($r->{out}, qr/^(parts|notes)/m, '... but for lists');
like($r->{out}, qr/^PART +TOKENS +PER_MILLION +AMOUNT$/m,
    '... which are tables below');
like($r->{out}, qr/^completion +1 +0\.000000003 +0\.000000000000003$/m,
    '... with a part a line');
like($r->{out}, qr/^ABOUT +NOTE$/m, '... and notes');

$r = aigw('log', 'show', $id, '--columns', 'cost,parts');
like($r->{out}, qr/\Acost  0\.000000001\n\nPART /, 'columns');
unlike($r->{out}, qr/ABOUT/, '... and no others');

$r = aigw('log', 'show', $id, '-o', 'csv');
is(() = $r->{out} =~ /\n/g, 2, 'CSV: a heading and a line');
unlike($r->{out}, qr/parts|notes/, '... without lists');

fails(3, 'log', 'show', 'nosuch');
fails(3, 'log', 'show', '0' x 32);

done_testing();

# Show 8 of the ledger: calls through the gateway, beside the log of a 4sapi
# that charges 5 % too much, loses one call and has one more.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new(workers => 2);
my $sim = $t->sim;
my $key = $t->json('project', 'create', 'alice', '--quota', '10', '--models',
    '*')->{key};

$sim->set(log => 1, drift => 5, tokens => 16);

for my $i (1 .. 40) {
    for my $model (qw(gpt-4o o3)) {
        my $r = $t->chat($key, model => $model, max_tokens => 8,
            stream => $i % 2 ? JSON::PP::true : JSON::PP::false,
            messages => [{ role => 'user', content => 'x' x ($i * 4) }]);

        is($r->status, 200, "$model $i") if $i == 1 || $r->status != 200;
    }
}

sub reconcile { return $t->json('reconcile', '--since', '1h') }

my $r = reconcile();
my %row = map { ($_->{model} => $_) } @{ $r->{items} };

is(scalar keys %row, 2, 'two models of a day');
is($r->{suspects_found}, 0, 'each call has its pair');

for my $model (sort keys %row) {
    my $one = $row{$model};

    is("$one->{calls} $one->{their_calls}", '40 40', "$model: all calls");
    is($one->{tokens}, $one->{their_tokens}, '... the same tokens');
    cmp_ok(abs($one->{difference} - 0.05 * $one->{cost}), '<=',
        40 * 0.000001, '... 5 % more, but for their rounding');
    cmp_ok(abs($one->{percent} - 5), '<', 0.25, '... in percent');
}

is($r->{totals}{cost}, $t->json('usage', 'show')->{cost}, 'ours: all of it');
is($r->{balance}{used}, $r->{totals}{their_cost}, 'theirs: all that is used');

$sim->set(log => 0);
$t->chat($key, model => 'o3', max_tokens => 3);
$sim->order('PUT', '/log', time() . " gpt-4o 1000 1 5005 odd\n");
$r = reconcile();
is_deeply([sort map { "$_->{suspect} $_->{model}" } @{ $r->{suspects} }],
    ['ours_only o3', 'theirs_only gpt-4o'], 'what stands on one side alone');

done_testing();

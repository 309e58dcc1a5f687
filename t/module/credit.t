# A credit and a refund while nginx serves: they count from the next call on,
# and what is spent stays the sum of the rows.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new(workers => 2);
my @say = (max_tokens => 1,
    messages => [{ role => 'user', content => 'x' x 4 }]);
my $first = $t->json('project', 'create', 'a', '--quota', '0.001');
my $key = $first->{key};

my ($last, $n) = (undef, 0);

while ($n < 100) {
    my $r = $t->chat($key, @say);

    last if $r->status != 200;
    $last = $r;
    $n++;
}

cmp_ok($n, '>', 0, "$n calls until the quota is spent");

my $r = $t->chat($key, @say);

is($r->json->{error}{code}, 'insufficient_quota', 'it is spent');

my $cost = $t->row($last)->{cost};
my $c = $t->json('project', 'credit', 'a', $cost, '--id', 'one');

ok($c->{booked}, 'a credit');
is($t->chat($key, @say)->status, 200, 'lets one more in');
is($t->chat($key, @say)->status, 429, '... and no second');
ok(!$t->json('project', 'credit', 'a', $cost, '--id', 'one')->{booked},
    'the same again');
is($t->chat($key, @say)->status, 429, '... lets none in');
ok($t->json('log', 'refund', $last->id, '--yes')->{booked}, 'a refund');
is($t->chat($key, @say)->status, 200, '... lets one in');
is($t->chat($key, @say)->status, 429, '... and no second');

$c = $t->json('project', 'credit', 'a', '1', '--id', 'two');
cmp_ok($c->{remaining}, '>', 0.99, 'a credit beyond what was spent');
cmp_ok($c->{spent}, '<', 0, '... below zero');
is($t->chat($key, @say)->status, 200, '... is there to be spent');

my $rows = 0;

for my $row (@{ $t->json('log', 'list', '--limit', 1000)->{items} }) {
    $rows += sprintf '%.0f', $row->{cost} * 1e9;
}

is(sprintf('%.0f', $t->json('project', 'show', 'a')->{spent} * 1e9), $rows,
    'spent is the sum of the rows');
is_deeply($t->json('store', 'verify')->{items}, [], 'and all agrees');

done_testing();

# The seeded faults fit the tree as it stands: each can be made, names what it
# breaks and tests that are there. That those notice is t/torture/faults.pl's.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use AIGW;
use AIGW::Fault;

my @faults = AIGW::Fault::all($AIGW::root);
my %files = map { $_->{file} => 1 } @faults;

cmp_ok(scalar @faults, '>=', 20, 'there are twenty faults');
cmp_ok(scalar keys %files, '>=', 10, 'in ten files');

for my $fault (@faults) {
    my @missing = grep { !-f "$AIGW::root/$_" } @{ $fault->{tests} };

    ok(length $fault->{breaks}, "$fault->{name} says what it breaks");
    ok(@{ $fault->{tests} } && !@missing, "$fault->{name} names tests")
        or diag("@missing");
    is(system("patch -d '$AIGW::root' -p1 -s -F2 --dry-run <'$fault->{path}'"
        . ' >/dev/null 2>&1'), 0, "$fault->{name} fits");
}

done_testing();

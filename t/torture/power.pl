# Power failures of the store, many: t/unit/test_power.c at full size. It shows
# no violation, and that it sees those of a store without syncs. Show 3 of the
# ledger.
#
# From the environment: STATES (100000), TEST_SEED, EVIDENCE (a file that gets
# the figures; 0: none).

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX qw(strftime uname);
use Test::More;

use AIGW;

my $states = $ENV{STATES} // 100_000;
my $evidence = $ENV{EVIDENCE} // "$AIGW::root/t/evidence/power-"
    . strftime('%Y-%m-%d', localtime) . '.txt';
my $start = time;

local $ENV{TEST_STATES} = $states;

open my $run, '-|', "$AIGW::build/unit/test_power" or die $!;
chomp(my @lines = <$run>);
close $run;

my $status = $?;
my $took = time - $start;

note($_) for @lines;
is($status, 0, "$states states, $took s");
is(grep({ /^ok / } @lines), 7, 'each of its checks passed');

if ($evidence) {
    my ($cpu) = AIGW::slurp('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;
    my @all = (
        'power failures (t/torture/power.pl), ' . strftime('%F %R', localtime)
            . ', ' . join(' ', (uname())[0, 2, 4]) . ', ' . ($cpu // '?')
            . ", $took s",
        @lines, Test::More->builder->is_passing ? 'all checks passed' : 'FAILED'
    );

    open my $out, '>', $evidence or die "$evidence: $!";
    print $out map { "$_\n" } @all;
    close $out or die $!;
}

done_testing();

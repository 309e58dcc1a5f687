# The ledger alone, without nginx, at full size: power failures of its store,
# each of its calls failing in turn, processes killed at random, histories that
# are judged by what was written down. The quick tier of each is a unit test;
# what it does stands at its head. Show 3 of the ledger.
#
# From the environment: ONLY (power, fault, history or flight_kill), TEST_SEED,
# EVIDENCE (a directory that gets the figures; 0: none).

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX qw(strftime uname);
use Test::More;

use AIGW;

my $evidence = $ENV{EVIDENCE} // "$AIGW::root/t/evidence";
my ($cpu) = AIGW::slurp('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;
my @programs = (
    [power => TEST_STATES => 100_000],
    [fault => TEST_TRIES => 0],
    [history => TEST_ROUNDS => 1000],
    [flight_kill => TEST_KILLS => 2000],
);


for (grep { $_->[0] eq ($ENV{ONLY} // $_->[0]) } @programs) {
    my ($name, $variable, $size) = @$_;
    my $start = time;

    local $ENV{$variable} = $size;

    open my $run, '-|', "$AIGW::build/unit/test_$name" or die $!;
    chomp(my @lines = <$run>);
    close $run;

    my $status = $?;
    my $took = time - $start;
    my $good = is($status, 0, "$name, $variable=$size: $took s");

    note($_) for @lines;
    $good &= ok(@lines && $lines[-1] =~ /^1\.\.[1-9]/, 'it came to its end');

    next if !$evidence;

    my $date = strftime('%Y-%m-%d', localtime);

    # of many checks all but those that passed, and the last
    if (@lines > 100) {
        my @last = splice @lines, -2;
        my $passed = grep { /^ok / } @lines;

        @lines = (grep({ !/^ok / } @lines), "$passed checks passed", @last);
    }

    open my $out, '>', "$evidence/$name-$date.txt" or die $!;
    print $out map { "$_\n" }
        "test_$name, $variable=$size, $date, "
            . join(' ', (uname())[0, 2, 4], $cpu // '') . ", $took s",
        @lines, $good ? 'all checks passed' : 'FAILED';
    close $out or die $!;
}

done_testing();

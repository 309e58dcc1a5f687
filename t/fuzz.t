# Five seconds of fuzzing for each target, on its seeds and whatever `make fuzz`
# has learnt here; and two planted faults that must be found: one that only a
# split shows, one that reads a byte too far.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;

use AIGW;

chdir $AIGW::root or die;

my $build = "$AIGW::build/clang";
my $clang = $ENV{CLANG} // 'clang-14';
my @targets = map { m{([^/]+)\.in\z} } glob 't/fuzz/*.in';
my $dir = File::Temp::tempdir('aigw-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

plan skip_all => "no $clang here" if !-d $build;


sub fuzz ($binary, $target, $seconds) {
    my $corpus = "$build/fuzz/corpus/$target";
    my $new = File::Temp::tempdir(DIR => $dir);

    return AIGW::Process->start([$binary, "-max_total_time=$seconds",
        '-max_len=512', '-dict=t/fuzz/words', '-print_final_stats=1',
        "-artifact_prefix=$dir/", $new, "t/fuzz/$target.in",
        grep { -d } "t/fuzz/$target.repro", $corpus],
        stderr => "$dir/$target.log");
}


# Two at a time: as many as there are cores in the smallest machine.
while (my @pair = splice @targets, 0, 2) {
    my %run = map { $_ => fuzz("$build/fuzz/$_", $_, 5) } @pair;

    for my $target (@pair) {
        my $status = $run{$target}->wait(60);
        my $log = AIGW::slurp("$dir/$target.log");
        my ($n) = $log =~ /number_of_executed_units: (\d+)/;

        is($status, 0, "$target: nothing found") or diag($log);
        cmp_ok($n // 0, '>', 1000, 'in ' . ($n // 'no') . ' executions');
    }
}


# Fuzzes sse with aigw_sse.c changed: what it says.
sub planted ($name, $from, $to) {
    my $text = AIGW::slurp('shared/aigw_sse.c');
    my $cc = "$clang -O1 -g -Ishared -fsanitize=fuzzer,address,undefined";

    $text =~ s/\Q$from/$to/ or die "no '$from' in aigw_sse.c\n";
    open my $fh, '>', "$dir/$name.c" or die "$dir/$name.c: $!\n";
    print $fh $text;
    close $fh;

    system("$cc -o $dir/$name $dir/$name.c t/fuzz/sse.c") == 0 or die;

    my $p = fuzz("$dir/$name", 'sse', 20);

    isnt($p->wait(60), 0, "$name: found");

    return AIGW::slurp("$dir/sse.log");
}

like(planted('split', 'sse->len = (uint8_t) (sse->len + len);',
    'sse->len = (uint8_t) len;'), qr/does not hold: /,
    'a name that a split cuts');
like(planted('overread', 'while (i < len &&', 'while (i <= len &&'),
    qr/AddressSanitizer/, 'a byte too far');

done_testing();

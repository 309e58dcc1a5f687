# Faults: small wrong edits of ledger and settlement, t/faults/*.patch, each of
# which a test of `make test` has to notice. They are made one after the other
# in a copy of this tree, objects included; first the copy as it is must pass.
# Writes what noticed each to t/evidence/faults-DATE.txt.
#
# From the environment: AIGW_BUILD, FAULTS (a pattern of names; then nothing is
# written).

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Path qw(make_path remove_tree);
use File::Temp ();
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

use AIGW;
use AIGW::Fault;

my $root = $AIGW::root;
my $some = $ENV{FAULTS} // '';
my @faults = grep { $_->{name} =~ /$some/ } AIGW::Fault::all($root);
my $copy = File::Temp::tempdir('faults-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my @report;

chmod 0755, $copy;
quiet("tar -C '$root' -c --exclude ./build --exclude ./.git . | tar -C '$copy'"
    . " -x && mkdir '$copy/build' && cd '$AIGW::build' && cp -a obj nginx unit"
    . " sources libaigw.a ngx_ai_gateway_module.so aigw aigw-sim"
    . " '$copy/build' && ln -s '$AIGW::build/sdk' '$copy/build/sdk'"
    . " && sed -i 's|$root/|$copy/|g' '$copy/build/nginx/objs/"
    . "Makefile' && touch -r '$root' '$copy/build/nginx/objs/Makefile'")
    or BAIL_OUT('cannot copy the tree: ' . AIGW::slurp("$copy/out"));

my %used = map { map { $_ => 1 } @{ $_->{tests} } } @faults;
my @failed = grep { !builds($_) || !passes($_) } sort keys %used;

is("@failed", '', 'without a fault all ' . keys(%used) . ' tests pass');
tries($_) for @faults;
write_report() if $some eq '' && !@failed;
done_testing();


# True if the command goes well. Its output is kept in $copy/out.
sub quiet ($command) {
    return system('bash', '-c', "($command) >'$copy/out' 2>&1") == 0;
}


# The name of a unit test's program; nothing for others.
sub program ($test) {
    return $test =~ m{^t/unit/(\w+)\.c$} ? "build/unit/$1" : undef;
}


sub builds ($test) {
    return quiet("cd '$copy' && make -s " . (program($test) // 'all'));
}


sub passes ($test) {
    return quiet("cd '$copy' && AIGW_BUILD='$copy/build' timeout 300"
        . ' prove -It/lib ' . (program($test) // $test));
}


# The patched copy builds, and one of the tests that ought to notice does.
sub tries ($fault) {
    my $patch = "patch -d '$copy' -p1 -s -F2 --no-backup-if-mismatch";
    my $start = time;
    my $noticed;

    if (!quiet("$patch <'$fault->{path}'")) {
        fail("$fault->{name}: applies");
        return;
    }

    for my $test (@{ $fault->{tests} }) {
        if (!builds($test)) {
            fail("$fault->{name}: builds");
            diag(AIGW::slurp("$copy/out"));
            last;
        }

        last if !passes($test) && ($noticed = $test);
    }

    ok($noticed, "$fault->{name}: $fault->{breaks}: "
        . ($noticed // 'nobody notices'));
    push @report, sprintf '%-26s %-28s %s', $fault->{name},
        $noticed // 'NOT NOTICED', $fault->{breaks};
    note(sprintf '%.1f s', time - $start);
    quiet("$patch -R <'$fault->{path}'") or BAIL_OUT('cannot undo a fault');
}


sub write_report () {
    my $path = "$root/t/evidence/faults-" . strftime('%F', gmtime) . '.txt';
    my $noticed = grep { !/NOT NOTICED/ } @report;

    make_path("$root/t/evidence");
    open my $fh, '>', $path or die "$path: $!\n";
    print $fh "make torture, " . strftime('%F %R', gmtime) . ' UTC, '
        . qx(nproc) =~ s/\n//r . ' processors, ' . qx(uname -r)
        . "seeded faults: $noticed of " . @report . " noticed; without one all"
        . " of these tests pass\nfault, the test that noticed it first, what it"
        . " breaks:\n" . join('', map { "$_\n" } @report);
    close $fh;
    diag("see $path");
}

# The faults of t/faults: a patch each, with a line that says what it breaks and
# one that names the tests of which one has to notice it.

package AIGW::Fault;

use v5.36;


# All of them in order: { name, path, breaks, tests, file }.
sub all ($root) {
    return map { read_one($_) } sort glob "$root/t/faults/*.patch";
}


sub read_one ($path) {
    open my $fh, '<', $path or die "$path: $!\n";
    local $/;

    my $text = <$fh>;
    my ($breaks) = $text =~ /\ABreaks: (\S.*)\n/;
    my ($tests) = $text =~ /^Noticed by: (\S.*)\n/m;
    my ($name) = $path =~ m{([^/]+)\.patch\z};

    return { name => $name, path => $path, breaks => $breaks // '',
        tests => [split ' ', $tests // ''],
        file => $text =~ m{^\+\+\+ b/(\S+)}m ? $1 : '' };
}

1;

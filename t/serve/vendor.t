# What others wrote and the pages need lies here byte for byte as they published
# it: each folder says what it is, has its licence and the sum of every file.

use v5.36;

use Digest::SHA ();
use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;

my $web = "$AIGW::root/admin_cli/web";
my @folders = map { s{/SHA256SUMS\z}{}r } glob "$web/*/SHA256SUMS";


# Names whose bytes are not those of the list, and those that lack a sum.
sub broken ($dir, $read) {
    my %sum = map { reverse split /  /, $_, 2 }
        split /\n/, AIGW::slurp("$dir/SHA256SUMS");
    my @here = grep { !/^(?:SHA256SUMS|VERSION)$/ }
        map { s{.*/}{}r } glob "$dir/*";
    my %here = map { $_ => 1 } @here;

    return ((grep { !$sum{$_} } @here), grep {
        !$here{$_} || Digest::SHA::sha256_hex($read->("$dir/$_")) ne $sum{$_}
    } sort keys %sum);
}


cmp_ok(@folders, '>', 0, 'there are some');
is_deeply([grep { -d && !-e "$_/SHA256SUMS" } glob "$web/*"], [],
    'each folder has sums');

for my $dir (@folders) {
    my $name = $dir =~ s{.*/}{}r;

    is_deeply([broken($dir, \&AIGW::slurp)], [], "$name: as it was published");
    is_deeply([broken($dir, sub ($path) {
        my $bytes = AIGW::slurp($path);

        substr($bytes, 0, 1) ^.= "\1" if $path =~ /LICENSE$/;
        return $bytes;
    })], ['LICENSE'], '... a changed byte is seen');

    my $version = AIGW::slurp("$dir/VERSION");

    like($version, qr/^[\w-]+ \d+\.\d+\.\d+,/, "$name: VERSION says which");
    like($version, qr/npm[ ]pack[ ]--ignore-scripts[ ][\w-]+\@\d+\.\d+\.\d+`.*
        integrity.*sha512-/sx, '... and where from');
}

done_testing();

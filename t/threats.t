# Each row of the catalogue of threats that touches what exists keeps a test
# whose name has its id: rows of JSON and SSE (J), of HTTP (H), of secrets (K),
# of the lifecycle (L) and of accounts (M), listed at the end. Those about the
# sources and the binaries themselves are tested here.

use v5.36;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use AIGW;

my $root = $AIGW::root;
my @ids = split ' ', do { local $/; <DATA> };


# What a file of tests says outside of its comments.
sub names ($path) {
    my $text = AIGW::slurp($path);

    return $path =~ /\.c$/ ? $text =~ s{/\*.*?\*/}{}gsr
        : $text =~ s/^__DATA__.*//msr =~ s/^\s*#.*//gmr;
}


my %named;

for my $path (glob("$root/t/*.t $root/t/*/*.t $root/t/unit/*.c"
    . " $root/t/walk/*.walk"))
{
    my $short = $path =~ s{^\Q$root\E/}{}r;

    push @{ $named{$_} }, $short for names($path) =~ /\b([JHKLM]\d\d)\b/g;
}

cmp_ok(@ids, '>', 80, 'ids of threats');

for my $id (@ids) {
    my %files = map { $_ => 1 } @{ $named{$id} // [] };

    ok(%files, "$id has a test") or next;
    note("$id ", join ' ', sort keys %files);
}

{
    my %known = map { $_ => 1 } @ids;

    is_deeply([grep { !$known{$_} } sort keys %named], [],
        'and no test names a row that is not listed');
}


# --- sources ---

# What is secret is compared in constant time.
{
    my @found;

    for my $path (glob("$root/shared/*.[ch] $root/admin_cli/*.[ch]"
        . " $root/admin_cli/*/*.[ch]"
        . " $root/ngx_ai_gateway_module/*.[ch]"))
    {
        my $text = AIGW::slurp($path);

        while ($text =~ /\b(?!CRYPTO_)(?:ngx_)?(?:mem|str\w*)n?cmp\(([^;{]*)/g)
        {
            my $arguments = $1 =~ s/[=!]= .*//sr =~ s/\s+/ /gr
                =~ s/"[^"]*"/""/gr;

            # how a token begins is no secret
            push @found, "$path: $arguments"
                if $arguments =~ /secret|passw|token|master|\bhash\b|old_hash/i
                    && $arguments !~ /^token, (?:HEADER|BEARER)\b/;
        }
    }

    is_deeply(\@found, [], 'K21 no memcmp or strcmp of what is secret');
}


# --- binaries ---

SKIP: {
    skip 'built for a sanitizer', 12 if $ENV{SANITIZE};
    skip 'no readelf', 12 if !grep { -x "$_/readelf" } split /:/, $ENV{PATH};

    for my $name (qw(ngx_ai_gateway_module.so aigw)) {
        my $path = "$AIGW::build/$name";
        my $text = qx(readelf -hldW --dyn-syms $path);

        like($text, qr/GNU_STACK.* RW +0x/, "K19 $name: no stack that runs");
        like($text, qr/GNU_RELRO/, "K19 $name: relocations are read-only");
        like($text, qr/BIND_NOW/, "K19 $name: all of them, from the start");
        like($text, qr/__stack_chk_fail/, "K19 $name: canaries");
        like($text, qr/__\w+_chk@/, "K19 $name: checked functions of libc");
        like($text, qr/Type: +DYN/, "K19 $name: at any address");
    }
}

done_testing();

__DATA__
J01 J03 J04 J06 J07 J08 J09 J10 J11 J12 J13 J14 J15 J17 J18 J19 J20 J21 J22 J23
J25 J26 J27 J28 J29 J30 J32 J33 J34
H01 H02 H03 H04 H05 H06 H07 H08 H09 H10 H11 H12 H13 H15 H16 H17 H18 H21 H23 H24
H25 H26 H27 H28 H29 H30 H31 H32 H33 H34
K01 K02 K03 K04 K05 K06 K07 K08 K09 K10 K11 K12 K13 K15 K16 K17 K18 K19 K20 K21
L01 L02 L03 L04 L05 L06 L07 L08 L09 L10 L11 L12 L14 L16 L17
M01 M02 M03 M04 M05 M06 M08 M09 M11 M12 M13 M14 M15 M16 M17 M18 M19 M20 M21 M22
M24 M25 M26

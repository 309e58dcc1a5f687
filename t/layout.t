# The house rules that a machine can hold: who may include whom, what is
# visible to the rest of nginx, and the form of the C files. A rule is in here
# once; why it exists stands in docs/ARCHITECTURE.md.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use AIGW;

chdir $AIGW::root or die;

# Each layer of shared/ by file name; a file may include its own layer and
# those above it in this list.
my @layers = (
    [''],
    [qw(crc json sse key price limit time seal verdict)],
    [qw(request usage)],
    ['record'],
    ['db'],
    ['store'],
    [qw(live journal)],
    [qw(ledger flusher)],
);
my %layer;

for my $i (0 .. $#layers) {
    $layer{$_} = $i for @{ $layers[$i] };
}

my @shared = sort glob 'shared/*.[ch]';
my @module = sort glob 'ngx_ai_gateway_module/*.[ch]';
my @cli = sort glob 'admin_cli/*.[ch]';
my @tests = sort glob 't/*/*.[ch]';
my %text = map { $_ => AIGW::slurp($_) } @shared, @module, @cli, @tests;


# One test a rule: the files that break it are its diagnosis.
sub rule ($name, @broken) {
    ok(!@broken, $name) or diag map { "$_\n" } @broken;
}


# [file, line number, what is included] of files
sub includes (@files) {
    return map {
        my $file = $_;
        my $n = 0;

        map { $n++; /^\s*#\s*include\s+["<]([^">]+)/ ? [$file, $n, $1] : () }
            split /\n/, $text{$file};
    } @files;
}


# "aigw_store_usage.c" and "aigw_store_internal.h" are of layer "store".
sub layer ($file) {
    my ($name) = $file =~ /\baigw_?([a-z_]*)\.[ch]\z/ or return undef;

    while (!exists $layer{$name}) {
        $name =~ s/_[^_]*\z// or return undef;
    }

    return $layer{$name};
}


sub lines_like ($re, @files) {
    return map {
        my $file = $_;
        my $n = 0;

        map { $n++; /$re/ ? "$file:$n: $_" : () } split /\n/, $text{$file};
    } @files;
}


# The text without comments and strings, lines kept.
sub code ($file) {
    return $text{$file} =~ s{
        (/\*.*?\*/) | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
    }{ defined $1 ? $1 =~ s/[^\n]//gr : '""' }gexsr;
}


# --- who includes whom ---

cmp_ok(@shared, '>', 10, 'there are files to look at');
rule('every file of shared/ has a layer', grep { !defined layer($_) } @shared);

rule('shared/ includes nothing of nginx, the module, the CLI or t/',
    map { "$_->[0]:$_->[1]: $_->[2]" }
    grep { $_->[2] =~ m{^(?:ngx_|cli|cmd_|sim|tap)|/}
        && $_->[2] !~ m{^(?:sys|netinet|arpa|openssl|linux)/} }
    includes(@shared));

rule('within shared/ includes go down',
    map { "$_->[0]:$_->[1]: $_->[2]" }
    grep {
        $_->[2] =~ /^aigw/
            && (layer($_->[2]) // 99) > (layer($_->[0]) // -1)
    } includes(@shared));

rule('only aigw_db.c includes <lmdb.h>',
    map { "$_->[0]:$_->[1]" }
    grep { $_->[2] eq 'lmdb.h' && $_->[0] ne 'shared/aigw_db.c' }
    includes(keys %text));

rule('aigw_db.h is included by the store alone',
    map { "$_->[0]:$_->[1]" }
    grep { $_->[2] =~ /^aigw_db/ && $_->[0] !~ m{^shared/aigw_(db|store)|^t/} }
    includes(keys %text));

rule('the module sees shared/, OpenSSL and its own header',
    map { "$_->[0]:$_->[1]: $_->[2]" }
    grep { $_->[2] !~ m{^ngx_|^aigw|^openssl/} } includes(@module));

rule('its .c files include its header and nothing else',
    map { "$_->[0]:$_->[1]: $_->[2]" }
    grep { $_->[0] =~ /\.c$/ && $_->[2] ne 'ngx_ai_gateway.h' }
    includes(@module));

rule('the CLI sees nothing of nginx, the module or t/',
    map { "$_->[0]:$_->[1]: $_->[2]" }
    grep { $_->[2] =~ m{^ngx_|^sim|^tap|\.\.} } includes(@cli));

rule('internal headers of shared/ stay in shared/',
    map { "$_->[0]:$_->[1]: $_->[2]" }
    grep { $_->[2] =~ /^aigw_\w+_internal\.h$/ } includes(@module, @cli));

rule('shared/: system headers, lower layers, the own header last', map {
    my $file = $_;
    my @names = map { $_->[2] } includes($file);
    my ($own) = $file =~ m{/(aigw\w*)\.c$};
    my $kinds = join '', map { /^aigw/ ? 'a' : 's' } @names;

    $kinds =~ /^s*a*$/ && (!(grep { $_ eq "$own.h" } @names)
        || $names[-1] =~ /^(?:\Q$own\E|\w+_internal)\.h$/)
        ? () : "$file: @names";
} grep { /\.c$/ } @shared);

for my $header (grep { /\.h$/ } @shared) {
    my $said = qx(cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -Ishared \\
        -x c $header 2>&1);

    is($said, '', "$header compiles alone");
}


# --- what is visible ---

sub globals ($how, $file) {
    return map { /^[0-9a-f]+ [A-TV-Z] (\S+)$/ ? $1 : () }
        split /\n/, qx(nm $how $file 2>&1);
}

my $lib = "$AIGW::build/libaigw.a";
my $so = "$AIGW::build/ngx_ai_gateway_module.so";
my @lib = globals('-g --defined-only', $lib);
my @so = globals('-D --defined-only', $so);

cmp_ok(@lib, '>', 50, "$lib has symbols");
rule('its global names begin with aigw_', grep { !/^aigw_/ } @lib);

cmp_ok(@so, '>', 50, "$so has symbols");
rule('those of the module with aigw_ or ngx_ai_gateway_', grep {
    !/^(?:aigw_|ngx_ai_gateway_|ngx_module(?:s|_names|_order)$)/
} @so);

# Names that are better without that of their file.
my %also = (
    aigw_crc => qr/^aigw_crc32c/, aigw_price => qr/^aigw_amount_/,
    aigw_seal => qr/^aigw_(?:unseal|cleanse)$/,
);

rule('a file of shared/ exports what bears its name', map {
    my ($stem) = m{/(aigw_[a-z]+)};
    my $also = $also{$stem} // qr/^$/;

    map { "$stem: $_" } grep { !/^\Q$stem\E(?:_|r?$)/ && !/$also/ }
        globals('-g --defined-only', "$AIGW::build/obj/$_" =~ s/c$/o/r);
} grep { /aigw_\w+\.c$/ && -e "$AIGW::build/obj/$_" =~ s/c$/o/r } @shared);


# --- form ---

my @c = sort keys %text;

rule('no tabs', lines_like(qr/\t/, @c));
rule('no line over 80 columns', map {
    my $file = $_;
    my $n = 0;

    map { utf8::decode(my $l = $_); $n++; length $l > 80 ? "$file:$n" : () }
        split /\n/, $text{$file};
} @c);
rule('no blanks at the end of a line', lines_like(qr/ $/, @c));
rule('no #if 0, no #if 1', lines_like(qr/^\s*#\s*if\s+[01]\b/, @c));
rule('nothing left to do', lines_like(
    qr/\b(?:X{3}|TO[D]O|FIX[M]E|NEEDS[W]ORK|HAC[K])\b/, @c));
rule('a newline at the end of each file', grep { $text{$_} !~ /[^\n]\n\z/ } @c);

rule('no // comments', map {
    my $file = $_;
    my $n = 0;

    map { $n++; m{//} ? "$file:$n: $_" : () } split /\n/, code($file);
} @c);

rule('each .c opens with a comment, of at most 5 lines outside t/', grep {
    my ($comment) = $text{$_} =~ m{\A(/\*.*?\*/)}s;

    !defined $comment || (!m{^t/} && ($comment =~ tr/\n//) > 6);
} grep { /\.c$/ } @c);

rule('each header of shared/ says what it is', grep {
    $text{$_} !~ m{\A/\*}
} grep { /\.h$/ } @shared);

rule('no file over 500 lines', map {
    my $n = $text{$_} =~ tr/\n//;

    $n > 500 ? "$_: $n" : ();
} grep { !m{^t/unit/} } @c);

rule('no function over 60 lines', map {
    my $file = $_;
    my ($n, $start, @long) = (0);

    for (split /\n/, $text{$file}) {
        $n++;
        $start = $n if /^\{/;
        push @long, "$file:$start: " . ($n - $start)
            if /^\}$/ && $start && $n - $start > 61;
    }

    @long;
} grep { /\.c$/ && !m{^t/unit/} } @c);

rule('a function\'s type stands on a line of its own, its { too',
    lines_like(qr/^(?:static |const |unsigned )*\w+[ \*]+\w+\([^;]*\)\s*\{/,
        @c));

rule('goto runs to errN and nowhere else',
    lines_like(qr/^\s*goto (?!err\d+;)/, @c));

rule('shared/ prints nothing, exits never', lines_like(
    qr/\b(?:printf|fprintf|puts|perror|syslog|exit|_exit|abort|assert)\s*\(/,
    grep { /\.c$/ } @shared));

rule('no memcmp of secrets', lines_like(
    qr/\bmemcmp\s*\([^;]*(?:hash|secret|master|digest)/, @module,
    grep { /aigw_(?:key|seal)/ } @shared));


# --- scripts ---

my @perl = grep { -f } map { glob } qw(t/*.t t/*/*.t t/lib/*.pm t/lib/*/*.pm);

rule('Perl: no tabs, no line over 80 columns', map {
    my $file = $_;
    my $n = 0;

    map { $n++; /\t/ || length > 80 ? "$file:$n: $_" : () }
        split /\n/, AIGW::slurp($file);
} @perl);

done_testing();

# The house rules that a machine can hold: who may include whom, what is
# visible to the rest of nginx, and the form of the files. A rule is in here
# once; why it exists stands in docs/ARCHITECTURE.md. Each rule has violations
# that are planted in copies: it must find each of them, and nothing else.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use AIGW;

chdir $AIGW::root or die;

# Each layer of shared/ by file name; a file may include its own layer and
# those above it in this list.
my @layers = (
    [''],
    [qw(crc estimate hold json sse key password price limit time seal
        verdict)],
    [qw(request usage)],
    ['record'],
    ['db'],
    ['store'],
    [qw(live journal flight)],
    [qw(ledger flusher)],
);
my %layer;

for my $i (0 .. $#layers) {
    $layer{$_} = $i for @{ $layers[$i] };
}

my $tmp = tempdir(CLEANUP => 1);

# What the rules look at: sources by path, and objects by what they are made
# of. A planted violation stands in place of both.
our %text = map { $_ => AIGW::slurp($_) } grep { -f } map { glob }
    qw(shared/*.[ch] ngx_ai_gateway_module/*.[ch] admin_cli/*.[ch] t/*/*.[ch]
    t/*.t t/*/*.t t/lib/*.pm t/lib/*/*.pm);
our %object = (
    library => "$AIGW::build/libaigw.a",
    module => "$AIGW::build/ngx_ai_gateway_module.so",
    map { $_ => "$AIGW::build/obj/$_" =~ s/c$/o/r } glob('shared/*.c'),
);


# A rule: what finds the places that break it, and violations. One is [file,
# text], with which that file would end; {file => text} is all of a file.
sub rule ($name, $find, @plants) {
    my @broken = $find->();

    ok(!@broken, $name) or diag map { "$_\n" } @broken;
    ok(scalar @plants, "... which is seen to fail");

    for my $plant (@plants) {
        my ($file, $bytes) = ref $plant eq 'HASH' ? %$plant : @$plant;
        my $before = ref $plant eq 'HASH' ? '' : $text{$file} // die $file;
        local %text = ($file => $before . $bytes);
        local %object = ($file => undef);
        my @found = $find->();

        ok(@found == 1 && $found[0] =~ /\Q$file\E/, "... planted in $file")
            or diag("found: @found");
    }
}


# Files by path.
sub in ($re) {
    return sort grep { /$re/ } keys %text;
}


sub shared ($ext = '[ch]') { return in(qr{^shared/.*\.$ext$}) }
sub module ($ext = '[ch]') {
    return in(qr{^ngx_ai_gateway_module/.*\.$ext$});
}
sub cli () { return in(qr{^admin_cli/}) }
sub c ($ext = '[ch]') { return in(qr{\.$ext$}) }


# [file, line number, what is included] of files
sub includes (@files) {
    return map {
        my $file = $_;
        my $n = 0;

        map { $n++; /^\s*#\s*include\s+["<]([^">]+)/ ? [$file, $n, $1] : () }
            split /\n/, $text{$file};
    } @files;
}


# Those of them that are not good, as text.
sub bad_includes ($is_bad, @files) {
    return map { "$_->[0]:$_->[1]: $_->[2]" } grep { $is_bad->(@$_[0, 2]) }
        includes(@files);
}


# "aigw_store_usage.c" and "aigw_store_internal.h" are of layer "store".
sub layer ($file) {
    my ($name) = $file =~ /\baigw_?([a-z_]*)\.[ch]\z/ or return undef;

    while (!exists $layer{$name}) {
        $name =~ s/_[^_]*\z// or return undef;
    }

    return $layer{$name};
}


# "file:line: text" of lines for which `is` holds.
sub lines ($is, @files) {
    return map {
        my $file = $_;
        my $n = 0;

        map { $n++; $is->() ? "$file:$n: $_" : () } split /\n/, $text{$file};
    } @files;
}


sub lines_like ($re, @files) { return lines(sub { /$re/ }, @files) }


# The text without comments and strings, lines kept.
sub code ($file) {
    return $text{$file} =~ s{
        (/\*.*?\*/) | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
    }{ defined $1 ? $1 =~ s/[^\n]//gr : '""' }gexsr;
}


# The line where each function begins that `is` finds too long or too deep.
sub functions ($is, @files) {
    return map {
        my $file = $_;
        my ($n, $start, @lines, @found) = (0, 0);

        for (split /\n/, $text{$file}) {
            $n++;
            ($start, @lines) = ($n) if /^\{/;
            push @lines, $_ if $start;
            next if !/^\}/ || !$start;
            push @found, "$file:$start: " . @lines if $is->(@lines);
            $start = 0;
        }

        @found;
    } @files;
}


my $s = 'shared/aigw_sse.c';
my $h = 'shared/aigw_sse.h';
my $m = 'ngx_ai_gateway_module/ngx_ai_gateway_log.c';
my $l = 'admin_cli/cmd_log.c';


# --- who includes whom ---

cmp_ok(keys %text, '>', 100, 'there are files to look at');

rule('every file of shared/ has a layer',
    sub { grep { !defined layer($_) } shared() },
    { 'shared/aigw_nolayer.c' => '' }, { 'shared/other.h' => '' });

rule('shared/ includes nothing of nginx, the module, the CLI or t/',
    sub { bad_includes(sub ($file, $name) {
        $name =~ m{^(?:ngx_|cli|cmd_|sim|tap)|/}
            && $name !~ m{^(?:sys|netinet|arpa|openssl|linux)/}
    }, shared()) },
    map { [$s, qq(#include "$_"\n)] } qw(ngx_core.h ngx_ai_gateway.h cli.h
        ../t/unit/tap.h tap.h));

rule('within shared/ includes go down',
    sub { bad_includes(sub ($file, $name) {
        $name =~ /^aigw/ && (layer($name) // 99) > (layer($file) // -1)
    }, shared()) },
    [$s, qq(#include "aigw_store.h"\n)], [$h, qq(#include "aigw_usage.h"\n)],
    ['shared/aigw_store.c', qq(#include "aigw_live.h"\n)]);

rule('aigw_db*.c alone include <lmdb.h>',
    sub { bad_includes(sub ($file, $name) {
        $name eq 'lmdb.h'
            && $file !~ m{^shared/aigw_db(?:_\w+)?\.c$|^shared/aigw_db_int}
    }, c()) },
    map { [$_, "#include <lmdb.h>\n"] } 'shared/aigw_store.c', $m, $l,
        'shared/aigw_db.h', 't/sim/main.c');

rule('aigw_db.h is included by the store alone',
    sub { bad_includes(sub ($file, $name) {
        $name =~ /^aigw_db/ && $file !~ m{^shared/aigw_(db|store)|^t/}
    }, c()) },
    map { [$_, qq(#include "aigw_db.h"\n)] } 'shared/aigw_live.c', $m, $l);

rule('the module sees shared/, OpenSSL and its own header',
    sub { bad_includes(sub ($file, $name) {
        $name !~ m{^ngx_|^aigw|^openssl/}
    }, module()) },
    map { ['ngx_ai_gateway_module/ngx_ai_gateway.h', qq(#include "$_"\n)] }
        qw(cli.h stdio.h));

rule('its .c files include its header and nothing else',
    sub { bad_includes(sub ($file, $name) {
        $name ne 'ngx_ai_gateway.h'
    }, module('c')) },
    map { [$m, qq(#include "$_"\n)] } qw(cli.h ngx_core.h aigw_store.h));

rule('the CLI sees nothing of nginx, the module or t/',
    sub { bad_includes(sub ($file, $name) {
        $name =~ m{^ngx_|^sim|^tap|\.\.}
    }, cli()) },
    map { [$l, qq(#include "$_"\n)] } qw(ngx_ai_gateway.h ngx_core.h tap.h
        ../t/sim/sim.h));

rule('internal headers of shared/ stay in shared/',
    sub { bad_includes(sub ($file, $name) {
        $name =~ /^aigw_\w+_internal\.h$/
    }, module(), cli()) },
    map { [$_, qq(#include "aigw_store_internal.h"\n)] } $m, $l);

rule('shared/: system headers, lower layers, the own header last', sub {
    map {
        my $file = $_;
        my @names = map { $_->[2] } includes($file);
        my ($own) = $file =~ m{/(aigw\w*)\.c$};
        my $kinds = join '', map { /^aigw/ ? 'a' : 's' } @names;

        $kinds =~ /^s*a*$/ && (!(grep { $_ eq "$own.h" } @names)
            || $names[-1] =~ /^(?:\Q$own\E|\w+_internal)\.h$/)
            ? () : "$file: @names";
    } shared('c');
}, [$s, "#include <string.h>\n"], [$s, qq(#include "aigw.h"\n)]);

rule('each header of shared/ compiles alone', sub {
    map {
        my $copy = "$tmp/alone.h";
        my $said;

        open my $fh, '>', $copy or die $!;
        print $fh $text{$_};
        close $fh;
        $said = qx(cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -Ishared \\
            -x c $copy 2>&1);
        $said eq '' ? () : "$_: $said";
    } shared('h');
}, { $h => "size_t aigw_sse_n(void);\n" }, [$h, "int x(aigw_sse_no_t x);\n"]);


# --- what is visible ---

# Global names of an object, and of what stands planted in its place.
sub globals ($which, $how = '-g') {
    my $file = $object{$which};

    if (!defined $file) {
        $file = "$tmp/planted" . ($how eq '-D' ? '.so' : '.o');
        open my $cc, '|-', qw(cc -x c - -fPIC -o), $file,
            $how eq '-D' ? '-shared' : '-c' or die $!;
        print $cc $text{$which};
        close $cc or die 'cc failed';
    }

    return map { /^[0-9a-f]+ [A-TV-Z] (\S+)$/ ? $1 : () }
        split /\n/, qx(nm $how --defined-only $file 2>&1);
}


for my $which (qw(library module)) {
    my $n = () = globals($which, $which eq 'module' ? '-D' : '-g');

    cmp_ok($n, '>', 50, "$object{$which} has symbols");
}

rule('global names of the library begin with aigw_',
    sub { map { "library: $_" } grep { !/^aigw_/ } globals('library') },
    { library => 'int parse(void) { return 0; } static int mine;' },
    { library => 'int state = 1, aigw_state = 1;' });

rule('those of the module with aigw_ or ngx_ai_gateway_', sub {
    map { "module: $_" } grep {
        !/^(?:aigw_|ngx_ai_gateway_|ngx_module(?:s|_names|_order)$)/
    } globals('module', '-D');
}, { module => 'int ngx_http_x = 1, ngx_modules = 1, aigw_x = 1;' });

# Names that are better without that of their file.
my %also = (
    aigw_crc => qr/^aigw_crc32c/, aigw_price => qr/^aigw_amount_/,
    aigw_seal => qr/^aigw_(?:unseal|cleanse)$/,
);

rule('a file of shared/ exports what bears its name', sub {
    map {
        my $file = $_;
        my ($stem) = m{/(aigw_[a-z]+)};
        my $also = $also{$stem} // qr/^$/;

        map { "$file: $_" } grep { !/^\Q$stem\E(?:_|r?$)/ && !/$also/ }
            globals($file);
    } grep { /aigw_/ && (!defined $object{$_} || -e $object{$_}) } shared('c');
}, { $s => 'int aigw_json_x = 1, aigw_sse_x = 1;' });


# --- form ---

rule('no tabs', sub { lines_like(qr/\t/, c()) }, [$s, "\tint x;\n"],
    [$m, "/*\tx */\n"]);

rule('no line over 80 columns',
    sub { lines(sub { utf8::decode(my $l = $_); length $l > 80 }, c()) },
    map { [$_, '/* ' . 'x' x 75 . " */\n"] } $s, $l);

rule('no blanks at the end of a line', sub { lines_like(qr/ $/, c()) },
    [$s, "int x; \n"]);

rule('no #if 0, no #if 1', sub { lines_like(qr/^\s*#\s*if\s+[01]\b/, c()) },
    map { [$_, "# if 0\n#endif\n"], [$_, "#if 1\n#endif\n"] } $s, $m);

my @words = map { join '', @$_ } [qw(X XX)], [qw(TO DO)], [qw(FIX ME)],
    [qw(NEEDS WORK)], [qw(HA CK)];
my $words = join '|', @words;

rule('nothing left to do', sub { lines_like(qr/\b(?:$words)\b/, c()) },
    map { [$l, "/* $_: later */\n"] } @words);

rule('a newline at the end of each file',
    sub { grep { $text{$_} !~ /[^\n]\n\z/ } c() },
    [$s, 'int x;'], [$m, "\n"]);

rule('no // comments', sub {
    map {
        my $file = $_;
        my $n = 0;

        map { $n++; m{//} ? "$file:$n: $_" : () } split /\n/, code($file);
    } c();
}, [$s, "// x\n"], [$l, qq(char *url = "http://h"; // "x"\n)]);

rule('each .c opens with a comment, of at most 5 lines outside t/', sub {
    grep {
        my ($comment) = $text{$_} =~ m{\A(/\*.*?\*/)}s;

        !defined $comment || (!m{^t/} && ($comment =~ tr/\n//) > 6);
    } c('c');
}, { $s => "int x;\n" }, { $s => "\n/* x */\n" },
   { $l => "/*\n" . " * x\n" x 6 . " */\n" }, { 't/sim/main.c' => "int x;\n" });

rule('each header of shared/ says what it is',
    sub { grep { $text{$_} !~ m{\A/\*} } shared('h') },
    { $h => "#ifndef X\n#define X\n#endif\n" });

rule('no file over 500 lines', sub {
    map {
        my $n = $text{$_} =~ tr/\n//;

        $n > 500 ? "$_: $n" : ();
    } grep { !m{^t/unit/} } c();
}, { $s => "int x;\n" x 501 });

rule('no function over 60 lines', sub {
    functions(sub (@lines) { @lines > 62 }, grep { !m{^t/unit/} } c('c'));
}, [$m, "void\nx(void)\n{\n" . "    y();\n" x 61 . "}\n"]);

rule('nothing nested deeper than 3', sub {
    functions(sub (@lines) {
        scalar grep { /^ {16,}(?:if|for|while|switch|do)\b/ } @lines;
    }, grep { !m{^t/} } c('c'));
}, [$l, "void\nx(void)\n{\n" . join('', map { ' ' x 4 x $_ . "if (x) {\n" }
    1 .. 4) . "}\n"]);

rule('a function\'s type stands on a line of its own, its { too', sub {
    lines_like(qr/^(?:static |const |unsigned )*\w+[ \*]+\w+\([^;]*\)\s*\{/,
        c());
}, map { [$s, $_] } "static int x(void) {\n", "char *x(int y) { y++; }\n");

rule('goto runs to errN and nowhere else',
    sub { lines_like(qr/^\s*goto (?!err\d+;)/, c()) },
    map { [$l, "    goto $_;\n"] } qw(again err));

my @never = qw(printf fprintf puts perror syslog exit _exit abort assert);
my $never = join '|', @never;

rule('shared/ prints nothing, exits never',
    sub { lines_like(qr/\b(?:$never)\s*\(/, shared('c')) },
    map { [$s, "    $_(x);\n"] } @never);

# Whatever begins a change of control tells the audit log of it, by itself or by
# a function of its file; but for marks that are no admin's change.
my %unaudited = map { $_ => 1 } qw(write_identity put_id set_mark
    aigw_store_import_begin aigw_store_import_abort);

rule('what changes control stands in the audit log', sub {
    map {
        my $file = $_;
        my %body = code($file) =~ /^(\w+)\([^;{}]*\)\n\{\n(.*?)^\}/gms;
        my $tells = 'aigw_store_audit\w*\(|AIGW_CONTROL_AUDIT';

        # a function that tells by another one, and so on
        for (1 .. 3) {
            $tells = join '|', $tells, map { "\\b$_\\(" }
                grep { $body{$_} =~ /$tells/ } sort keys %body;
        }

        map { "$file: $_" } grep {
            $body{$_} =~ /aigw_db_write\((?!\S*usage)/ && !$unaudited{$_}
                && $body{$_} !~ /$tells/
        } sort keys %body;
    } shared('c');
}, map { ['shared/aigw_store_set.c', "\n\nvoid\nx(void)\n{\n    $_\n}\n"] }
    'aigw_db_write(store->control, &txn);', 'aigw_db_write(db, &txn); y(1);');

rule('no memcmp of secrets', sub {
    lines_like(qr/\bmemcmp\s*\([^;]*(?:hash|secret|master|digest)/, module(),
        in(qr{^shared/aigw_(?:key|password|seal)}));
}, map { [$_, "    memcmp(a->hash, b, 32);\n"] } $m, 'shared/aigw_key.c',
    'shared/aigw_seal.c');


# --- scripts ---

rule('Perl: no tabs, no line over 80 columns',
    sub { lines(sub { /\t/ || length > 80 }, in(qr/\.(?:t|pm)$/)) },
    ['t/docs.t', "\tx;\n"], ['t/lib/AIGW.pm', '# ' . 'x' x 79 . "\n"]);

done_testing();

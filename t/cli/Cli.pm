# What the tests of the command line share: run it, read its JSON, seed rows.
# Core modules only. AIGW_CLI is the binary (build/aigw), AIGW_LIB the library
# beside it.

package Cli;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Handle ();
use IPC::Open2 qw(open2);
use JSON::PP ();

our @EXPORT = qw(aigw json fails new_store seed fly slurp spew dir
    break_program login_program);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $cli = abs_path($ENV{AIGW_CLI} || "$root/build/aigw") // '';
my $dir = tempdir('aigw-cli-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @live;

die "no aigw: make cli, or say where in AIGW_CLI\n" unless -x $cli;

my $lib = $ENV{AIGW_LIB} || dirname($cli) . '/libaigw.a';

delete $ENV{AIGW_STORE};
$ENV{TZ} = 'UTC';
$ENV{LC_ALL} = 'C.UTF-8';

mkdir "$dir/bin" or die $!;
symlink $cli, "$dir/bin/aigw" or die $!;
$ENV{PATH} = "$dir/bin:$ENV{PATH}";

sub dir { return $dir }

sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!";
    local $/;
    return <$fh> // '';
}

sub spew {
    my ($path, $text) = @_;

    open my $fh, '>:raw', $path or die "$path: $!";
    print $fh $text;
    close $fh or die $!;
    return $path;
}

# Runs aigw with these arguments; a hash in front may say stdin, stdout (a
# path), shell (a line for sh instead), uid, and seconds (^C after so many).
sub aigw {
    my %how = ref $_[0] ? %{ shift() } : ();
    my @argv = @_;
    my $stdin = spew("$dir/stdin", $how{stdin} // '');
    my $stdout = $how{stdout} // "$dir/stdout";
    my $binary = $cli;

    # Another user may not be let into the checkout.
    if (defined $how{uid}) {
        $binary = "$dir/aigw";
        copy($cli, $binary) or die "copy: $!";
        chmod 0755, $binary;
    }

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', $stdin or die $!;
        open STDOUT, '>', $stdout or die $!;
        open STDERR, '>', "$dir/stderr" or die $!;

        if (defined $how{uid}) {
            $( = $) = "$how{uid} $how{uid}";
            $< = $> = $how{uid};
        }

        my @run = $how{shell} ? ('/bin/sh', '-c', $how{shell})
            : ($binary, @argv);

        unshift @run, qw(timeout --preserve-status --foreground -s INT),
            $how{seconds} if $how{seconds};
        exec @run or die "exec: $!";
    }

    waitpid $pid, 0;

    return {
        exit => $? & 127 ? 128 + ($? & 127) : $? >> 8,
        out  => $how{stdout} ? '' : slurp("$dir/stdout"),
        err  => slurp("$dir/stderr"),
    };
}

# The answer of a command that must succeed, decoded.
sub json {
    my %how = ref $_[0] ? %{ shift() } : ();
    my $r = aigw(\%how, @_, '--json');

    die "aigw @_: exit $r->{exit}: $r->{err}" if $r->{exit} != 0;
    return JSON::PP->new->utf8->decode($r->{out});
}

# The error object of a command that must fail with this exit code.
sub fails {
    my ($exit, @argv) = @_;
    my %how = ref $argv[0] ? %{ shift @argv } : ();
    my $r = aigw(\%how, @argv, '--json');
    my $e = eval { JSON::PP->new->utf8->decode($r->{err})->{error} };

    Test::More::is($r->{exit}, $exit, "exit $exit: @argv")
        or Test::More::diag("stdout: $r->{out}\nstderr: $r->{err}");
    Test::More::is($r->{out}, '', "... nothing on stdout");
    Test::More::ok($e && $e->{code} && $e->{message} && exists $e->{hint},
        "... one error object on stderr") or Test::More::diag($r->{err});

    return $e;
}

my $stores = 0;

# A new store, which AIGW_STORE names from then on.
sub new_store {
    my $path = "$dir/store" . ++$stores;
    my $r = aigw('store', 'init', $path);

    die "store init: exit $r->{exit}: $r->{err}" if $r->{exit} != 0;
    $ENV{AIGW_STORE} = $path;
    return $path;
}

# The path of t/cli/seed.c's program; see there for the order in a row.
sub seed_program {
    return -x "$dir/seed" ? "$dir/seed" : program('seed');
}

# The path of the program of a .c beside this.
sub program {
    my ($name) = @_;

    system($ENV{CC} || 'cc', '-std=c11', '-D_GNU_SOURCE', "-I$root/shared",
        '-o', "$dir/$name", "$root/t/cli/$name.c", $lib, '-llmdb', '-lcrypto',
        '-lpthread') == 0 or die "cannot compile $name.c";

    return "$dir/$name";
}

sub break_program { return program('break') }

# See there.
sub login_program { return program('login') }

# Where the store's live segment is, to be removed at the end.
sub remember_live {
    my $live = json('store', 'stats')->{live_path};

    push @live, $live if defined $live;
    return;
}

# Rows into 'ledger' or 'journal'.
sub seed {
    my ($where, @rows) = @_;

    open my $fh, '|-', seed_program(), $ENV{AIGW_STORE}, $where or die $!;
    print $fh join(' ', @$_), "\n" for @rows;
    close $fh or die "seed failed: $?";
    remember_live();
    return;
}

# Rows as calls in flight; returns what makes their worker die.
sub fly {
    my @rows = @_;
    my $pid = open2(my $out, my $in, seed_program(), $ENV{AIGW_STORE},
        'flight');

    print $in join(' ', @$_), "\n" for @rows;
    print $in ".\n";
    $in->flush;
    <$out> // die 'no flight';
    remember_live();

    return sub {
        close $in;
        waitpid $pid, 0;
    };
}

END { remove_tree(@live) if @live }

1;

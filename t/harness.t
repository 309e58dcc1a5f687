# The harness's own checks must be able to fail: each gets a fault planted and
# has to find it. Show line 6 rests on the last of them.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use AIGW;

my $t = AIGW->new;
my $key = $t->project('alice');
my $r = $t->chat($key);

is($r->status, 200, 'a call');
ok($t->row($r)->{id}, 'its row');


# A check with a fault planted: finds it, and nothing once it is gone.
sub finds ($name, $check, $re, $plant, $remove) {
    is_deeply([$check->($t)], [], "$name: nothing so far");
    $plant->();

    my @faults = $check->($t);

    like($faults[0] // '', $re, "$name: found");
    $remove->();
    is_deeply([$check->($t)], [], "$name: and gone");
}


sub append ($path, $text) {
    open my $fh, '>>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh;
}


# Plants bytes in a file for the time of a check.
sub planted ($name, $path, $bytes, $check = \&AIGW::Check::secrets) {
    my $old = -e $path ? AIGW::slurp($path) : undef;

    finds($name, $check, qr/\Q$path\E/, sub { append($path, $bytes) }, sub {
        defined $old ? truncate $path, length $old : unlink $path;
    });
}

my %secret = %{ $t->{secrets} };

is(scalar(grep { /client key/ } keys %secret), 1, 'the client key is known');
is(length $secret{'the master key'}, 32, 'the master key is known');

planted('the client key in access.log', "$t->{dir}/access.log", "x $key\n");
planted('the upstream\'s key in a temp file', "$t->{dir}/temp/body/0000000001",
    "a" x 10_000 . $secret{'the upstream\'s key'});
planted('the master key in the live segment', "$t->{live}/planted",
    $secret{'the master key'});
planted('the master key in hex in a core', "$t->{dir}/core",
    $secret{'the master key in hex'});
planted('the client key behind the store\'s data',
    "$t->{dir}/store/planted", $key);

finds('the client key in an output', \&AIGW::Check::secrets,
    qr/output of aigw has client key/, sub { $t->{transcript} .= $key },
    sub { substr($t->{transcript}, -length $key) = '' });

{
    my $p;

    finds('the client key on a command line', \&AIGW::Check::argv,
        qr/cmdline has client key/, sub {
            $p = AIGW::Process->start(['/bin/sh', '-c', "sleep 9; : $key"]);
            push @{ $t->{more} }, $p;
            $t->{sim}{real} = $t->{sim}{process};
            $t->{sim}{process} = $p;
            select undef, undef, undef, 0.1;
        }, sub {
            $t->{sim}{process} = $t->{sim}{real};
            kill 'KILL', $p->pid, $p->children;
            $p->wait;
        });
}

finds('an alert', \&AIGW::Check::logs, qr/\[alert\]/,
    sub { append("$t->{dir}/error.log", "2026/01/01 [alert] 1#1: x\n") },
    sub { truncate "$t->{dir}/error.log", 0 });
finds('a sanitizer', \&AIGW::Check::logs, qr/Sanitizer/,
    sub { append("$t->{dir}/nginx.stderr", "==1==ERROR: AddressSanitizer\n") },
    sub { truncate "$t->{dir}/nginx.stderr", 0 });

finds('a row that nobody asked for', \&AIGW::Check::rows,
    qr/1 rows have no answer/, sub { pop @{ $t->{answers} } },
    sub { push @{ $t->{answers} }, $r });

my $ghost = bless { %$r, headers => { 'x-request-id' => 'f' x 32 } },
    'AIGW::Response';

finds('an answer without a row', \&AIGW::Check::rows, qr/no row f{32}/,
    sub { push @{ $t->{answers} }, $ghost }, sub { pop @{ $t->{answers} } });
finds('an id twice', \&AIGW::Check::rows, qr/x-request-id/,
    sub { push @{ $t->{answers} }, $r }, sub { pop @{ $t->{answers} } });

{
    my @rows = $t->rows;

    finds('a row less than the sums have', sub { AIGW::Check::sums($t, @rows) },
        qr/usage show/, sub { pop @rows }, sub { @rows = $t->rows });
}

{
    # slots of 64 bytes (aigw_live_internal.h): tag at 0, held at 48
    my $counters = AIGW::slurp("$t->{live}/counters");
    my ($slot) = grep { substr($counters, 77824 + 64 * $_, 8) ne "\0" x 8 }
        0 .. 131071;
    my $hold = sub ($nano) {
        open my $fh, '+<:raw', "$t->{live}/counters" or die "counters: $!\n";
        sysseek $fh, 77824 + 64 * $slot + 48, 0;
        syswrite $fh, pack 'q<', $nano;
    };

    finds('a stray hold', \&AIGW::Check::verify, qr/finding=live_held/,
        sub { $hold->(5) }, sub { $hold->(0) });
}

is(AIGW::Check::nano('12.5'), 12_500_000_000, 'amounts are integers');
is(AIGW::Check::nano('0.000000001'), 1, 'down to a nano-unit');
is(eval { AIGW::Check::nano('1e3') }, undef, 'and nothing else');

$t->finish;

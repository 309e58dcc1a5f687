# What an admin can get wrong around a store: modes that shut the workers out,
# a live directory that is a link, somebody else's or on a disk, a store or its
# key gone at a reload. One line that says what to do; clients get 503 in JSON
# or are served on, and all is well after the repair, without a restart.
# Threats L08, S14.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

plan skip_all => 'needs root: workers of another user' if $> != 0;

my $t = AIGW->new(workers => 2);
my $d = $t->dir;
my $key = $t->project('alice');
my $master = $t->{nginx}->pid;
my $served = 0;


# Lines of error.log since the last call.
sub lines () {
    state $seen = 0;
    my $log = AIGW::slurp("$d/error.log");
    my @lines = split /\n/, substr $log, $seen;

    $seen = length $log;

    return @lines;
}


# A connection that the harness does not count: without a live directory a
# refusal has no row.
sub call () {
    my $c = AIGW::HTTP->new($t->port);
    my $r = $c->ask(key => $key, json => AIGW::chat_body())->response;

    $c->close;
    $served += $r->status == 200;

    return $r;
}


# Calls until ten in a row are answered so; the last answer.
sub until_all ($name, $status) {
    my $deadline = time + 5;
    my ($row, $r) = (0);

    while ($row < 10 && time < $deadline) {
        $r = call();
        $row = $r->status == $status ? $row + 1 : 0;
        sleep 0.02;
    }

    is($row, 10, "$name: all are $status");

    return $r;
}


sub refused ($name) {
    my $r = until_all($name, 503);
    my $count = $t->sim->count;

    is($r->code, 'gateway_unavailable', "$name: the code");
    is($r->header('content-type'), 'application/json', "$name: JSON");
    like($r->header('retry-after') // '', qr/^[1-9]\d*$/, "$name: Retry-After");
    call() for 1 .. 5;
    is($t->sim->count, $count, "$name: nothing goes up");
}


# Each of the new workers says it, once, and goes on trying.
sub workers_say ($name, $re) {
    sleep 1.2;

    my @said = grep { /\[(?:error|emerg|alert|crit)\]/ } lines();

    is(scalar(grep { /ai_gateway answers 503: .*$re/ } @said), 2,
        "$name: a line of each worker") or diag(join "\n", @said);
}


# The workers of a reload begin in it.
sub shut_out ($name, $re, $break, $mend) {
    $break->();
    lines();
    $t->reload;
    refused($name);
    workers_say($name, $re);
    $mend->();
    until_all("$name, mended", 200);
    is($t->{nginx}->pid, $master, "$name: the same nginx");
}


# --- modes of the store ---

sub mode ($path, $mode) {
    my $was = (stat $path)[2] & 07777;

    return sub { chmod $mode, $path or die "$path: $!\n" },
        sub { chmod $was, $path or die "$path: $!\n" };
}


for (
    ['store', 0700, qr/store.*permission denied/i],
    ['store/control', 0700, qr/store\/control.*permission denied/],
    ['store/control/data.mdb', 0600, qr/store\/control.*permission denied/],
    ['store/control/lock.mdb', 0640, qr/store\/control.*permission denied/],
    ['store/usage', 0700, qr/store\/usage.*permission denied/],
    ['store/usage/data.mdb', 0640, qr/store\/usage.*permission denied/],
) {
    my ($path, $mode, $re) = @$_;

    shut_out(sprintf('S14 %s of mode %o', $path, $mode), $re,
        mode("$d/$path", $mode));
}

# --- the live directory, at a reload ---

$t->allow_alert(qr/\[emerg\].*ai_gateway_store: .*live segment/);


# The live directory is another thing meanwhile.
sub other_live ($name, $re, $make, $remove) {
    my $live = $t->{live};

    shut_out($name, $re, sub {
        rename $live, "$live.aside" or die "$live: $!\n";
        $make->($live);
    }, sub {
        $remove->($live);
        rename "$live.aside", $live or die "$live: $!\n";
    });
}


other_live('L08 somebody else\'s live directory', qr/live segment/, sub ($at) {
    mkdir $at, 0700 or die "$at: $!\n";
    chown 12345, 12345, $at;
}, sub ($at) { rmdir $at or die "$at: $!\n" });

other_live('L08 a link as live directory', qr/live segment/,
    sub ($at) { symlink "$at.aside", $at or die "$at: $!\n" },
    sub ($at) { unlink $at or die "$at: $!\n" });

# --- a reload that cannot be: the old configuration serves on ---

$t->allow_alert(qr/\[emerg\].*ai_gateway_store: (?:store|cannot read master)/);


sub no_reload ($name, $re) {
    my @workers = $t->workers;

    lines();
    $t->{nginx}->signal('HUP');
    sleep 0.5;

    my @said = grep { /\[emerg\]/ } lines();

    is(@said, 1, "$name: one line") or diag(join "\n", @said);
    like($said[0] // '', $re, "$name: it says what to do");
    is_deeply([$t->workers], \@workers, "$name: the old workers stay");
}


rename "$d/store/key", "$d/secret/key" or die "key: $!\n";
no_reload('a reload without the key file', qr/store\/key".*restore it/);
until_all('without the key file', 200);
rename "$d/secret/key", "$d/store/key" or die "key: $!\n";

rename "$d/store", "$d/away" or die "store: $!\n";
no_reload('a reload without a store', qr/does not exist: make it with 'aigw/);
refused('without a store');
rename "$d/away", "$d/store" or die "store: $!\n";
until_all('with it', 200);
$t->reload;
until_all('and after a reload', 200);

# --- no tmpfs: it does not start ---

SKIP: {
    my $file_system = qx(stat -f -c %T $d) =~ s/\s//gr;

    skip 'no disk below the tests', 4 if $file_system eq 'tmpfs'
        || system('unshare -m true 2>&1') != 0;

    mkdir "$d/disk" or die "disk: $!\n";
    is($t->stop, 0, 'nginx ends');

    my $p = AIGW::Process->start(['unshare', '-m', 'sh', '-c',
        "mount --bind $d/disk /dev/shm && mount --bind $d/disk /run && exec"
        . " $AIGW::nginx -p $d -e $d/second.log -c $d/nginx.conf"],
        stderr => "$d/said");

    is(($p->wait // 0) >> 8, 1, 'no tmpfs: nginx ends');
    like(AIGW::slurp("$d/said"),
        qr/\A.*not on a tmpfs.*: mount a tmpfs at.*\n\z/,
        'one line, which says what to do');
    $t->start;
    until_all('with a tmpfs', 200);
}

my @rows = grep { defined $_->{settled} } $t->wait_rows($served);

is(@rows, $served, 'each call that was served has its row');
is($t->sim->count, $served, 'and nothing else went up');
is_deeply([AIGW::Check::sums($t, @rows)], [], 'sums');
is($t->stop, 0, 'nginx ends');
is_deeply([AIGW::Check::logs($t), AIGW::Check::secrets($t)], [],
    'logs and secrets');
$t->clean;
done_testing();

# 200 reloads and 5 binary upgrades under 50 streams: no stream is cut, no row
# is missing or doubled, nothing old stays. Then worker_processes 1, 4 and 1,
# and workers killed 200 times, which leaves no reader's slot taken. Show 4;
# threats L02, L04, L06, L08, L09. TEST_RELOADS,
# TEST_UPGRADES, TEST_KILLS: as many as that.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

use constant { STREAMS => 50, TOKENS => 10 };

my $reloads = $ENV{TEST_RELOADS} // 200;
my $upgrades = $ENV{TEST_UPGRADES} // 5;
my $kills = $ENV{TEST_KILLS} // 200;
my $t = AIGW->new(workers => 2, start => 0, sim => ['--tokens', TOKENS,
    '--delay-ms', 100]);
my $d = $t->dir;
my $key = $t->project('alice');
my $owner = $$;
my (@running, @done, @broken);


# Streams for ever: each that ends is looked at and followed by another, if
# more is wanted.
sub drive ($seconds, $more = 1) {
    my $until = time + $seconds;

    do {
        for my $c (@running) {
            $c->step(time + 0.0005);
            push @done, $c if ($c->{r}{ended} // '') eq 'chunked';
            push @broken, $c if ($c->{r}{ended} // 'timeout')
                !~ /timeout|chunked/;
        }

        @running = grep { ($_->{r}{ended} // 'timeout') eq 'timeout' }
            @running;
        delete $_->{r}{ended} for @running;
        push @running, $t->stream($key) while $more && @running < STREAMS;
    } while (time < $until && @running);
}


sub masters () {
    return grep { AIGW::slurp("/proc/$_/cmdline") =~ /^nginx: master.*\Q$d\E/s }
        map { m{(\d+)} } glob '/proc/[0-9]*';
}


sub workers_of ($pid) {
    return scalar(@{ [AIGW::Process::children_of($pid)] });
}


sub master () {
    return AIGW::slurp("$d/nginx.pid") =~ s/\s//gr;
}


# A master that is no child of ours: the binary of any other is not changed.
sub start_daemon () {
    $t->configure;

    my $conf = AIGW::slurp("$d/nginx.conf") =~ s/daemon off;//r;

    open my $fh, '>', "$d/nginx.conf" or die "nginx.conf: $!\n";
    print $fh $conf;
    close $fh;
    system($AIGW::nginx, '-p', $d, '-e', "$d/error.log", '-c',
        "$d/nginx.conf") == 0 or die "nginx does not start\n";

    my $deadline = time + 5;

    sleep 0.01 while master() eq '' && time < $deadline;
}


END {
    kill 'KILL', map { ($_, AIGW::Process::children_of($_)) } masters()
        if $$ == $owner;
}


# Drives until that is so.
sub drive_until ($what, $is) {
    my $deadline = time + 10;

    until ($is->()) {
        die "$what: not in time\n" if time > $deadline;
        drive(0.05);
    }
}


# USR2, WINCH, QUIT, once the master before this one is gone: the new pid.
sub upgrade () {
    my $old = master();

    drive_until('the end of the last master', sub { masters() == 1 });
    kill 'USR2', $old;
    drive_until('a new master', sub {
        master() ne '' && master() ne $old
            && workers_of(master());
    });
    kill 'WINCH', $old;
    drive(0.2);
    kill 'QUIT', $old;

    return master();
}


start_daemon();
drive(0.5);
is(@running, STREAMS, 'the streams run');

my $every = int($reloads / ($upgrades + 1)) || 1;
my @pids = (master());

for my $n (1 .. $reloads) {
    kill 'HUP', master();
    drive(0.04);

    if ($n % $every == 0 && @pids <= $upgrades) {
        push @pids, upgrade();
    }
}

is(scalar(keys %{ { map { $_ => 1 } @pids } }), $upgrades + 1,
    "$upgrades binary upgrades");

drive(20, 0);
is(@running, 0, 'all streams end');
is(@broken, 0, "L02 $reloads reloads: no stream is cut");
cmp_ok(@done, '>=', STREAMS, scalar(@done) . ' streams were read');

my @cut = grep { $_->{r}{body} !~ /\ndata: \[DONE\]\n\n\z/
    || (() = $_->{r}{body} =~ /"content":"\w/g) != TOKENS } @done;

is(@cut, 0, 'each has all its words and its end');
$_->close for @done, @running;

my @rows = $t->wait_rows(scalar @done);

is(@rows, @done, 'a row for each');
is(scalar(keys %{ { map { $_->{id} => 1 } @rows } }), @rows, 'none twice');
is(scalar(grep { $_->{settled} ne 'exact' } @rows), 0, 'each is exact');

# old workers and masters go
my $deadline = time + 5;

sleep 0.1 while (masters() > 1 || workers_of(master()) > 2)
    && time < $deadline;
is_deeply([masters()], [master()], 'L06 one master is left');
is(workers_of(master()), 2, 'L04 and its workers');

my $stats = $t->json('store', 'stats');

# a worker, its flusher; the command line
cmp_ok($stats->{control_readers}, '<=', 5, 'L04 readers of control')
    or diag(explain($stats));

# from here on as every test has it
kill 'QUIT', master();
ok(AIGW::Process::gone(5, @pids), 'nginx ends');
$t->configure;
$t->start;

# --- worker_processes 1, 4, 1 ---

for my $n (1, 4, 1) {
    my @old = $t->workers;

    $t->{workers} = $n;
    $t->configure;
    $t->reload;
    ok(AIGW::Process::gone(5, @old), "L08 $n workers: the old ones go");
    is($t->request(path => '/v1/models', key => $key)->status, 200,
        "L08 $n workers");
}

# --- kills ---

$t->allow_alert(qr/worker process \d+ exited on signal 9/);
$t->sim->set(delay_ms => 0);

for my $n (1 .. $kills) {
    my ($worker) = $t->wait_workers(1);

    $t->request(path => '/v1/models', key => $key) if $n % 20 == 0;
    kill 'KILL', $worker;
    AIGW::Process::gone(5, $worker);
}

$t->wait_workers(1);
is($t->chat($key)->status, 200, "L09 $kills kills: served");

$deadline = time + 8;
do {
    $stats = $t->json('store', 'stats');
    sleep 0.2;
} while ($stats->{control_readers} > 4 && time < $deadline);

cmp_ok($stats->{control_readers}, '<=', 4, 'L09 no reader stays in control');
cmp_ok($stats->{usage_readers}, '<=', 4, 'L09 nor in usage')
    or diag(explain($stats));

$t->finish;

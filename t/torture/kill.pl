# kill -9 under load: of workers and flushers, of workers that an older generation
# has left behind, of everything at once with fewer workers after it. Each time:
# no answer without a row, no row twice, 1 s later nothing is held, and what is
# spent is the sum of the rows. Show 2 of the ledger; threats S01, L09.
#
# From the environment: WORKER_KILLS (2000), ALL_KILLS (200), EVIDENCE (a file
# that gets the figures; 0: none). t/life/kill.t runs it small.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

use AIGW;
use AIGW::Load;

my $worker_kills = $ENV{WORKER_KILLS} // 2000;
my $all_kills = $ENV{ALL_KILLS} // 200;
my $evidence = $ENV{EVIDENCE} // "$AIGW::root/t/evidence/kill-"
    . strftime('%Y-%m-%d', localtime) . '.txt';
my $round = 20;                     # kills of workers on one set of books
my $clients = 16;
my %total;

my $t = AIGW->new(workers => 2, sim => [qw(--tokens 4 --delay-ms 5)]);
my $stream = JSON::PP::encode_json(AIGW::chat_body(stream => JSON::PP::true));

$t->allow_alert(qr{(?:worker|unknown) process \d+ exited on signal 9});


# Calls that go on until stop_load(), on a project of their own: [load, name,
# key, requests that the upstream had seen].
sub start_load () {
    my $name = 'p' . ++$total{projects};
    my $key = $t->project($name, '--quota', 1_000_000);
    my $load = AIGW::Load->start($t, key => $key, body => $stream, obey => 1,
        ids => 1, connections => $clients, requests => 100_000);

    return [$load, $name, $key, $t->sim->count];
}


# Its clients stop after the call in hand: what it has spent is what it may.
sub stop_load ($l) {
    my ($load, $name, $key, $before) = @$l;

    $t->run('project', 'set', $name, '--quota', '0.000000001');

    my $report = $load->report(30);

    is($report->{stopped}, $clients, "$name: the clients end");
    is_deeply([sort keys %{ $report->{status} }], [200, 429],
        'no answer but whole ones, and the last') or diag(explain($report));

    return check($name, $before, $report, $load->ids);
}


# What must hold 1 s after whatever happened: no fault but these.
sub check ($name, $before, $report, @answers) {
    my @rows;

    # where nobody flushes the command line settles what is left: not here
    sleep 0.3;

    my @faults = AIGW::Load::books($t, $name, \@rows);
    my %rows = map { $_->{id} => $_ } @rows;
    my @sent = grep { $_->{attempts} } @rows;
    my $up = $t->sim->count - $before;
    my @lost = grep { !$rows{$_} } @answers;
    my @other = grep {
        $rows{$_} && $rows{$_}{settled} ne 'exact'
    } @answers;

    push @faults, scalar(@lost) . ' answers without a row' if @lost;
    push @faults, scalar(@other) . ' whole answers whose rows are not exact'
        if @other;
    push @faults, scalar(@sent) . " rows of $up calls that were sent"
        if @sent < $up;

    # each client may have lost one call a kill before it was sent
    push @faults, scalar(@sent) . ' rows of ' . @answers . ' answers and '
        . "$report->{broken} cut" if @sent > @answers + $report->{broken};

    $total{answers} += @answers;
    $total{rows} += @rows;
    $total{cut} += $report->{broken};
    $total{lost} += @lost;
    $total{unknown} += grep { ($_->{settled} // '') =~ /unknown|partial/ } @rows;

    return @faults;
}


# n kills of workers under one load, one after the other.
sub kill_workers ($n) {
    my $l = start_load();

    for my $i (1 .. $n) {
        my @workers = $t->wait_workers(2);
        my $worker = $workers[$i % 2];

        sleep 0.05 + rand 0.05;
        $total{flushers} += kill 'KILL', AIGW::Process::children_of($worker)
            if $i % 3 == 0;
        sleep rand 0.1 if $i % 6 == 0;
        $total{workers} += kill 'KILL', $worker;
        AIGW::Process::gone(5, $worker) or die "$worker outlives a kill\n";
    }

    $t->wait_workers(2);
    is_deeply([stop_load($l)], [], "$n workers were killed");
}


# A worker of before a reload dies with its streams: nobody takes its place.
sub kill_old () {
    my $before = $t->sim->count;
    my $name = 'p' . ++$total{projects};
    my $key = $t->project($name, '--quota', 1_000_000);

    $t->sim->set(tokens => 1000, delay_ms => 20);

    my @streams = map { $t->stream($key) } 1 .. 8;

    $_->wait_for(qr/"content":"\w/) for @streams;

    my @old = $t->workers;

    $t->reload;
    cmp_ok($t->json('project', 'show', $name)->{held}, '>', 0,
        'old workers have calls in flight');
    $total{old} += kill 'KILL', grep { -d "/proc/$_" } @old;
    $_->response(5) for @streams;
    $_->close for @streams;
    $t->sim->set(tokens => 4, delay_ms => 5);

    is_deeply([check($name, $before, { broken => 8 })], [],
        'workers of an old generation were killed');
    $t->{answers} = [];
}


# Everything at once, under load; the next nginx has one worker or two.
sub kill_everything ($n) {
    my $l = start_load();

    for my $i (1 .. $n) {
        sleep 0.15 + rand 0.1;
        $t->kill_all;
        $total{all}++;
        $t->{workers} = $i % 2 ? 1 : 2;
        $t->configure;
        $t->start;
    }

    is_deeply([stop_load($l)], [], "everything was killed, $n times");
}


# Four workers die, one comes, and nobody calls any more.
sub kill_idle () {
    my $before = $t->sim->count;
    my $name = 'p' . ++$total{projects};
    my $key = $t->project($name, '--quota', 1_000_000);

    $t->{workers} = 4;
    $t->configure;
    $t->reload;
    $t->sim->set(tokens => 1000, delay_ms => 20);

    my @streams = map { $t->stream($key) } 1 .. 16;

    $_->wait_for(qr/"content":"\w/) for @streams;
    $t->kill_all;
    $total{all}++;
    $t->{workers} = 1;
    $t->configure;
    $t->start;
    $_->response(5) for @streams;
    $_->close for @streams;
    $t->sim->set(tokens => 4, delay_ms => 5);

    is_deeply([check($name, $before, { broken => 16 })], [],
        'all four were killed, one came');
    $t->{answers} = [];
    $t->{workers} = 2;
    $t->configure;
    $t->reload;
}


kill_old();

for (my $left = $worker_kills; $left > 0; $left -= $round) {
    kill_workers($left < $round ? $left : $round);
    kill_old() if $left % 100 == 0 || $left <= $round;
}

for (my $left = $all_kills; $left > 0; $left -= 10) {
    kill_everything($left < 10 ? $left : 10);
    kill_idle() if $left % 50 == 0 || $left <= 10;
}

cmp_ok($total{cut}, '>', 0, 'calls were cut');
cmp_ok($total{unknown}, '>', 0, 'some have a row of what was known');
is_deeply([AIGW::Load::all_books($t)], [], 'the books of all are right');
is($t->stop, 0, 'nginx ends');
$t->clean;
done_testing();

my $line = join ', ', map { "$_ " . ($total{$_} // 0) } qw(workers flushers
    old all answers rows cut unknown lost);

note($line);

if ($evidence && Test::More->builder->is_passing) {
    open my $fh, '>', $evidence or die "$evidence: $!\n";
    print $fh "# perl t/torture/kill.pl: WORKER_KILLS=$worker_kills"
        . " ALL_KILLS=$all_kills, $clients clients\n$line\n";
    close $fh;
}

1;

# The store goes while nginx runs: moved away, made unreadable, replaced by a
# restored copy. 503 in JSON with Retry-After, nothing upstream, and back
# within 5 s of the repair, without a restart. Show 4; threats A24, L08, L09.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

my $t = AIGW->new(workers => 2);
my $d = $t->dir;
my $key = $t->project('alice');
my $spare = $t->project('bob');


sub sh ($command) {
    die "$command: $?\n" if system 'sh', '-c', $command;
}


# Asks until a call is answered so: the seconds it took, undef after 5 s.
sub until_status ($status, $with = $key) {
    my $start = time;

    do {
        return time - $start if $t->chat($with)->status == $status;
        sleep 0.1;
    } while (time - $start < 5);

    return undef;
}


# A connection that the harness does not count.
sub unseen ($with = $key) {
    my $c = AIGW::HTTP->new($t->port);
    my $r = $c->ask(key => $with, json => AIGW::chat_body())->response;

    $c->close;

    return $r;
}


sub away ($name, $break, $mend) {
    my ($start, $r) = (time);

    is(unseen()->status, 200, "$name: served before");
    $break->();

    # each worker looks once a second; a call between is served or refused
    while (time - $start < 3) {
        $r = unseen();
        last if $r->status == 503 && time - $start > 1.5;
        sleep 0.05;
    }

    my $count = $t->sim->count;

    for (1 .. 10) {
        $r = unseen();
        is("$r->{status} " . $r->code, '503 gateway_unavailable',
            "$name: 503 in JSON") or diag($r->body), last;
    }

    ok($r->header('retry-after'), "$name: Retry-After");
    like($r->id, qr/^[0-9a-f]{32}$/, "$name: x-request-id");
    is($t->sim->count, $count, "$name: nothing upstream");

    $mend->();

    my $back = time;
    my $good = 0;

    while ($good < 10 && time - $back < 5) {
        $r = unseen();
        $good = $r->status == 200 ? $good + 1 : 0;
        sleep 0.05;
    }

    is($good, 10, "$name: back within 5 s");
    note(sprintf '%s: back after %.1f s', $name, time - $back);
}


my @pids = $t->workers;

away('A24 moved away', sub { rename "$d/store", "$d/away" or die },
    sub { rename "$d/away", "$d/store" or die });

if ($> == 0) {
    away('A24 chmod', sub { chmod 0700, "$d/store/control" or die },
        sub { chmod 0750, "$d/store/control" or die });
}

# a restored copy in its place: what is known from then on is the copy's
is_deeply([AIGW::Check::sums($t, $t->rows)], [],
    'what was spent is still the sum of rows');
sh("cp -a $d/store $d/copy");
$t->run('key', 'disable', (map { $_->{name} }
    @{ $t->json('key', 'list', '--project', 'bob')->{items} })[0],
    '--project', 'bob');
is($t->chat($spare)->status, 401, 'a key that was disabled after the copy');

away('A24 replaced by a copy', sub { rename "$d/store", "$d/away" or die },
    sub { rename "$d/copy", "$d/store" or die });
isnt(until_status(200, $spare), undef,
    'the key works again: the copy was made before');

is_deeply([$t->workers], \@pids, 'and no worker has died of it');

my $log = AIGW::slurp("$d/error.log");

is(scalar(() = $log =~ /answers 503: store/g) >= 2, 1, 'the log says why');
unlike($log, qr/\[(?:alert|crit|emerg)\]/, 'and nothing worse');
like($log, qr/the store is back/, 'and when it is over');

# no finish(): rows of calls since the copy went with the old store
is($t->stop, 0, 'nginx ends');
File::Path::remove_tree("$d/away");
is_deeply([AIGW::Check::logs($t), AIGW::Check::secrets($t)], [],
    'logs and secrets');
$t->clean;
done_testing();

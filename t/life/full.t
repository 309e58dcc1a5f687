# No room: the disk below the store is full or frozen, or LMDB's map is full.
# 503 in JSON, nothing upstream, one line of each worker that says why. What was
# charged stays charged, and with room again every call has its row, without a
# restart. Threats S09, S10; design I4.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::Disk;

use constant { CALLS => 5000, COST => 250_000, WORKERS => 2 };

my $mount;
my $owner = $$;


# A connection that the harness does not count.
sub call ($t, $key) {
    my $c = AIGW::HTTP->new($t->port);
    my $r = $c->ask(key => $key, json => AIGW::chat_body())->response;

    $c->close;
    sleep 0.05;

    return $r;
}


# Calls until twenty in a row are answered so, ten seconds at most: how many
# were served.
sub until_all ($t, $key, $status) {
    my $deadline = time + 10;
    my ($row, $served) = (0, 0);

    while ($row < 20 && time < $deadline) {
        my $got = call($t, $key)->status;

        $row = $got == $status ? $row + 1 : 0;
        $served += $got == 200;
    }

    is($row, 20, "all are $status");

    return $served;
}


# Many calls at once: { status => how many }.
sub burst ($t, $key, $n) {
    my $load = AIGW::Process->start(["$AIGW::build/aigw-sim", '--load',
        'http://127.0.0.1:' . $t->port . '/v1/chat/completions',
        '--connections', 8, '--requests', $n, '--key-file',
        $t->secret_file('client', $key)]);
    my $report = JSON::PP::decode_json($load->output(60) // '{}');

    $load->wait;

    return $report->{status};
}


# Calls until there is no room: how many were served.
sub fill ($t, $key) {
    is_deeply(burst($t, $key, CALLS), { 200 => CALLS },
        'there is room in memory');

    my $served = CALLS + until_all($t, $key, 503);
    my $count = $t->sim->count;
    my $r = call($t, $key);

    is($r->status . ' ' . $r->code, '503 gateway_unavailable', 'the code');
    is($r->header('content-type'), 'application/json', 'JSON');
    like($r->header('retry-after') // '', qr/^[1-9]\d*$/, 'Retry-After');
    is($t->sim->count, $count, 'nothing goes up');
    is($count, $served, 'what was served had');
    is_deeply(burst($t, $key, 1000), { 503 => 1000 }, 'a thousand at once');

    my $log = AIGW::slurp($t->dir . '/error.log');
    my @lines = $log =~ /(ai_gateway cannot write .*disk full.*)/g;

    is(@lines, WORKERS, 'a line of each worker') or diag($log);
    cmp_ok(length $log, '<', 20_000, 'refusals do not fill the log');

    is(AIGW::Check::nano($t->json('project', 'show', 'alice')->{spent}),
        $served * COST, 'what is spent is known all the while');

    my ($exit, $out, $err) = $t->cli('usage', 'show', '--json');

    like($err, qr/^warning: calls of the last moment may be missing/,
        'what is not in the store yet is told');

    # a worker may be at it just then
    my $leader = $t->json('store', 'stats')->{live_path} . '/leader';

    open my $held, '-|', 'flock', $leader, 'sh', '-c',
        'echo held; exec sleep 0.2' or die "flock: $!\n";
    is(readline $held, "held\n", 'another one drains');
    ($exit, $out, $err) = $t->cli('usage', 'show', '--json');
    like($err, qr/^warning: calls of the last moment may be missing/,
        'which is told all the same');

    return $served;
}


# With room again.
sub mended ($t, $key, $served, @workers) {
    my $start = time;

    sleep 0.1 while call($t, $key)->status != 200 && time - $start < 5;
    cmp_ok(time - $start, '<', 5, 'back within 5 s');
    $served += 1 + until_all($t, $key, 200);
    is($t->sim->count, $served, 'all of them went up');

    my $deadline = time + 1;
    my $usage;

    do {
        $usage = $t->json('usage', 'show');
    } while ($usage->{calls} != $served && time < $deadline);

    my @rows = grep { defined $_->{settled} } $t->rows;

    is(@rows, $served, 'each has its row');
    is(scalar(keys %{ { map { $_->{id} => 1 } @rows } }), $served,
        'none twice');
    is_deeply([AIGW::Check::sums($t, @rows)], [], 'sums');
    is_deeply([$t->workers], \@workers, 'by the same workers');

    # no finish(): the load's answers have no ids
    is($t->stop, 0, 'nginx ends');
    is_deeply([AIGW::Check::logs($t), AIGW::Check::secrets($t)], [],
        'logs and secrets');
}


END {
    if ($$ == $owner && defined $mount) {
        my $status = $?;

        system 'umount', '-l', $mount;
        $? = $status;
    }
}


# The store moves to a file system of a megabyte; 0 if there is none.
sub small_disk ($t) {
    my $d = $t->dir;

    rename "$d/store", "$d/was" or die "$d/store: $!\n";
    mkdir "$d/store" or die "$d/store: $!\n";

    return 0 if system("mount -t tmpfs -o size=1m none $d/store 2>&1") != 0;

    $mount = "$d/store";

    return system("cp -a $d/was/. $mount && rm -r $d/was") == 0;
}


subtest 'S10 the disk is full' => sub {
    my $t = AIGW->new(workers => WORKERS, start => 0);
    my $key = $t->project('alice', '--quota', '1000000');
    my $other = $t->project('bob');

    plan skip_all => 'nothing can be mounted here' if !small_disk($t);

    $t->configure;
    $t->start;

    my @workers = $t->workers;
    my $served = fill($t, $key);
    my ($exit, $out, $err) = $t->cli('key', 'create', '--project', 'alice',
        '--name', 'more');

    isnt($exit, 0, 'a new key has no room');
    like($err, qr/^aigw: .*\S\n/, 'and one line says so');

    # a change needs room for what the audit log says of it; nobody gets in
    # meanwhile
    my @revoke = (qw(key revoke default --project bob --yes));

    is(($t->cli(@revoke))[0], 6, 'to revoke one has none either');
    is(call($t, $other)->status, 503, 'which lets nobody in');
    system("mount -o remount,size=64m $mount") == 0 or die "remount: $?\n";
    is(($t->cli(@revoke))[0], 0, 'it is revoked as soon as there is room');
    is(call($t, $other)->status, 401, 'at once');
    mended($t, $key, $served, @workers);
    system 'umount', $mount;
    undef $mount;
    $t->clean;
};


# A library that stands before LMDB's and makes its maps as small as a file
# says: sizes of control and usage. Where it is, undef without a compiler.
sub small_maps ($t) {
    my $d = $t->dir;

    open my $fh, '>', "$d/map.c" or die "$d/map.c: $!\n";
    print $fh <<~'END';
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <lmdb.h>

        int
        mdb_env_set_mapsize(MDB_env *env, size_t size)
        {
            int (*next)(MDB_env *, size_t);
            size_t  control, usage;
            FILE   *f = fopen(getenv("MAP_SIZES"), "r");

            next = (int (*)(MDB_env *, size_t)) dlsym(RTLD_NEXT, __func__);

            if (size && fscanf(f, "%zu %zu", &control, &usage) == 2) {
                size = size > (size_t) 1 << 30 ? usage : control;
            }

            fclose(f);
            return next(env, size);
        }
        END
    close $fh;

    return system("cc -shared -fPIC -o $d/map.so $d/map.c -ldl") == 0
        ? "$d/map.so" : undef;
}


sub sizes ($t, $control, $usage) {
    open my $fh, '>', $t->dir . '/sizes' or die "sizes: $!\n";
    print $fh "$control $usage\n";
    close $fh;
}


subtest 'S09 the map is full' => sub {
    plan skip_all => 'the sanitizer stands there' if $ENV{SANITIZE};

    my $t = AIGW->new(workers => WORKERS, start => 0,
        main => 'env LD_PRELOAD; env MAP_SIZES;');
    my $key = $t->project('alice', '--quota', '1000000');
    my $library = small_maps($t);

    plan skip_all => 'no compiler' if !defined $library;

    local $ENV{LD_PRELOAD} = $library;
    local $ENV{MAP_SIZES} = $t->dir . '/sizes';

    sizes($t, 1 << 30, 1 << 20);
    $t->configure;
    $t->start;

    my @workers = $t->workers;
    my $served = fill($t, $key);

    # a command that drains, with a larger map: those of the workers follow
    sizes($t, 1 << 30, 1 << 28);
    $t->run('usage', 'show');
    mended($t, $key, $served, @workers);

    # control: only an admin writes there
    my $stats = $t->json('store', 'stats');
    my ($n, $exit, $out, $err) = (0);

    $t->start;
    sizes($t, $stats->{control_bytes} + 16384, 1 << 28);

    do {
        ($exit, $out, $err) = $t->cli('key', 'create', '--project', 'alice',
            '--name', 'k' . ++$n);
    } while ($exit == 0 && $n < 1000);

    isnt($exit, 0, "key $n has no room");
    like($err, qr/^aigw: .*no room/, 'it says so');
    is(call($t, $key)->status, 200, 'calls go on');
    sizes($t, 1 << 30, 1 << 28);
    is(($t->cli('key', 'create', '--project', 'alice', '--name', 'more'))[0],
        0, 'with a larger map there is room');
    is(call($t, $key)->status, 200, 'calls go on in it');
    is($t->stop, 0, 'nginx ends');
    $t->clean;
};


# What reads the store while it is frozen must store nothing there, or a worker
# waits for the thaw. t/torture/disk.pl does it for longer, under load.
subtest 'I5 the disk is frozen' => sub {
    my $t = AIGW->new(start => 0);
    my $key = $t->project('alice');
    my $disk = AIGW::Disk->mount($t, 16)
        // plan skip_all => 'nothing can be mounted here';

    $t->configure;
    $t->start;
    is($t->chat($key)->status, 200, 'a call');
    $disk->freeze;

    my $start = time;
    my @status = map {
        ($t->request(key => $key, method => 'GET', path => '/v1/models')
            ->status // 0, $t->chat($key, model => "m$_")->status // 0)
    } 1 .. 5;

    cmp_ok(time - $start, '<', 1, 'nobody waits');
    $disk->thaw;
    is_deeply(\@status, [(200) x 10], 'all are answered');
    is(scalar(grep { defined $_->{settled} } $t->wait_rows(6)), 6,
        'each call has its row');
    is($t->stop, 0, 'nginx ends');
    $disk->umount;
    $t->clean;
};

done_testing();

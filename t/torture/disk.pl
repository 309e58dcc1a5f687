# The disk below the store fails while clients call: frozen, too slow, full,
# LMDB's map full, the flusher stopped. Each time: no event loop is deaf for
# long, what is refused gets 503 with Retry-After, calls go on within 5 s of the
# repair, and each answer has its one row. Show 6 of the ledger; threats S06,
# S09, S10, S27. Design I4, I5.
#
# Root, a loop device and util-linux are needed; all mounts are in a namespace
# of its own. From the environment: FAULTS (names, else all), STOP_SECONDS (60),
# EVIDENCE (a file that gets the figures; 0: none).

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

BEGIN {
    if ($> == 0 && !$ENV{AIGW_DISK_NAMESPACE}) {
        local $ENV{AIGW_DISK_NAMESPACE} = 1;
        exec qw(unshare -m --propagation private), $^X, $0, @ARGV;
    }
}

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::Disk;
use AIGW::Load;
use AIGW::Probe;

use constant { WORKERS => 2, LIMIT_MS => 20, BACK_S => 5, DISK_MB => 256 };

plan skip_all => 'needs root: it mounts' if $> != 0;

my $stop_seconds = $ENV{STOP_SECONDS} // 60;
my $evidence = $ENV{EVIDENCE} // "$AIGW::root/t/evidence/disk-"
    . strftime('%Y-%m-%d', localtime) . '.txt';
my %wanted = map { $_ => 1 } split ' ', $ENV{FAULTS} // '';
my $bare_port = AIGW::free_port();
my (@report, $bare);

my $t = AIGW->new(workers => WORKERS, start => 0,
    sim => [qw(--tokens 4 --think-ms 10)],
    main => 'env LD_PRELOAD; env MAP_SIZES; env SLOW_SYNC;',
    server => 'add_header X-Pid $pid always;'
        . ' location = /probe { return 200 ""; }');
my $d = $t->dir;
my $key = $t->project('probe');
my $disk = AIGW::Disk->mount($t, DISK_MB)
    // plan skip_all => 'no loop device can be mounted';

build_shim();
start_bare();
$t->configure;
start_gateway(1 << 36);
run_faults();
is($t->stop, 0, 'nginx ends');
is_deeply([AIGW::Check::logs($t), AIGW::Check::secrets($t)], [],
    'logs and secrets');
$disk->umount;
$bare->stop('QUIT');
$t->clean;
write_report();
done_testing();


# --- what stands under it all ---

sub build_shim () {
    my @cc = ('cc', qw(-shared -fPIC -O2 -o), "$d/shim.so",
        "$AIGW::root/t/torture/shim.c", '-ldl');

    system(@cc) == 0 or die "@cc: $?\n";
    $ENV{MAP_SIZES} = "$d/sizes";
    $ENV{SLOW_SYNC} = "$d/slow";
}


sub put_file ($path, $text) {
    open my $fh, '>', "$path.new" or die "$path: $!\n";
    print $fh "$text\n";
    close $fh;
    chmod 0644, "$path.new";
    rename "$path.new", $path or die "$path: $!\n";
}


# With a map of usage of so many bytes.
sub start_gateway ($usage_bytes) {
    local $ENV{LD_PRELOAD} = "$d/shim.so";

    put_file($ENV{MAP_SIZES}, (1 << 30) . " $usage_bytes");
    $t->start;
}


# The control: what the machine makes of an nginx without our module, with the
# same load, at the same time.
sub start_bare () {
    mkdir "$d/bare" or die "$d/bare: $!\n";

    open my $fh, '>', "$d/bare/nginx.conf" or die "nginx.conf: $!\n";
    print $fh <<~"END";
        daemon off;
        worker_processes @{[ WORKERS ]};
        user www-data;
        pid $d/bare/nginx.pid;
        error_log $d/bare/error.log;
        events { }
        http {
            access_log $d/bare/access.log;
            client_body_temp_path $d/bare/body;
            proxy_temp_path $d/bare/proxy;
            fastcgi_temp_path $d/bare/fastcgi;
            uwsgi_temp_path $d/bare/uwsgi;
            scgi_temp_path $d/bare/scgi;
            keepalive_requests 1000000;
            upstream sim4s {
                server 127.0.0.1:@{[ $t->sim->port ]};
                keepalive 16;
            }
            server {
                listen 127.0.0.1:$bare_port;
                add_header X-Pid \$pid always;
                location = /probe { return 200 ""; }
                location / {
                    proxy_pass http://sim4s;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                }
            }
        }
        END
    close $fh;
    $bare = AIGW::Process->start([$AIGW::nginx, '-p', "$d/bare", '-e',
        "$d/bare/error.log", '-c', "$d/bare/nginx.conf"]);

    my $deadline = time + 10;

    while ((() = $bare->children) < WORKERS) {
        die "bare nginx does not start\n" if time > $deadline;
        sleep 0.01;
    }

    sleep 0.2;
}


# --- a fault ---

sub say_result ($line) {
    push @report, $line;
    diag($line);
}


# One call of the test's own: what came is kept.
sub call ($f) {
    my $c = AIGW::HTTP->new($t->port);
    my $r = $c->ask(key => $f->{key}, json => AIGW::chat_body())->response(30);

    $c->close;
    push @{ $f->{calls} }, { at => time, status => $r->status // 0,
        id => $r->id, code => ($r->status // 0) == 200 ? '' : $r->code,
        after => $r->header('retry-after') // '' };

    return $r->status // 0;
}


sub start_loads ($f) {
    $f->{load} = AIGW::Load->start($t, key => $f->{key}, obey => 1, ids => 1,
        connections => $f->{clients} // 8, requests => 1_000_000);
    $f->{bare} = AIGW::Process->start(["$AIGW::build/aigw-sim", '--load',
        "http://127.0.0.1:$bare_port/v1/chat/completions", '--connections', 4,
        '--requests', 10_000_000, '--key-file', $t->{subkey_file}]);
    $f->{probe} = AIGW::Probe->start("$d/probe",
        { name => 'ours', port => $t->port, path => '/probe',
            workers => WORKERS },
        { name => 'ours', port => $t->port, path => '/v1/models',
            key => $key, workers => WORKERS },
        { name => 'bare', port => $bare_port, path => '/probe',
            workers => WORKERS });
}


# Options: seconds, break, mend; refused: whether calls must be; clients.
sub fault ($name, %f) {
    return if %wanted && !$wanted{$name};

    subtest $name => sub {
        my $f = { name => $name, calls => [], project => "p-$name", %f };
        my @workers = $t->workers;

        $f->{key} = $t->project($f->{project}, '--quota', 1_000_000);
        $f->{sent} = $t->sim->count;
        start_loads($f);
        $f->{start} = time + 0.5;
        sleep 3;
        $f->{broken} = time;
        $f->{break}->($f);

        while (time < $f->{broken} + $f->{seconds}) {
            call($f);
            sleep 0.1;
        }

        $f->{mend}->($f);
        $f->{mended} = time;
        wait_back($f);
        $f->{end} = time;
        sleep 1;
        stop_loads($f);
        judge_answers($f);
        judge_stalls($f);
        judge_books($f);
        is_deeply([$t->workers], \@workers, 'by the same workers');
        say_fault($f);
    };
}


# Until twenty in a row are served.
sub wait_back ($f) {
    my $row = 0;

    while ($row < 20 && time < $f->{mended} + 2 * BACK_S) {
        $row = call($f) == 200 ? $row + 1 : 0;
        $f->{back} = time if $row == 1;
        sleep 0.02;
    }

    $f->{back} = $row == 20 ? $f->{back} - $f->{mended} : 2 * BACK_S;
    cmp_ok($f->{back}, '<', BACK_S, 'back in time');
}


# Its clients stop when they hear that the money is gone.
sub stop_loads ($f) {
    $t->run('project', 'set', $f->{project}, '--quota', '0.000000001');

    $f->{report} = $f->{load}->report(30);
    $f->{bare}->stop;
    $f->{probe}->stop;
    is_deeply([sort keys %{ $f->{report}{status} }], [200, 429],
        'no answer but whole ones, and the last')
        or diag(explain($f->{report}));
    is($f->{report}{broken}, 0, 'no connection broke');
}


sub judge_answers ($f) {
    my @calls = @{ $f->{calls} };
    my @refused = grep { $_->{status} != 200 } @calls;

    is_deeply([grep { $_->{status} != 503 || $_->{after} !~ /^[1-9]\d*$/
        || $_->{code} ne 'gateway_unavailable' } @refused], [],
        'what is refused gets 503 with Retry-After');
    cmp_ok(scalar(@refused), '>', 0, 'some are refused') if $f->{refused};
    $f->{refusals} = @refused;
    $f->{first} = @refused ? $refused[0]{at} - $f->{broken} : undef;
    $f->{first_ok} //= sub { 1 };
    ok($f->{first_ok}->($f), 'when the first is')
        or diag($f->{first} // 'never');
}


# While it lasts and until all is well again. Waiting for a processor does not
# count; what else the machine does is seen in bare nginx.
sub judge_stalls ($f) {
    my $p = $f->{probe};

    for my $name (qw(ours bare)) {
        ($f->{before}{$name}) = $p->longest($name, $f->{start}, $f->{broken});
        @{ $f->{during}{$name} } = $p->longest($name, $f->{broken}, $f->{end});
        cmp_ok($p->asked($name), '>', 1000, "$name was asked");
    }

    my $machine = $f->{during}{bare}[0];

    cmp_ok($f->{during}{ours}[0], '<=', LIMIT_MS
        + ($machine > LIMIT_MS / 4 ? $machine : 0), 'no event loop is deaf');
}


# Every answer of 200 has its one row, and nothing else has gone up.
sub judge_books ($f) {
    my (@rows, @faults);
    my @ids = ($f->{load}->ids,
        map { $_->{id} } grep { $_->{status} == 200 } @{ $f->{calls} });

    @faults = AIGW::Load::books($t, $f->{project}, \@rows);

    my %rows = map { $_->{id} => $_ } @rows;
    my @sent = grep { $_->{attempts} } @rows;
    my @lost = grep { !$rows{$_} } @ids;

    push @faults, scalar(@lost) . ' answers without a row' if @lost;
    push @faults, scalar(@sent) . ' rows for ' . @ids . ' answers'
        if @sent != @ids;
    push @faults, map { "$_->{id} is $_->{settled}" }
        grep { $_->{settled} ne 'exact' } @sent;
    push @faults, AIGW::Check::verify($t);
    is_deeply(\@faults, [], 'each answer has its row, once; verify is content')
        or diag(scalar(@rows) . ' rows');
    cmp_ok(scalar(@ids), '>', 500, 'there were answers');
    $f->{answers} = @ids;
}


sub say_fault ($f) {
    say_result(sprintf '%s: %.0f s, %d answers, refused with Retry-After %d'
        . ' (first after %s), back %.1f s after the repair; event loop deaf'
        . ' for at most %.1f ms (%.1f as seen on a busy machine; bare nginx'
        . ' meanwhile %.1f and %.1f; before the fault ours %.1f, bare %.1f)',
        $f->{name}, $f->{mended} - $f->{broken}, $f->{answers},
        $f->{refusals} + $f->{report}{again},
        defined $f->{first} ? sprintf('%.1f s', $f->{first}) : '-',
        $f->{back}, @{ $f->{during}{ours} }, @{ $f->{during}{bare} },
        $f->{before}{ours}, $f->{before}{bare});
}


# --- the faults ---

# Who has locked the file that makes it leader.
sub leader () {
    my $inode = (stat "$t->{live}/leader")[1];

    return AIGW::slurp('/proc/locks')
        =~ /FLOCK +ADVISORY +WRITE (\d+) \S+:$inode / ? $1 : 0;
}


sub is_late ($f) {
    return defined $f->{first} && $f->{first} > 4.5 && $f->{first} < 8;
}


sub run_faults () {
    fault('frozen', seconds => 12, refused => 1,
        break => sub ($f) { $disk->freeze }, mend => sub ($f) { $disk->thaw },
        first_ok => \&is_late);

    # so many calls that the journals fill before a record is 5 s old
    fault('journal-full', seconds => 8, refused => 1, clients => 64,
        break => sub ($f) {
            $t->sim->set(think_ms => 0);
            $disk->freeze;
        },
        mend => sub ($f) {
            $disk->thaw;
            $t->sim->set(think_ms => 10);
        },
        first_ok => sub ($f) { $f->{first} < 4.5 });

    fault('slow-sync', seconds => 20, refused => 1,
        break => sub ($f) { put_file($ENV{SLOW_SYNC}, 5000) },
        mend => sub ($f) { unlink $ENV{SLOW_SYNC} });

    fault('disk-full', seconds => 12, refused => 1,
        break => sub ($f) { $disk->fill }, mend => sub ($f) { $disk->empty });

    stopped_flusher();
    full_map();
}


# While it holds the write transaction: in the midst of a sync.
sub stop_flusher ($f) {
    put_file($ENV{SLOW_SYNC}, 5000);
    sleep 0.5;
    $f->{flusher} = leader();
    kill 'STOP', $f->{flusher};
    unlink $ENV{SLOW_SYNC};
}


sub stopped_flusher () {
    my $leader = leader();

    die "nobody flushes beside the workers\n"
        if !$leader || grep { $_ == $leader } $t->workers;
    fault('flusher-stopped', seconds => $stop_seconds, refused => 1,
        break => \&stop_flusher,
        mend => sub ($f) { kill 'CONT', $f->{flusher} },
        first_ok => \&is_late);
}


# A command grows it: those of the workers follow.
sub full_map () {
    return if %wanted && !$wanted{'map-full'};

    my $size = (stat "$d/store/usage/data.mdb")[7];

    is($t->stop, 0, 'nginx ends');
    start_gateway($size + (1 << 20));
    fault('map-full', seconds => 12, refused => 1, break => sub ($f) { },
        mend => sub ($f) {
            put_file($ENV{MAP_SIZES}, (1 << 30) . ' ' . (1 << 36));
            $t->run('usage', 'show');
        });
}


sub write_report () {
    my $failed = grep { !$_ } Test::More->builder->summary;
    my ($version) = qx($AIGW::nginx -v 2>&1) =~ m{(nginx/\S+)};
    my ($cpu) = AIGW::slurp('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;

    return if !$evidence;

    open my $fh, '>', $evidence or die "$evidence: $!\n";
    print $fh 't/torture/disk.pl, ' . strftime('%Y-%m-%d', localtime)
        . ", $version, " . WORKERS . ' workers, Linux ' . (POSIX::uname())[2]
        . ", $cpu, " . (() = glob '/sys/devices/system/cpu/cpu[0-9]*')
        . " cores, shared\n", map({ "$_\n" } @report),
        $failed ? "$failed checks failed\n" : "all checks passed\n";
    close $fh;
}

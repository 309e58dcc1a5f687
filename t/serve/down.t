# The sidecar down, stopped, slow, started twice or without a store: calls and
# their ledger do not notice, /admin/ says so in JSON, and it is back as soon as
# it is started. Threats L10, S02, M25; Show 6. STOP_SECONDS: how long it is
# stopped (t/torture/serve.pl takes a minute).

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::Load;
use AIGW::Serve;

my $stop_seconds = $ENV{STOP_SECONDS} // 3;
my $t = AIGW->new(start => 0, workers => 2,
    sim => [qw(--tokens 4 --delay-ms 10)]);
my $s = AIGW::Serve->new($t);
my $admin = $s->admin;
my $key = $t->project('alice', '--quota', 1_000_000);
$t->run('project', 'create', 'bob');

my $stream = JSON::PP::encode_json(AIGW::chat_body(stream => JSON::PP::true));
my $store = "$t->{dir}/store";

# until somebody has made it anew, and for whom
$t->allow_alert(qr/\[crit\].*admin\.sock failed \((?:2: No such|13: Perm)/);

sub ask ($method, $path, %more) {
    return $s->call($method, "/admin/api$path", token => $admin, %more);
}

# An answer of nginx's while nobody is there.
sub is_down ($name) {
    my $from = time;
    my $r = ask('GET', '/me');

    is($r->status, 503, "$name: 503");
    is($r->code, 'unreachable', "$name: in JSON")
        or diag(substr $r->body, 0, 200);
    like($r->header('Content-Type') // '', qr{\Aapplication/json},
        "$name: which says so");
    like($r->header('Retry-After') // '', qr/\A[1-9]\d*\z/,
        "$name: and when to try again");
    cmp_ok(time - $from, '<', 1, "$name: at once");
}

sub is_up ($name) {
    my $from = time;
    my $r = ask('GET', '/me');

    is($r->status, 200, "$name: it answers");
    cmp_ok(time - $from, '<', 1, "$name: at once");
}


# --- calls that go on, whatever happens beside them ---

my ($load, $before);

sub start_load () {
    $before = $t->sim->count;
    $load = AIGW::Load->start($t, key => $key, body => $stream, ids => 1,
        obey => 1, connections => 4, requests => 1_000_000);
}

# All that it got was right, and has its row.
sub stop_load ($name) {
    $t->run('project', 'set', 'alice', '--quota', '0.000000001');

    my $report = $load->report(30);
    my @other = grep { $_ ne 200 && $_ ne 429 }
        keys %{ $report->{status} // { none => 1 } };

    is("@other", '', "$name: no call failed") or diag(explain($report));
    is($report->{broken}, 0, "$name: none was cut");

    my @rows;

    is_deeply([AIGW::Load::books($t, 'alice', \@rows)], [], "$name: the books");

    my %rows = map { $_->{id} => $_ } @rows;
    my @ids = $load->ids;

    cmp_ok(scalar @ids, '>', 50, "$name: calls went through: " . @ids);
    is(scalar(grep { !$rows{$_} } @ids), 0, "$name: each has its row");
    is($t->sim->count - $before, scalar(grep { $_->{attempts} > 0 } @rows)
        - $t->{counted}, "$name: and was sent once");
    $t->{counted} = grep { $_->{attempts} > 0 } @rows;
    $t->run('project', 'set', 'alice', '--quota', 1_000_000);
}

$t->{counted} = 0;


# --- killed in the middle of writing ---

# A child that makes users and deletes them until it is stopped, and notes the
# names of those that it was told of.
sub start_writer ($n) {
    my $file = "$t->{dir}/secret/writer.$n";
    my $pid = fork // die "fork: $!\n";

    return ($pid, $file) if $pid;

    my ($stop, $i) = (0, 0);

    local $SIG{TERM} = sub { $stop = 1 };

    open my $fh, '>', $file or die;
    $fh->autoflush(1);

    until ($stop) {
        my $name = "w$n-" . ++$i;
        my $r = eval { ask('POST', '/users', json => { name => $name }) };

        say $fh $name if $r && $r->status == 201;
        sleep 0.01 if !$r || $r->status != 201;
    }

    POSIX::_exit(0);
}

start_load();

my @pids;
my (%made, $killed);

for my $round (1 .. 5) {
    my ($pid, $file) = start_writer($round);

    sleep 0.2 + rand 0.1;
    $s->stop('KILL');
    $killed++;
    is_down("L10 killed, round $round") if $round == 1;
    ok(-S $s->{socket}, 'S02 it leaves its socket') if $round == 1;

    my $from = time;

    $s->start;

    my $r = ask('GET', '/me');

    is($r->status, 200, "S02 killed, round $round: it is back");
    cmp_ok(time - $from, '<', 1, 'S02 within a second of its start');
    sleep 0.05;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    $made{$_}++ for split /\n/, AIGW::slurp($file);
}

{
    my %there;
    my $next;

    do {
        my $page = $t->json('user', 'list', '--limit', 1000,
            defined $next ? ('--cursor', $next) : ());

        $there{ $_->{name} }++ for @{ $page->{items} };
        $next = $page->{next};
    } while (defined $next);

    cmp_ok(scalar keys %made, '>', 20, 'M25 users were made: ' . keys %made);
    is_deeply([grep { !$there{$_} } sort keys %made], [],
        'M25 who was told of, is there');
    is_deeply([grep { $there{$_} > 1 } sort keys %there], [], 'M25 once');

    my ($exit, $out, $err) = $t->cli('audit', 'verify');

    is($exit, 0, 'M25 the audit log has them all in a row') or diag($err);
}

stop_load('S02 kills');


# --- stopped ---

start_load();
$s->{process}->signal('STOP');

{
    my $http = AIGW::HTTP->new($t->port);

    $http->ask(method => 'GET', path => '/admin/api/me', key => $admin,
        headers => [Connection => 'close']);
    sleep $stop_seconds;
    ok(!$http->{r}{status} && $load->running, 'L10 stopped: it is asked,'
        . " and $stop_seconds s go by");
    $s->{process}->signal('CONT');

    # nginx waits for a minute
    is($http->response->status, $stop_seconds < 60 ? 200 : 503,
        'L10 who had waited is answered');
    is_up('L10 going on');
}

# at any step of what it does, writes to usage among them
{
    my ($pid) = start_writer('stop');
    my $until = time + $stop_seconds;
    my $stops = 0;

    while (time < $until) {
        my $http = AIGW::HTTP->new($t->port);

        $http->ask(path => '/admin/api/projects/bob/credit', key => $admin,
            json => { amount => '0.01', id => "stop-$stops" },
            headers => [Connection => 'close']);
        sleep rand 0.01;
        $s->{process}->signal('STOP');
        sleep 0.05 + rand 0.1;
        $s->{process}->signal('CONT');
        $http->response;
        $stops++;
    }

    kill 'TERM', $pid;
    waitpid $pid, 0;
    cmp_ok($stops, '>', 3, "L10 stopped $stops times at any step");
    is_up('L10 after it');
}

stop_load('L10 stops');


# --- slow: its processor is another's ---

{
    start_load();

    my @busy = map {
        my $pid = fork // die "fork: $!\n";

        if (!$pid) {
            my $parent = getppid;

            1 while getppid() == $parent;
            POSIX::_exit(0);
        }

        $pid;
    } 1 .. 2;
    my @http = map { AIGW::HTTP->new($t->port) } 1 .. 60;

    $_->ask(method => 'GET', path => '/admin/api/logs?limit=1000',
        key => $admin, headers => [Connection => 'close']) for @http;

    my @status = map { $_->response(30)->status } @http;

    kill 'KILL', @busy;
    waitpid $_, 0 for @busy;
    is(scalar(grep { $_ != 200 } @status), 0,
        'L10 slow: 60 long lists at once');
    stop_load('L10 slow');
}


# --- started twice, or where it cannot be ---

sub serve (@more) {
    my %env = ref $more[0] ? %{ shift @more } : ();
    my $p = AIGW::Process->start(["$AIGW::build/aigw", '--store', $store,
        'serve', @more], stderr => "$t->{dir}/second.log", env => \%env);
    my $status = $p->wait(5);

    $p->stop('KILL') if !defined $status;

    return (defined $status ? $status >> 8 : 'still there',
        AIGW::slurp("$t->{dir}/second.log"));
}

{
    my ($exit, $said) = serve('--socket', $s->{socket});

    is($exit, 5, 'L10 a second one at the same socket: a conflict');
    like($said, qr/\Aaigw: another .*\Q$s->{socket}\E/,
        'L10 it says with what');
    is(($said =~ tr/\n//), 2, 'L10 in a line, and what to do in another')
        or diag($said);
    is_up('L10 the first one');

    my $file = "$t->{dir}/a-file";

    AIGW::Process->start(['/usr/bin/touch', $file])->wait;
    ($exit, $said) = serve('--socket', $file);
    is($exit, 5, 'L10 a file is where the socket should be');
    like($said, qr/\Q$file\E/, 'L10 it says which');
    ok(-f $file, 'L10 and leaves it');

    ($exit, $said) = serve('--socket', "$t->{dir}/" . 'x' x 120);
    is($exit, 2, 'L10 a path too long for a socket');
    ($exit, $said) = serve('--socket', "$t->{dir}/no/where.sock");
    is($exit, 1, 'L10 a folder that is not there');
    like($said, qr/No such file/, 'L10 it says so');
}


# --- ends, and systemd ---

$s->{process}->signal('TERM');

{
    my $from = time;

    is($s->{process}->wait, 0, 'L10 SIGTERM ends it with 0');
    cmp_ok(time - $from, '<', 2, 'L10 soon');
    ok(!-e $s->{socket}, 'L10 its socket goes');
    is_down('L10 ended');
}

for my $path ("$t->{dir}/notify", "\0aigw-test-$$") {
    my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path)
        or die "notify: $!\n";
    my $name = $path =~ s/\A\0/@/r;
    my $p = AIGW::Process->start(["$AIGW::build/aigw", '--store', $store,
        'serve', '--socket', $s->{socket}], stderr => "$t->{dir}/serve.log",
        env => { NOTIFY_SOCKET => $name });
    my $text = '';

    local $SIG{ALRM} = sub { die "nothing came\n" };
    alarm 10;
    eval { $notify->recv($text, 100) };
    is($text, 'READY=1', 'L10 systemd is told when it is ready');

    my $sock = IO::Socket::UNIX->new(Type => SOCK_STREAM,
        Peer => $s->{socket});

    ok($sock, 'L10 which it is');
    close $sock if $sock;
    $p->signal('TERM');
    eval { $notify->recv($text, 100) };
    alarm 0;
    is($text, 'STOPPING=1', 'L10 and when it ends');
    is($p->wait, 0, 'L10 it ends');
}

# with a client that has not said all, and one that keeps its connection
$s->start;

{
    my @open = map { IO::Socket::UNIX->new(Type => SOCK_STREAM,
        Peer => $s->{socket}) } 1 .. 2;
    my $from = time;

    syswrite $open[0], "POST /admin/api/login HTTP/1.1\r\nContent-Length: 9";
    sleep 0.1;
    is($s->stop('TERM'), 0, 'L10 it ends while clients are there');
    cmp_ok(time - $from, '<', 3, 'L10 without waiting for them');
}


# --- without a store ---

$s->start;
is_up('L10 a store');
rename $store, "$store.away" or die "$store: $!\n";

{
    my $r = ask('GET', '/me');

    is($r->status, 503, 'L10 the store is gone: 503');
    is($r->code, 'unreachable', 'L10 in JSON');
    ok($r->header('Retry-After'), 'L10 and when to try again');
    unlike($r->body, qr/\Q$t->{dir}\E/, 'L10 not where it was');
    is($s->call('POST', '/admin/api/login', json => { name => 'admin',
        password => 'a password' })->status, 503, 'L10 logging in, too');
}

rename "$store.away", $store or die "$store: $!\n";
is_up('L10 it is there again');

SKIP: {
    skip 'files are read by root', 2 if $> == 0;

    chmod 0, "$store/control" or die;
    is(ask('GET', '/me')->status, 503, 'L10 the store cannot be read: 503');
    chmod 0750, "$store/control";
    is_up('L10 it can be again');
}

$s->stop;

for my $case (['missing', sub ($path) { rename $path, "$path.away" or die }],
    ['of others', sub ($path) { chmod 0644, $path or die }])
{
    my ($name, $do) = @$case;
    my $key_file = "$store/key";

    $do->($key_file);

    my ($exit, $said) = serve('--socket', $s->{socket});

    ok($exit && $exit ne 'still there', "L10 the key file is $name: no start");
    like($said, qr/key/, 'L10 it says why');
    rename "$key_file.away", $key_file;
    chmod 0600, $key_file;
}

$s->start;
is_up('L10 in the end');

$t->finish(credits => 1);

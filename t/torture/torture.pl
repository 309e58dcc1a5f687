# What is too long for every test run: `make torture`. Bodies of 50 MB beside
# other requests, a stream of a million events, one event of 64 MB. Prints TAP
# and writes what it measured to t/evidence/torture-DATE.txt.
#
# From the environment: EVENTS (1000000), AIGW_BUILD, AIGW_NGINX.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Path qw(make_path);
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

use AIGW;

my $events = $ENV{EVENTS} // 1_000_000;
my $grow_kb = 4096;                 # what a worker's memory may move
my $p99_ms = 20;
my $rounds = 4;                     # each without our module and with it
my $bodies = 5;                     # a round
my @report;

# What is beside big bodies has an upstream of its own: the simulator reads one
# request at a time.
my $other = AIGW::Sim->new("$AIGW::build/aigw-sim");
my $beside_port = AIGW::free_port();
my $bare_port = AIGW::free_port();

my $t = AIGW->new(http => <<"END");
    sendfile on;
    sendfile_max_chunk 256k;

    upstream other {
        server 127.0.0.1:@{[ $other->port ]};
        keepalive 16;
    }

    server {
        listen 127.0.0.1:$beside_port;

        location /v1/ {
            ai_gateway on;
            proxy_pass http://other;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }

    server {
        listen 127.0.0.1:$bare_port;
        access_log off;

        location /v1/ {
            proxy_pass http://sim4s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            client_max_body_size 64m;
            client_body_buffer_size 128k;
        }
    }
END
my $key_file = $t->secret_file('client', $t->project('torture'));
our $header_file = $t->secret_file('header',
    'Authorization: Bearer ' . (AIGW::slurp($key_file) =~ s/\s+\z//r));
my $direct_file = $t->secret_file('direct',
    "Authorization: Bearer $t->{secrets}{'the upstream\'s key'}");

big_bodies();
long_stream();
big_event();
$t->finish;
write_report();


sub say_result ($line) {
    push @report, $line;
    diag($line);
}


sub body_file ($name, $json) {
    my $path = "$t->{dir}/$name";

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $json;
    close $fh;

    return $path;
}


sub chat ($text, $stream = '') {
    return qq({"model":"gpt-4o-mini",$stream"messages":[{"role":"user",)
        . qq("content":"$text"}]});
}


# --- others, while bodies of 50 MB are scanned ---

# So many of them, one after another, each as fast as a gigabit brings it, and
# behind the one who measures.
sub upload ($body, $port, $header) {
    return AIGW::Process->start(['nice', '-n', 10, 'bash', '-c',
        'for ((i = 0; i < $3; i++)); do'
        . ' curl -sS --fail --limit-rate 100M -o "$5" -H "@$1" -H Expect:'
        . ' -H Content-Type:application/json --data-binary "@$2" "$4" || exit;'
        . ' done', 'upload', $header, $body, $bodies, url($port),
        '/dev/null']);
}


sub url ($port) { return "http://127.0.0.1:$port/v1/chat/completions" }


# A request each 5 ms until the process has ended: how long each took, from the
# moment when its turn was.
sub times_beside ($p, $key) {
    my $conn = AIGW::HTTP->new($beside_port);
    my $due = time;
    my ($n, @took) = (0);

    while ($p->alive) {
        my $r = $conn->ask(key => $key, json => AIGW::chat_body())->response;

        die "answer $r->{status}\n" if $r->{status} != 200;
        push @took, 1000 * (time - $due);
        $n++;
        $due += 0.005;
        sleep $due - time if $due > time;
    }

    $t->expect_rows($n);

    return sort { $a <=> $b } @took;
}


# Bare nginx gets the same bodies in turn: what they cost others on such a
# machine, our module or not. The one who measures goes first wherever he is
# let, so that it is not his own waiting that he measures.
sub big_bodies () {
    my $line = 'He said \"no\".\nThen – – – she laughed. ';
    my $big = body_file('big', chat($line x (50_000_000 / length $line)));
    my $key = AIGW::slurp($key_file) =~ s/\s+\z//r;
    my %way = (bare => [$bare_port, $direct_file],
        ours => [$t->port, $header_file]);
    my %took;

    POSIX::nice(-10);
    $took{alone} = [times_beside(AIGW::Process->start(['sleep', 3]), $key)];

    for my $round (1 .. $rounds) {
        for my $name ('bare', 'ours') {
            my $upload = upload($big, @{ $way{$name} });

            push @{ $took{$name} }, times_beside($upload, $key);
            is($upload->wait, 0, "$name, round $round: $bodies of 50 MB");
        }
    }

    POSIX::nice(10);
    $t->expect_rows($rounds * $bodies);
    judge_others(map { $_ => [sort { $a <=> $b } @{ $took{$_} }] } keys %took);
}


# What the machine makes of it without us is not ours.
sub judge_others (%took) {
    my %p99 = map { $_ => p99(@{ $took{$_} }) } keys %took;
    my $machine = $p99{bare} - $p99{alone};

    $machine = 0 if $machine < 0;
    cmp_ok(scalar(@{ $took{ours} }), '>', 500, 'enough others beside them');
    cmp_ok($p99{bare}, '<', $p99_ms, 'bare nginx alone keeps the limit: else'
        . ' the machine is too busy to judge');
    cmp_ok($p99{ours} - $machine, '<', $p99_ms, 'their p99 in ms, less what'
        . ' bare nginx adds with the same bodies');
    say_result(sprintf '%d bodies of 50 MB, at 100 MB/s; beside them %d'
        . ' requests, one each 5 ms: p50 %.1f ms, p99 %.1f ms, longest %.1f ms',
        $rounds * $bodies, scalar(@{ $took{ours} }), three(@{ $took{ours} }));
    say_result(sprintf 'the same beside the same bodies through bare nginx: %d'
        . ' requests, p50 %.1f, p99 %.1f, longest %.1f; without bodies: %.1f,'
        . ' %.1f, %.1f', scalar(@{ $took{bare} }), three(@{ $took{bare} }),
        three(@{ $took{alone} }));
}


sub three (@sorted) {
    return ($sorted[$#sorted / 2], p99(@sorted), $sorted[-1]);
}


sub p99 (@sorted) { return $sorted[$#sorted - int(@sorted / 100)] }


# --- memory ---

sub resident () {
    my ($worker) = $t->workers;

    return AIGW::slurp("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}


# The SHA-256 of an answer's bytes but for the time in them.
sub fetch ($port, $body) {
    return AIGW::Process->start(['bash', '-c', 'set -o pipefail; curl -sSN'
        . ' --fail --max-time 300 -H "@$1" -H Content-Type:application/json'
        . ' --data-binary "@$2" "$3" | sed "s/\"created\":[0-9]*/\"created\":/"'
        . ' | sha256sum', 'fetch', $header_file, $body, url($port)]);
}


# Fetches it from the upstream and through the gateway: sums, and how far the
# worker's memory moved meanwhile.
sub compare ($what, $body) {
    $t->sim->reset unless $what->{script};
    $t->sim->script(%{ $what->{script} }, repeat => 2) if $what->{script};

    # the upstream takes its own key only, a script takes any
    my $direct = fetch_direct($body);

    $t->sim->reset unless $what->{script};

    my $before = resident();
    my $p = fetch($t->port, $body);
    my $most = $before;

    while ($p->alive) {
        my $now = resident();

        $most = $now if $now > $most;
        sleep 0.02;
    }

    my $through = $p->output(300);

    is($p->wait, 0, "$what->{name}: through the gateway");
    $t->expect_rows(1);
    like($through, qr/^[0-9a-f]{64} /, 'a sum');
    is($through, $direct, 'identical bytes');
    cmp_ok($most - $before, '<', $grow_kb, 'flat memory');
    say_result(sprintf '%s: sha256 %s, from the upstream and through the'
        . ' gateway; memory of the worker %d kB before, at most %d kB'
        . ' meanwhile', $what->{name}, substr($through, 0, 64), $before, $most);
}


sub fetch_direct ($body) {
    local $header_file = $direct_file;

    my $p = fetch($t->sim->port, $body);
    my $sum = $p->output(300);

    is($p->wait, 0, 'from the upstream');

    return $sum;
}


sub long_stream () {
    my $body = body_file('stream', chat('count', '"stream":true,'
        . '"stream_options":{"include_usage":true},'));

    $t->sim->set(tokens => $events);
    compare({ name => "a stream of $events events" }, $body);
    $t->sim->set(tokens => 16);

    my ($row) = $t->rows('--since', '10m');

    is($row->{completion_tokens}, $events, 'all of them counted');
}


sub big_event () {
    my $body = body_file('stream', chat('one', '"stream":true,'
        . '"stream_options":{"include_usage":true},'));
    my $head = 'data: {"id":"1","object":"chat.completion.chunk","model":"m",'
        . '"choices":[{"index":0,"delta":{"content":"';
    my $tail = qq("}}],"usage":{"prompt_tokens":5,"completion_tokens":7,)
        . qq("total_tokens":12}}\n\ndata: [DONE]\n\n);

    compare({ name => 'one event of 64 MB', script => {
        headers => ['Content-Type', 'text/event-stream'],
        body => $head . 'x' x (64 * 1024 * 1024 - length $head) . $tail,
    } }, $body);
}


# --- the report ---

sub write_report () {
    my $date = strftime('%Y-%m-%d', gmtime);
    my $dir = "$AIGW::root/t/evidence";
    my $failed = grep { !$_ } Test::More->builder->summary;
    my ($version) = qx($AIGW::nginx -v 2>&1) =~ m{(nginx/\S+)};

    make_path($dir);
    open my $fh, '>', "$dir/torture-$date.txt" or die "$dir: $!\n";
    print $fh "make torture, $date, $version, one worker, limits: p99"
        . " $p99_ms ms, memory + $grow_kb kB\n",
        map({ "$_\n" } @report),
        $failed ? "$failed checks failed\n" : "all checks passed\n";
    close $fh;
}

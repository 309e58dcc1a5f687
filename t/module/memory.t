# Answers that are long, fast or many, and clients that are slow: the worker's
# memory stays where it was, bytes and rows are right, and others on the same
# worker are served meanwhile. Threats J27, J28, J29, H32, L05.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Compress::Zlib ();
use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

# A sanitizer keeps what was freed, and is slow.
my $plain = !$ENV{SANITIZE};
my $line_mb = $plain ? 64 : 8;
my $tiny = $plain ? 1_000_000 : 100_000;
my $bytes = $plain ? 100_000 : 10_000;
my $streams = $plain ? 400 : 100;
my $grow_kb = 2048;

my $beside = AIGW::free_port();
my $other = AIGW::Sim->new("$AIGW::build/aigw-sim");
my $t = AIGW->new(http => 'upstream other { server 127.0.0.1:' . $other->port
    . "; keepalive 4; } server { listen 127.0.0.1:$beside; location /v1/ {"
    . ' ai_gateway on; ai_gateway_upstream 4sapi; proxy_pass http://other;'
    . ' proxy_http_version 1.1; proxy_set_header Connection ""; } }');
my $key = $t->project('alice');

# A stream is cut that says more than was set aside for it.
my @long = (max_tokens => 10_000_000);
my $header = $t->secret_file('header', "Authorization: Bearer $key");
my $ask = $t->secret_file('ask', JSON::PP->new->utf8->encode(
    AIGW::chat_body(stream => JSON::PP::true, @long)));
my $text = qq(data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n);
my $usage = qq(data: {"choices":[],"usage":{"prompt_tokens":24,)
    . qq("completion_tokens":2,"total_tokens":26}}\n\n);
my $done = "data: [DONE]\n\n";
my @sse = ('Content-Type', 'text/event-stream');
my $head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";


sub resident () {
    my ($worker) = $t->workers;
    my ($kb) = AIGW::slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m;

    return $kb;
}


sub flat ($name, $before) {
    return if !$plain;

    my $grown = resident() - $before;

    cmp_ok($grown, '<', $grow_kb, "$name: memory is flat ($grown kB)");
}


# How long others take on the same worker until that process has ended, sorted.
sub times_beside ($p) {
    my $c = AIGW::HTTP->new($beside);
    my ($n, @took) = (0);

    do {
        my $at = time;

        die "beside: not served\n"
            if $c->ask(key => $key, json => AIGW::chat_body())
                ->response->status != 200;
        push @took, time - $at;
        $n++;
        sleep 0.005;
    } while ($p->alive);

    $t->expect_rows($n);

    return sort { $a <=> $b } @took;
}


# A stream, fetched by a process of its own: the same bytes less the hidden
# chunk, an exact row, flat memory, and nobody waits. Waiting is measured again
# when this machine has been busy with something else.
sub streams ($name, $raw, $want) {
    my $before = resident();
    my $p90;

    for my $try (1 .. 3) {
        $t->sim->reset;
        $t->sim->script(raw => $raw, then => 'close');

        my $p = AIGW::Process->start(['sh', '-c', 'curl -sSN --max-time 60'
            . ' -H "@$1" -H Content-Type:application/json --data-binary "@$2"'
            . ' "$3" | sha256sum', 'fetch', $header, $ask, 'http://127.0.0.1:'
            . $t->port . '/v1/chat/completions']);
        my @took = times_beside($p);
        my $sum = $p->output // '';

        $t->expect_rows(1);
        is(substr($sum, 0, 64), sha256_hex($want), "$name: the bytes");
        $p90 = $took[$#took * 0.9];
        last if $p90 < 0.05;
    }

    cmp_ok($p90, '<', $plain ? 0.05 : 0.5, "L05 $name: nobody waits");
    flat($name, $before);

    my ($row) = grep { $_->{stream} } $t->rows('--since', '5m');

    is($row->{settled}, 'exact', "$name: the row");
}


streams('warm', "$head\r\n$text$usage$done", "$text$done");

{
    my $line = 'data: {"choices":[{"delta":{"content":"'
        . 'x' x ($line_mb * 1024 * 1024) . qq("}}],"usage":null}\n\n);

    streams("J27 a line of $line_mb MB", "$head\r\n$line$usage$done",
        "$line$done");
}

{
    my $events = "data: 1\n\n" x $tiny;

    streams("J27 $tiny tiny events", "$head\r\n$text$events$usage$done",
        "$text$events$done");
}

{
    my $body = $text . ":\n" x (($bytes - length $text) / 2) . "\n$usage$done";
    my $raw = "${head}Transfer-Encoding: chunked\r\n\r\n"
        . join('', map { "1\r\n$_\r\n" } split //, $body) . "0\r\n\r\n";

    streams("J27 $bytes buffers of a byte", $raw, $body =~ s/\Q$usage//r);
}


# --- slow clients ---

for my $kind ('a stream', 'JSON') {
    my $long = 'x' x 1000;
    my $json = '{"data":"' . $long x 20_000 . '","usage":{"prompt_tokens":24,'
        . '"completion_tokens":2,"total_tokens":26}}';
    my $body = $text =~ s/hi/$long/r x 20_000;
    my $is_json = $kind eq 'JSON';
    my $before = resident();

    $t->sim->script($is_json ? (body => $json)
        : (headers => \@sse, chunked => 1, body => "$body$usage$done"));

    my $c = $t->connect->ask(key => $key, json => AIGW::chat_body(@long,
        stream => $is_json ? JSON::PP::false : JSON::PP::true));

    sleep 0.5;
    flat("J29 $kind of 20 MB to a client that does not read", $before);

    my $r = $c->response(20);

    ok($r->body eq ($is_json ? $json : "$body$done"),
        "J29 $kind: read at last, whole");
    $r->{body} = '';
    is($t->row($r)->{settled}, 'exact', "J29 $kind: its row");
    flat("J29 $kind: behind it", $before);
}


# --- many at once ---

{
    my @grown;
    my $before = resident();

    for my $round (1 .. 3) {
        $t->sim->reset;
        $t->sim->script(headers => \@sse, chunked => 1, pieces => [$text x 50,
            "$usage$done"], gates => [1], repeat => $streams);

        my @c = map { $t->stream($key) } 1 .. $streams;

        $_->wait_for(qr/\n\n/) for @c;
        push @grown, resident() - $before;
        $t->sim->go for 1 .. $streams;

        my @bad = grep { $_->response->body ne $text x 50 . $done } @c;

        is(@bad, 0, "J28 round $round: $streams streams at once, each whole");
        $_->close for @c;
    }

    if ($plain) {
        cmp_ok($grown[0] / $streams, '<', 40, "J28 kB a stream");
        cmp_ok($grown[2] - $grown[0], '<', 1024,
            "J28 no growth between rounds (@grown kB)");
    }
}


# --- what would be large if it were unpacked ---

{
    my $bomb = Compress::Zlib::memGzip("\0" x 50_000_000);
    my $before = resident();

    for my $type ('application/json', 'text/event-stream') {
        $t->sim->script(body => $bomb, headers => ['Content-Type', $type,
            'Content-Encoding', 'gzip']);

        my $r = $t->stream($key)->response;

        ok($r->body eq $bomb, "H32 gzip as $type passes as it is");
        is($t->row($r)->{settled}, 'estimated', "H32 $type: by estimate");
    }

    flat('H32 a bomb of 50 MB', $before);
}

$other->stop;
$t->finish;

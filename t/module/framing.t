# How requests are framed and how slowly they come: what nginx takes in another
# form goes up in ours, once, and who sends nothing is sent away. Threats H07,
# H08, H21, H26, H27.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

my $slow = AIGW::free_port();
my $t = AIGW->new(start => 0);

$t->{http} = "server { listen 127.0.0.1:$slow; client_header_timeout 1s;"
    . ' client_body_timeout 1s; send_timeout 1s; location /v1/ {'
    . ' ai_gateway on; proxy_pass http://sim4s; proxy_http_version 1.1;'
    . ' proxy_set_header Connection ""; } }';
$t->configure;
$t->start;

my $key = $t->project('alice');
my $json = AIGW::HTTP::bytes(json => AIGW::chat_body()) =~ s/.*\r\n\r\n//sr;
my $head = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    . "Authorization: Bearer $key\r\n";
my $chunked = "${head}Transfer-Encoding: chunked\r\n\r\n";
my $size = sprintf '%x', length $json;


# --- forms of chunks and lines ---

# It is taken, and goes up as one request with a length and that body.
sub taken ($name, $raw) {
    $t->sim->reset;

    my $r = $t->request(raw => $raw);
    my @seen = $t->sim->seen;

    is($r->status, 200, "$name: 200") or diag $r->body;
    is(@seen, 1, "$name: one request upstream");
    is($seen[0]{body}, $json, "$name: the body");
    is($seen[0]{headers}{'content-length'}, length $json, "$name: its length");
    is($seen[0]{headers}{'transfer-encoding'}, undef, "$name: no chunks");
    is($seen[0]{line}, 'POST /v1/chat/completions HTTP/1.1', "$name: line");
}


sub refused ($name, $raw) {
    $t->sim->reset;

    my $r = $t->request(raw => $raw);

    is($r->status, 400, "$name: 400") or diag $r->body;
    like($r->code, qr/^(?:bad_request|invalid_json)$/, "$name: JSON");
    is($t->sim->count, 0, "$name: nothing upstream");
}

taken('H07 extensions of chunks', "$chunked$size;a=\"b;\"; c\r\n$json\r\n"
    . "0;last\r\n\r\n");
taken('H07 trailers', "$chunked$size\r\n$json\r\n0\r\nX: a\r\n"
    . "Authorization: Bearer x\r\nContent-Length: 5\r\n\r\n");
taken('H07 bare LF about chunks', "$chunked$size\n$json\n0\n\n");
taken('H07 zeros before the size', "${chunked}0000$size\r\n$json\r\n"
    . "000\r\n\r\n");
refused('H07 no size', "$chunked\r\n$json\r\n0\r\n\r\n");
refused('H07 a size that is none', "${chunked}0x$size\r\n$json\r\n0\r\n\r\n");
refused('H07 a negative size', "$chunked-$size\r\n$json\r\n0\r\n\r\n");
refused('H07 a chunk longer than its size', "$chunked$size\r\n${json}x\r\n"
    . "0\r\n\r\n");
taken('H08 bare LF', $head =~ s/\r//gr . 'Content-Length: ' . length($json)
    . "\n\n$json");
taken('H08 an empty line before', "\r\n${head}Content-Length: "
    . length($json) . "\r\n\r\n$json");

# What stands behind a body is a request of its own, and judged.
{
    my $c = $t->connect;

    $t->sim->reset;
    $c->send("${head}Content-Length: " . length($json) . "\r\n\r\n${json}"
        . "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        . "Content-Length: 2\r\n\r\n{}");
    is($c->expect->response->status, 200, 'H08 a request');
    is($c->expect->response->status, 401, 'H08 what is behind it: 401');
    is($t->sim->count, 1, 'H08 and never upstream');
}


# --- HTTP/1.0 ---

for my $keep (0, 1) {
    my $name = 'H21 HTTP/1.0' . ($keep ? ', kept alive' : '');
    my $c = $t->connect;
    my $raw = $head =~ s/1\.1/1.0/r
        . ($keep ? "Connection: keep-alive\r\n" : '')
        . 'Content-Length: ' . length($json) . "\r\n\r\n$json";

    $t->sim->reset;

    my $r = $c->ask(raw => $raw)->response;

    is($r->status, 200, $name);
    is($r->header('transfer-encoding'), undef, "$name: no chunks");
    is(lc($r->header('connection')), $keep ? 'keep-alive' : 'close',
        "$name: the connection");
    is($r->json->{usage}{total_tokens}, $t->row($r)->{total_tokens},
        "$name: the row");
    is(($t->sim->seen)[0]{line}, 'POST /v1/chat/completions HTTP/1.1',
        "$name: goes up as HTTP/1.1");

    if ($keep) {
        is($c->ask(raw => $raw =~ s/\Q$key/${key}x/r)->response->status, 401,
            "$name: the next is judged by itself");
    }
}

my $r = $t->request(raw => $head =~ s/1\.1/1.0/r . 'Content-Length: '
    . (length($json) + 14) . "\r\n\r\n" . $json =~ s/\{/{"stream":true,/r);

is($r->{ended}, 'close', 'H21 HTTP/1.0, a stream: ends with the connection');
like($r->body, qr/\[DONE\]\n\n\z/, 'H21 whole');
is($t->row($r)->{settled}, 'exact', 'H21 and metered');


# Those who left went nowhere and cost nothing; of whom nginx has read no head
# there is nothing to tell.
sub left ($name) {
    my ($unlogged, @left) = $t->expect_left;

    cmp_ok(@left + $unlogged, '>', 0, "$name: they are counted");
    is_deeply([grep { $_->{cost} ne '0' } @left], [],
        "$name: none costs anything");
}


# --- Expect, and away ---

for my $i (1 .. 400) {
    my $c = AIGW::HTTP->new($t->port);

    $c->send("${head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n");
    $c->close(1);
}

$t->sim->reset;
is($t->chat($key)->status, 200, 'H27 served after 400 that expect and reset');
is($t->sim->count, 1, 'H27 nothing of them went upstream');

left('H27');


# --- slow ones ---

{
    my @part = (
        ['H26 half a head', substr $head, 0, 40],
        ['H26 half a body', "${head}Content-Length: 1000\r\n\r\n{\"model\":"],
        ['H26 half a chunk', "$chunked$size\r\n" . substr $json, 0, 9],
    );
    my $n = 80;
    my (@open, @took, @failed);

    for my $part (@part) {
        push @open, map {
            AIGW::HTTP->new($slow, part => $part)->send($part->[1])
        } 1 .. $n;
    }

    {
        local $t->{port} = $slow;

        for (1 .. 50) {
            my $at = time;

            push @failed, grep { $_ != 200 } $t->chat($key)->status;
            push @took, time - $at;
        }
    }

    @took = sort { $a <=> $b } @took;
    is_deeply(\@failed, [], 'H26 others are served');
    cmp_ok($took[45], '<', 0.1, 'H26 and soon');

    my $deadline = time + 5;
    my %end;

    # nginx closes; what it says first, if anything, is a 408
    for my $c (@open) {
        my $got = '';

        while (IO::Select->new($c->{sock})->can_read($deadline - time)) {
            last if !sysread $c->{sock}, $got, 4096, length $got;
        }

        $end{ $c->{part}[0] }++ if time < $deadline;
        like($got, qr/\A(?:HTTP\/1\.1 408 |\z)/, "$c->{part}[0]: what it says")
            if $got !~ /\A(?:HTTP\/1\.1 408 |\z)/;
    }

    is($end{ $_->[0] }, $n, "$_->[0]: each is closed in time") for @part;

    left('H26');
}

$t->finish;

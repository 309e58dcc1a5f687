# HTTP/2 as nobody should speak it: streams that are reset, windows of nothing,
# headers without an end; and a hundred callers on one connection, each of them
# itself. Threats H24, H28, L17.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::HTTP2;

my $port = AIGW::free_port();
my $t = AIGW->new(start => 0);

$t->{http} = "server { listen 127.0.0.1:$port http2; location /v1/ {"
    . ' ai_gateway on; proxy_pass http://sim4s; proxy_http_version 1.1;'
    . ' proxy_ignore_client_abort on; proxy_set_header Connection ""; } }';
$t->configure;
$t->start;

my @keys = map { $t->project("p$_") } 0 .. 9;
my $json = JSON::PP->new->utf8;
my $text = qq(data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n);
my $usage = qq(data: {"choices":[],"usage":{"prompt_tokens":24,)
    . qq("completion_tokens":2,"total_tokens":26}}\n\n);
my @sse = (chunked => 1, headers => ['Content-Type', 'text/event-stream']);

my ($headers, $data, $rst, $settings, $window, $continuation)
    = (1, 0, 3, 4, 8, 9);
my ($end_stream, $end_headers) = (1, 4);


sub block ($key, @more) {
    my @pairs = (':method', 'POST', ':scheme', 'http', ':path',
        '/v1/chat/completions', ':authority', 'localhost', @more,
        'authorization', "Bearer $key");

    return join '', map {
        "\0" . AIGW::HTTP2::text($pairs[2 * $_])
            . AIGW::HTTP2::text($pairs[2 * $_ + 1])
    } 0 .. @pairs / 2 - 1;
}


sub frame { return AIGW::HTTP2::frame(@_) }


sub sends ($c, @frames) {
    local $SIG{PIPE} = 'IGNORE';
    syswrite $c->{sock}, join '', @frames;
}


# A call on a stream.
sub call ($stream, $key, %more) {
    return frame($headers, $end_headers, $stream, block($key))
        . frame($data, $end_stream, $stream,
            $json->encode(AIGW::chat_body(%more)));
}


# Reads until so many streams have ended, or the connection has: bodies by
# stream, {ended} those that have, {gone} if the connection has.
sub reads ($c, $n, $seconds = 10) {
    my $deadline = time + $seconds;
    my %got = (body => {}, ended => {}, gone => 0);

    while (keys %{ $got{ended} } < $n && !$got{gone}) {
        while (length $c->{buf} >= 9) {
            my ($high, $low, $type, $flags, $stream)
                = unpack 'CnCCN', $c->{buf};
            my $len = $high * 65536 + $low;

            last if length $c->{buf} < 9 + $len;

            my $bytes = substr substr($c->{buf}, 0, 9 + $len, ''), 9;

            $got{body}{$stream} .= $bytes if $type == $data;
            $got{ended}{$stream} = 1 if $type == $rst
                || $type <= $headers && $flags & $end_stream;
            sends($c, map { frame($window, 0, $_, pack 'N', $len) }
                0, $stream) if $type == $data && $len && !$c->{shut};
        }

        last if keys %{ $got{ended} } >= $n;
        last if !IO::Select->new($c->{sock})->can_read($deadline - time);
        $got{gone} = 1 if !sysread $c->{sock}, $c->{buf}, 65536,
            length $c->{buf};
    }

    return \%got;
}


# The rows of one project, once there are n.
sub rows ($project, $n) {
    my @rows = $t->wait_rows($n, '--project', "p$project");

    is(@rows, $n, "p$project has $n rows");

    return @rows;
}


# --- a hundred callers ---

{
    my $c = AIGW::HTTP2->new($port);

    # every eleventh has a key that is none
    my @used = map { $_ % 11 == 10 ? $keys[0] . 'x' : $keys[$_ % 10] } 0 .. 99;

    sends($c, map { call(2 * $_ + 1, $used[$_], max_tokens => 1 + $_ % 10,
        stream => $_ % 3 ? JSON::PP::false : JSON::PP::true) } 0 .. $#used);

    my $got = reads($c, 100);
    my (@wrong, %good);

    for my $i (0 .. $#used) {
        my $body = $got->{body}{2 * $i + 1} // '';
        my $good = $body =~ /"total_tokens"|\[DONE\]/;

        push @wrong, "$i: $body" if $good == ($i % 11 == 10);
        push @wrong, "$i: $body" if !$good && $body !~ /"invalid_api_key"/;
        $good{$i % 10}++ if $good;
    }

    is_deeply([splice @wrong, 0, 3], [],
        'L17 100 streams on one connection, each judged by its own key');

    for my $i (0 .. 9) {
        my @rows = rows($i, $good{$i});

        is_deeply([grep { $_->{completion_tokens} != 1 + $i
            || $_->{settled} ne 'exact' } @rows], [],
            "L17 p$i is charged for its own");
    }

    $t->expect_rows(100);
}


# --- reset amid a stream ---

{
    my $c = AIGW::HTTP2->new($port);
    my $key = $t->project('p10');

    $t->sim->script(@sse, gates => [1],
        pieces => [$text, ($text) x 20, $usage, "data: [DONE]\n\n"]);
    sends($c, call(1, $key, stream => JSON::PP::true));
    reads($c, 1, 0.3);
    sends($c, frame($rst, 0, 1, pack 'N', 8));
    sleep 0.1;
    $t->sim->go;

    my ($row) = rows(10, 1);

    is_deeply([@$row{qw(total_tokens settled)}], [26, 'exact'],
        'H24 H28 reset amid a stream: the usage is charged, once');
    is($t->sim->stats->{aborted}, 0, 'H28 the upstream is read to its end');

    sends($c, call(3, $key));
    like(reads($c, 1)->{body}{3} // '', qr/"total_tokens"/,
        'H24 and the connection serves on');
    $t->expect_rows(2);
}


# --- floods ---

my $before = () = grep { $_->{attempts} } $t->rows;

for my $when ('with its body', 'before it') {
    my $c = AIGW::HTTP2->new($port);
    my $count = $t->sim->count;
    my @all;

    for my $i (0 .. 299) {
        my $stream = 2 * $i + 1;

        push @all, $when eq 'before it' ? frame($headers, $end_headers,
            $stream, block($keys[0])) : call($stream, $keys[0]);
        push @all, frame($rst, 0, $stream, pack 'N', 8);
    }

    sends($c, splice @all, 0, 20) while @all;
    reads($c, 300, 0.3);
    close $c->{sock};
    is($t->chat($keys[0])->status, 200, "H24 300 requests, each reset $when");

    if ($when eq 'before it') {
        is($t->sim->count, $count + 1, 'H24 none of which went upstream');
    }
}

# Of those that went up each has a row; the others are counted, kept or not.
{
    my $deadline = time + 2;
    my @paid;

    do {
        sleep 0.05;
        @paid = grep { $_->{attempts} } $t->rows;
    } while (@paid < $t->sim->count && time < $deadline);

    is(@paid, $t->sim->count, 'H24 a row for each that did');
    is_deeply([grep { $_->{settled} ne 'exact' } @paid], [], 'H24 exact');
    $t->expect_left;
    $t->expect_rows(@paid - $before - 2);
}

# Headers that have no end, and a body that is none of theirs.
{
    my $c = AIGW::HTTP2->new($port);

    sends($c, frame($headers, 0, 1, block($keys[0])),
        map { frame($continuation, 0, 1, "\0" . AIGW::HTTP2::text("x-$_")
            . AIGW::HTTP2::text('y' x 200)) } 1 .. 2000);

    my $got = reads($c, 1, 5);

    ok($got->{gone} || $got->{ended}{1}, 'H24 CONTINUATION without an end');
    is(($got->{body}{1} // '') =~ /total_tokens/, '', 'H24 is no call');
    is($t->chat($keys[0])->status, 200, 'H24 and others are served');
}

for my $twice (':path', ':method', ':authority', ':scheme') {
    my $c = AIGW::HTTP2->new($port);
    my $count = $t->sim->count;
    my %value = (':path' => '/v1/models', ':method' => 'GET',
        ':authority' => 'other', ':scheme' => 'https');

    sends($c, frame($headers, $end_headers, 1,
        block($keys[0], $twice, $value{$twice})),
        frame($data, $end_stream, 1, $json->encode(AIGW::chat_body())));

    my $got = reads($c, 1);

    unlike($got->{body}{1} // '', qr/total_tokens/, "H24 $twice twice");
    is($t->sim->count, $count, "H24 $twice twice: nothing upstream");
}

$t->expect_rows(scalar grep { $_->{verdict} eq 'bad_request' } $t->rows);


# --- a window of nothing ---

{
    my $c = AIGW::HTTP2->new($port);
    my $long = join '', map { $text } 1 .. 3000;
    my $key = $t->project('p11');

    $c->{shut} = 1;

    sends($c, frame($settings, 0, 0, pack 'nN', 4, 0));
    $t->sim->script(@sse, body => "$long${usage}data: [DONE]\n\n");
    sends($c, call(1, $key, stream => JSON::PP::true));

    my $got = reads($c, 1, 0.3);

    is($got->{body}{1}, undef, 'H24 no window: no byte of a body');
    is($t->chat($keys[0])->status, 200, 'H24 and others are served');

    $c->{shut} = 0;
    sends($c, frame($window, 0, 1, pack 'N', 60_000));
    is(reads($c, 1)->{body}{1}, "${long}data: [DONE]\n\n",
        'H24 opened: the stream, whole');
    is((rows(11, 1))[0]{settled}, 'exact', 'H24 and its row');
    $t->expect_rows(1);
}

$t->finish;

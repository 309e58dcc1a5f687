# Errors of an upstream that name a key, and those that nginx would tell in
# HTML. Issue 4, threats K01 to K04, H01 to H09, H15, H25.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $other = AIGW::free_port();
my %port = map { $_ => AIGW::free_port() } qw(busy fails off
    disk denied full);


# A server whose location has a line of the operator's.
sub own ($name, $line) {
    return "server { listen 127.0.0.1:$port{$name}; location /v1/ {"
        . " ai_gateway on; proxy_pass http://sim4s; $line } }\n";
}


my $t = AIGW->new(location => 'proxy_read_timeout 1s;',
    server => "large_client_header_buffers 2 2k;\n"
    . "location = /plain { return 200 plain; }\n"
    . 'location /v1/open { return 500; }',
    http => "limit_req_zone x zone=one:1m rate=1r/m;\n"
    . "server { listen 127.0.0.1:$other; }\n"
    . own('busy', 'limit_req zone=one;') . own('fails', 'return 500;')
    . own('off', 'return 503;') . own('denied', 'deny all;')
    . own('full', 'limit_req zone=one; limit_req_status 429;')
    . own('disk', "client_body_temp_path temp/none;"
    . ' client_body_in_file_only clean;'));
my $key = $t->project('alice');


# --- keys in the upstream's words ---

my $sk = 'sk-' . 'K' x 45;
my $own = 'aigw_' . 'O' x 49;
my $masked_sk = 'sk-' . '*' x 45;
my $masked_own = 'aigw_' . '*' x 49;

sub error ($text) {
    return qq({"error":{"message":"$text","type":"invalid_request_error",)
        . '"param":null,"code":"invalid_api_key"}}';
}


# An error of status 400 with that body: the client's body, and its answer.
sub passes ($body, %script) {
    $t->sim->script(status => '400 Bad Request', body => $body, %script);

    my $r = $t->request(key => $key, json => AIGW::chat_body());

    is($r->status, 400, 'an upstream\'s 400');

    return $r->body;
}

is(passes(error("Incorrect API key provided: $sk. You can find")),
    error("Incorrect API key provided: $masked_sk. You can find"),
    'K04 a key is masked, its length kept');
is(passes(error("$own")), error($masked_own), 'K04 one of ours, too');
is(passes(error("a $sk, '$sk' ($own) $sk")),
    error("a $masked_sk, '$masked_sk' ($masked_own) $masked_sk"),
    'K04 every one');
is(passes(qq({"$sk":["$sk",{"x":"$own"}]})),
    qq({"$masked_sk":["$masked_sk",{"x":"$masked_own"}]}),
    'K04 wherever it stands');

for my $text ('a risk-free task-list desk-top', 'Sk-1 SK-1', 'sk_1 sk', 'aigw',
    'aigw-1', 'ask-me', 'xsk-1', '_sk-1', 'saigw_1', 'message')
{
    is(passes(error($text)), error($text), "'$text' is no key");
}

is(passes(error('sk-a sk-b-c_d.e sk-')), error('sk-* sk-*****.e sk-'),
    'K04 up to the end of the word');
is(passes(error('ask-sk-a aigsk-1 ssk-1')), error('ask-sk-a aigsk-1 ssk-1'),
    'only at its beginning');

for my $escape (qw(\n \" \\\\ \u0022 \u000a)) {
    is(passes(error("x$escape$sk$escape$own$escape")),
        error("x$escape$masked_sk$escape$masked_own$escape"),
        "K04 behind $escape, too");
}

# Split at every byte, and as single bytes: the same.
{
    my $body = error("key\\n$sk of\\u0020$own");
    my $want = error("key\\n$masked_sk of\\u0020$masked_own");
    my @at = 1 .. length($body) - 1;
    my @wrong;

    for my $at (@at) {
        $t->sim->script(status => '400 Bad', body => $body, chunked => 1,
            headers => ['Content-Type', 'application/json',
            'X-Accel-Buffering', 'no'], split => [$at], delay_ms => 3);
    }

    while (my @some = splice @at, 0, 25) {
        my @c = map { $t->connect->ask(key => $key,
            json => AIGW::chat_body()) } @some;

        push @wrong, grep { $_ ne $want } map { $_->response->body } @c;
    }

    is_deeply(\@wrong, [], 'K04 cut in two anywhere');
    is(passes($body, chunked => 1, split => 'all', delay_ms => 1, headers =>
        ['Content-Type', 'application/json', 'X-Accel-Buffering', 'no']),
        $want, 'K04 as single bytes');
}

# A large one, buffered.
is(passes(error("$sk " x 20_000)), error("$masked_sk " x 20_000),
    'K04 in an error of a megabyte');

# What says that it is compressed cannot be masked: it does not pass.
$t->sim->script(status => '400 Bad', body => error($sk), headers =>
    ['Content-Type', 'application/json', 'Content-Encoding', 'gzip']);
is($t->chat($key)->code, 'upstream_error', 'K04 nor does an encoded one pass');

# Answers are the model's words, not errors: theirs is every byte.
my $answer = qq({"choices":[{"message":{"content":"$sk"}}],"usage":)
    . '{"prompt_tokens":1,"completion_tokens":1}}';

$t->sim->script(body => $answer);
is($t->chat($key)->body, $answer, 'an answer with such a word is not touched');


# --- what nginx would tell in HTML ---

# An answer made here: status, JSON, an id of ours, x-should-retry. row: it
# should have one.
sub told ($name, $r, $status, $code, $retry = undef) {
    is($r->status, $status, "$name: $status") or diag $r->body;
    is($r->code, $code, "$name: $code") or diag $r->body;
    is($r->header('content-type'), 'application/json', "$name: JSON");
    like($r->id, qr/\A[0-9a-f]{32}\z/, "$name: x-request-id");
    is($r->header('x-should-retry'), $retry, "$name: x-should-retry");
    unlike($r->body, qr/<|nginx|$key/i, "$name: nothing of nginx's");
}

my $head = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    . "Authorization: Bearer $key\r\n";

for my $case (
    ['H09 obs-fold', "$head folded: a\r\n b\r\n\r\n"],
    ['H09 a blank before the colon', "${head}X : a\r\n\r\n"],
    ['H09 NUL', "${head}X: a\0b\r\n\r\n"],
    ['H09 CR', "${head}X: a\rb\r\n\r\n"],
    ['H25 two hosts', "${head}Host: b\r\n\r\n"],
    ['H25 a host with a path', $head =~ s/: a/: a:1\/#\@evil/r . "\r\n"],
    ['A11 two keys', "${head}Authorization: Bearer x\r\n\r\n"],
    ['H01 both lengths', "${head}Content-Length: 3\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n"],
    ['H02 two lengths', "${head}Content-Length: 1\r\nContent-Length: 2\r\n"
        . "\r\n"],
    ['H02 one length twice', "${head}Content-Length: 2\r\nContent-Length: 2"
        . "\r\n\r\n{}"],
    ['H03 a signed length', "${head}Content-Length: +13\r\n\r\n"],
    ['H03 a negative length', "${head}Content-Length: -1\r\n\r\n"],
    ['H05 two encodings', "${head}Transfer-Encoding: chunked\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n"],
    ['H06 chunks of HTTP/1.0', $head =~ s/1\.1/1.0/r
        . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ['H07 a chunk of 2^68', "${head}Transfer-Encoding: chunked\r\n\r\n"
        . "fffffffffffffffff\r\n"],
    ['H25 no host', "POST /v1/chat/completions HTTP/1.1\r\n\r\n"],
)
{
    told($case->[0], $t->request(raw => $case->[1]), 400, 'bad_request');
}

told('H04 an encoding that is none', $t->request(raw =>
    "${head}Transfer-Encoding: xchunked\r\n\r\n"), 501, 'internal_error');

# Of these nothing is known but that the server has a gateway.
sub stranger ($name, $status, $raw, $code = 'bad_request') {
    told($name, $t->request(raw => $raw, nginx => 1), $status, $code);
}

stranger('H18 a lower-case method', 400, "post /v1/models HTTP/1.1\r\n\r\n");
stranger('H15 %00', 400, "GET /v1/a%00b HTTP/1.1\r\nHost: a\r\n\r\n");
stranger('no HTTP', 400, "\x16\x03\x01\x02\r\n\r\n");
stranger('H18 a URL too long', 414, 'GET /v1/' . 'a' x 5000
    . " HTTP/1.1\r\nHost: a\r\n\r\n");
stranger('another HTTP', 505, "GET /v1/models HTTP/2.5\r\n\r\n",
    'internal_error');
told('H33 nginx\'s 494, a header too long', $t->request(raw => $head
    . 'X: ' . 'a' x 5000 . "\r\n\r\n"), 400, 'bad_request');
told('too many headers', $t->request(raw => $head . "X: aaaaaaaaaaaa\r\n"
    x 500 . "\r\n"), 400, 'bad_request');

$t->{max_body} = '1k';
$t->configure;
$t->reload;
told('a body too large', $t->request(raw => "${head}Content-Length: 99999"
    . "\r\n\r\n"), 413, 'request_too_large');
told('a body that grows too large', $t->request(raw =>
    "${head}Transfer-Encoding: chunked\r\n\r\n1000\r\n" . 'x' x 4096
    . "\r\n0\r\n\r\n"), 413, 'request_too_large');

$t->sim->script(raw => '', then => 'close');
told('no answer', $t->chat($key), 502, 'upstream_error');
$t->sim->script(raw => 'HTTP', gates => [0]);
told('H33 silence', $t->chat($key), 504, 'upstream_timeout', 'false');
told('another method', $t->request(method => 'PUT', key => $key,
    path => '/v1/chat/completions'), 405, 'unknown_url');
told('TRACE', $t->request(method => 'TRACE', key => $key, nginx => 1,
    path => '/v1/chat/completions'), 405, 'unknown_url');

# A location of ours whose nginx has reasons of its own.
sub call ($where, %more) {
    local $t->{port} = $port{$where};

    return $t->request(key => $key, json => AIGW::chat_body(), %more);
}

is(call('busy')->status, 200, 'the one call that limit_req lets pass');

{
    my $count = $t->sim->count;

    told('H33 limit_req\'s 503', call('busy'), 503, 'gateway_unavailable');
    told('H33 nginx\'s 503', call('off'), 503, 'gateway_unavailable');
    told('H33 nginx\'s 500', call('fails'), 500, 'internal_error');
    told('H33 limit_req\'s 429', call('full'), 429, 'rate_limit_exceeded');
    told('H33 deny', call('denied'), 403, 'access_denied');

    rmdir "$t->{dir}/temp/none" or die "temp/none: $!\n";
    $t->allow_alert(qr/\[crit\].*temp\/none/);
    told('J08 a body that cannot be kept', call('disk'), 500,
        'internal_error');
    is($t->sim->count, $count, 'and nothing of these upstream');
}

# Elsewhere nginx speaks as ever.
sub foreign ($name, $r, $status) {
    is($r->status, $status, "$name: $status");
    is($r->header('content-type'), 'text/html', "$name: nginx's own words");
    is($r->id, '', "$name: no id");
}

foreign('a path of the operator\'s', $t->request(path => '/nothing',
    nginx => 1), 404);
foreign('a location of his below /v1/', $t->request(path => '/v1/open',
    nginx => 1), 500);
foreign('a bad header there', $t->request(nginx => 1, raw =>
    "GET /plain HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);

{
    local $t->{port} = $other;

    foreign('a server without a gateway', $t->request(nginx => 1,
        raw => "GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    foreign('not even a path', $t->request(nginx => 1, raw =>
        "GET\r\n\r\n"), 400);
}


is($t->chat($key)->status, 200, 'and all goes on');

$t->finish;

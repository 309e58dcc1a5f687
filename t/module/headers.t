# What goes up of a client's headers and what comes down of the upstream's.
# Threats A12, H10, H23, H31, H33, K13.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new;
my $key = $t->project('alice');
my $answer = '{"usage":{"prompt_tokens":24,"completion_tokens":2,'
    . '"total_tokens":26}}';
my $subkey = $t->{secrets}{'the upstream\'s key'};


# --- up ---

# The headers that the upstream saw of a call with these.
sub seen (@headers) {
    $t->sim->reset;
    $t->sim->script(body => $answer);

    my $r = $t->request(key => $key, json => AIGW::chat_body(),
        headers => \@headers);

    is($r->status, 200, 'a call with ' . (join(' ', @headers[0 .. 1]))
        =~ s/aigw_\w+|[^ -~]/./gr);

    return ($t->sim->seen)[0]{headers};
}

my %always = (host => 'sim4s', authorization => "Bearer $subkey",
    'accept-encoding' => 'identity', 'content-type' => 'application/json',
    'content-length' => length AIGW::HTTP::bytes(json => AIGW::chat_body())
        =~ s/.*\r\n\r\n//sr);

is_deeply(seen('X-Nothing', 'a'), \%always,
    'H23 what goes up when nothing may');

is_deeply(seen('Accept', '*/*', 'Accept-Language', 'de', 'OpenAI-Beta',
    'assistants=v2', 'User-Agent', 'OpenAI/Python 3.3.1'), { %always,
    accept => '*/*', 'accept-language' => 'de',
    'openai-beta' => 'assistants=v2', 'user-agent' => 'OpenAI/Python 3.3.1',
}, 'H23 and what may');

for my $pair (
    ['Cookie', 'session=1'], ['X-Forwarded-For', '1.2.3.4'],
    ['Forwarded', 'for=1.2.3.4'], ['Via', '1.1 proxy'],
    ['X-Real-IP', '1.2.3.4'], ['Origin', 'https://a.example'],
    ['Referer', 'https://a.example/secret'], ['OpenAI-Organization', 'org-1'],
    ['OpenAI-Project', 'proj_1'], ['X-Stainless-OS', 'Linux'],
    ['X-Aigw-Tag', 'scene'], ['X-Request-Id', 'mine'],
    ['Idempotency-Key', 'x'], ['Accept-Encoding', 'gzip, br, zstd'],
    ['TE', 'trailers'], ['Upgrade', 'h2c'], ['Expect', ''],
    ['Keep-Alive', 'timeout=9'], ['Proxy-Authorization', 'Basic eDp5'],
    ['New-Api-User', '1'], ['mj-api-secret', 'x'], ['Range', 'bytes=0-1'],
    ['If-None-Match', '"x"'], ['If-Modified-Since', 'Thu, 01 Jan 1970'],
    ['Sec-WebSocket-Protocol', 'openai-insecure-api-key.x'],
    ['X-Api-Key', $key], ['api-key', $key], ['x-goog-api-key', $key],
    ['Connection', 'close, Authorization'], ['Content-Encoding', 'identity'],
    ['X-HTTP-Method-Override', 'DELETE'], ['X-Original-URL', '/admin'],
    ['content_type', 'x'], ['Authorization_', 'x'],
)
{
    my $id = $pair->[0] =~ /_/ ? 'H10' : 'H23 A12';

    is_deeply(seen(@$pair), \%always, "$id not $pair->[0]");
}

is_deeply(seen(map { ("X-Many-$_", 'y' x 30) } 1 .. 200), \%always,
    'H23 nor any of 200 others');
is(seen('X-Aigw-Nothing', 'x')->{authorization}, "Bearer $subkey",
    'A12 the upstream\'s own key, once');

# Lists of nginx's that outgrow their first part keep what is behind it.
is(seen((map { ("X-Many-$_", 'z') } 1 .. 60), 'Accept', 'last')->{accept},
    'last', 'H23 one that may, behind 60 others');

# The body's type as the client has it, parameters and all.
is(seen('Content-Type', 'application/json; charset=utf-8')->{'content-type'},
    'application/json; charset=utf-8', 'H23 the type goes up as it is');


# --- down ---

# The headers that a client gets of an answer with these, without those that
# nginx makes.
sub told (@headers) {
    $t->sim->script(body => $answer, headers =>
        ['Content-Type', 'application/json', @headers]);

    my $r = $t->request(key => $key, json => AIGW::chat_body());
    my %got = %{ $r->{headers} };

    like($got{'x-request-id'}, qr/\A[0-9a-f]{32}\z/, 'an id of ours');
    delete @got{qw(x-request-id server date connection content-length
        content-type transfer-encoding)};

    return \%got;
}

for my $pair (
    ['OpenAI-Organization', 'org-of-the-operator'], ['openai-version', '1'],
    ['OpenAI-Processing-Ms', '12'], ['x-request-id', 'req_upstream'],
    ['X-Request-ID', 'req_upstream'], ['request-id', 'req_1'],
    ['X-Oneapi-Request-Id', '2026'], ['X-New-Api-Version', 'v1'],
    ['x-ratelimit-limit-requests', '10'],
    ['x-ratelimit-remaining-tokens', '1'], ['anthropic-organization-id', 'x'],
    ['anthropic-ratelimit-tokens-limit', '1'], ['Set-Cookie', '__cf_bm=x'],
    ['cf-ray', 'x'], ['CF-Cache-Status', 'x'], ['alt-svc', 'h3=":443"'],
    ['Strict-Transport-Security', 'max-age=9'], ['Via', '1.1 caddy'],
    ['x-aigw-clamped', '5'], ['X-AIGW-Anything', '5'],
    ['Access-Control-Allow-Origin', '*'],
    ['access-control-allow-credentials', 'true'],
    ['X-Accel-Expires', '5'],
    ['Set-Cookie', "a=1\r\nSet-Cookie: b=2\r\nset-cookie: c=3"],
)
{
    is_deeply(told(@$pair), {}, "H33 $pair->[0] stays here");
}

is_deeply(told('Cache-Control', 'no-cache', 'X-Other', 'a', 'Retry-After', 7,
    'x-should-retry', 'true'), { 'cache-control' => 'no-cache',
    'x-other' => 'a', 'retry-after' => 7, 'x-should-retry' => 'true' },
    'H33 all else comes down');
is_deeply(told(map { ("X-Many-$_", 'z', "x-ratelimit-$_", 1) } 1 .. 40),
    { map { ("x-many-$_", 'z') } 1 .. 40 }, 'H33 out of a long list, too');


# --- errors and redirects ---

sub ends ($name, $script, $status, $code) {
    my $count = $t->sim->count;

    $t->sim->script(%$script);

    my $r = $t->request(key => $key, json => AIGW::chat_body());

    is($r->status, $status, "$name: $status");
    is($r->code, $code, "$name: $code");
    is($t->sim->count, $count + 1, "$name: one request, and none elsewhere");

    return $r;
}

# K13: another host, and one's own: no redirect is followed with the key.
my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5);
my $elsewhere = 'http://127.0.0.1:' . $listen->sockport . '/v1/x';

for my $status ('301 Moved', '302 Found', '303 See Other', '307 Temporary',
    '308 Permanent')
{
    for my $to ($elsewhere, '/v1/chat/completions') {
        my $r = ends("K13 H33 $status to $to", { status => $status, body => '',
            headers => ['Location', $to, 'Refresh', "0; url=$to"] },
            502, 'upstream_error');

        is_deeply([grep { defined } map { $r->header($_) }
            qw(location refresh)], [], "K13 $status: nor shown");
    }
}

ok(!IO::Select->new($listen)->can_read(0.1),
    'K13 nobody has called the other host');

for my $status ('300 Choices', '304 Not Modified', '305 Use Proxy',
    '418 Teapot', '600 Odd', '999 Odd')
{
    ends("H33 $status", { status => $status, body => '', headers => [] },
        502, 'upstream_error');
}

my $r = ends('H33 an error with the operator\'s headers', {
    status => '500 Oops', body => '{"error":{"code":"oops"}}', headers =>
    ['Content-Type', 'application/json', 'OpenAI-Organization', 'org',
    'x-request-id', 'req_up', 'X-Ratelimit-Limit-Requests', 10] },
    500, 'oops');

is_deeply([grep { defined } map { $r->header($_) }
    qw(openai-organization x-ratelimit-limit-requests)], [],
    'H33 keeps them here');
isnt($r->id, 'req_up', 'and has our id');

# A 100 and a 103 before the answer are the upstream's own business.
$t->sim->script(raw => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
    . "Content-Type: application/json\r\nContent-Length: " . length($answer)
    . "\r\n\r\n$answer", then => 'close');
$r = $t->request(key => $key, json => AIGW::chat_body());
isnt($r->status, 100, 'H33 a 1xx is no answer');
like($r->status, qr/^(?:200|502)$/, 'H33 but what follows, or a failure');

# Headers larger than nginx's buffers, and a line that is none.
ends('H33 a header of 64 KB', { body => $answer, headers =>
    ['Content-Type', 'application/json', 'X-Long', 'x' x 65536] },
    502, 'upstream_error');
ends('H33 a control character in a header', { body => $answer, headers =>
    ['Content-Type', 'application/json', "X\x01Y", "a"] }, 502,
    'upstream_error');

$t->finish;

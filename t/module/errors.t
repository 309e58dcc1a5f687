# What the upstream does wrong, and what the client is told: wire-formats 1.7
# and 3.3, threats H33, J26, Q17, Q18. Nothing of it is charged.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new(location => 'proxy_read_timeout 1s;');
my $key = $t->project('alice');
my @html = (headers => ['Content-Type', 'text/html']);


# A call with that answer scripted: status and code for the client, the row.
sub fails ($name, $script, $status, $code, %more) {
    $t->sim->script(%$script) if $script;

    for my $stream (0, 1) {
        next if $stream && !$more{stream};

        my $r = $t->chat($key, $stream ? (stream => JSON::PP::true) : ());
        my $e = ($r->json // {})->{error};

        is($r->status, $status, "$name: $status") or diag $r->body;
        is(ref $e eq 'HASH' ? $e->{code} : undef, $code, "$name: $code")
            or diag $r->body;
        like($r->header('content-type') // '', qr{^application/json},
            "$name: JSON");
        unlike($r->body, qr/SECRET/, "$name: none of its text")
            if !$more{passes};
        is($r->header('x-should-retry'), $more{retry}, "$name: x-should-retry");

        my $row = $t->row($r);

        is_deeply([@$row{qw(status verdict settled cost)}],
            [$status, $more{verdict} // $code, 'void', '0'], "$name: the row")
            or diag explain $row;
    }
}


sub error ($code, $type = 'new_api_error') {
    return '{"error":{"message":"SECRET (request id: 1)","type":"' . $type
        . '","param":"","code":"' . $code . '"}}';
}


# --- its answers ---

fails('its 401', { status => '401 Unauthorized', body => error('') },
    503, 'upstream_auth_error', retry => 'false');
fails('its 403', { status => '403 Forbidden', body => error('access_denied') },
    503, 'upstream_auth_error', retry => 'false');
fails("its account is empty", { status => '403 Forbidden',
    body => error('insufficient_user_quota') },
    503, 'upstream_quota_exhausted', retry => 'false');
fails("its key's quota is spent", { status => '403 Forbidden',
    body => error('pre_consume_token_quota_failed') },
    503, 'upstream_quota_exhausted', retry => 'false');
fails('its 403 is HTML', { status => '403 Forbidden', @html,
    body => '<h1>SECRET</h1>' }, 503, 'upstream_auth_error',
    retry => 'false');

fails('its 500 in JSON passes', { status => '500 Internal Server Error',
    body => error('do_request_failed') }, 500, 'do_request_failed',
    passes => 1, verdict => 'upstream_status');
fails('its 400 passes', { status => '400 Bad Request',
    body => error('invalid_request', 'invalid_request_error') },
    400, 'invalid_request', passes => 1, verdict => 'upstream_status');

$t->sim->script(status => '429 Too Many Requests', body => error('slow_down'),
    headers => ['Content-Type', 'application/json', 'Retry-After', 3]);

my $r = $t->chat($key);

is($r->status, 429, 'H33 its 429 passes');
is($r->json->{error}{code}, 'slow_down', 'with its code');
is($r->header('retry-after'), 3, 'and Retry-After');
is($t->row($r)->{settled}, 'void', 'void');

fails('a CDN\'s 502', { status => '502 Bad Gateway', @html,
    body => '<html>SECRET</html>' }, 502, 'upstream_error');
fails('a CDN\'s 520', { status => '520 Unknown', @html,
    body => '<html>SECRET</html>' }, 502, 'upstream_error');
fails('a CDN\'s 524 is its timeout', { status => '524 Timeout', @html,
    body => '<html>SECRET</html>' }, 504, 'upstream_timeout',
    retry => 'false');

$t->sim->script(body => error('x'));
$r = $t->chat($key);
is($r->status, 200, 'J26 a 200 with an error passes');
is_deeply([@{ $t->row($r) }{qw(cost settled)}], ['0', 'void'],
    'J26 and costs nothing');
isnt($t->row($r)->{verdict}, 'ok', 'J26 its row does not say ok');


# --- no answer ---

fails('garbage', { raw => "SECRET\r\n\r\n", then => 'close' },
    502, 'upstream_error');
fails('closed without an answer', { raw => '', then => 'close' },
    502, 'upstream_error');
fails('reset without an answer', { raw => '', then => 'reset' },
    502, 'upstream_error');
fails('silence', { raw => 'SECRET', gates => [0] },
    504, 'upstream_timeout', retry => 'false');

is($t->chat($key)->status, 200, 'and then it works again');

# The head has gone down by then: what is left is to end the answer visibly.
$t->sim->script(body => '{"a":', gates => [1], length => 99);
$r = $t->chat($key);
isnt($r->{ended}, 'length', 'silence behind the head: not whole');
isnt($t->row($r)->{settled}, 'exact', 'nor called exact');

$t->sim->script(body => '{"usage":{"prompt_tokens":1,"completion', length => 99,
    then => 'close');
$r = $t->chat($key);
isnt($r->{ended}, 'length', 'H33 a short body does not look whole');

my $row = $t->row($r);

isnt($row->{settled}, 'exact', 'H33 nor is it called exact');


# --- nobody there ---

is($t->stop, 0, 'nginx ends');
$t->{upstream} = '127.0.0.1:' . AIGW::free_port();
$t->configure;
$t->start;

$r = $t->chat($key);
is($r->status, 502, 'Q17 connection refused: 502');
is($r->code, 'upstream_unavailable', 'Q17 upstream_unavailable');
is_deeply([@{ $t->row($r) }{qw(cost settled verdict)}],
    ['0', 'void', 'upstream_unavailable'], 'Q17 the row');

$r = $t->stream($key)->response;
is($r->code, 'upstream_unavailable', 'Q17 for a stream, too');

# Bad bodies and methods are told in JSON whatever the upstream does.
$r = $t->request(key => $key, body => 'a' x 1000, headers =>
    ['Content-Type', 'text/plain']);
is($r->status, 415, 'H29 a body that is no JSON: 415');
is($r->code, 'unsupported_media_type', 'with its code');

for my $encoding (qw(gzip br zstd deflate), 'identity, gzip') {
    $r = $t->request(key => $key, body => "\x1f\x8b", headers =>
        ['Content-Type', 'application/json', 'Content-Encoding', $encoding]);
    is($r->status, 415, "H29 H32 a body in $encoding: 415, not inflated");
}

# K03: nginx prints the request line with each error of an upstream.
my $mark = 'mark' . AIGW::random_text(30);

$t->secret('a key in a URL', $mark);

for my $query ("key=$mark", "a=1&api_key=$mark", "access_token=$mark",
    "x=$key")
{
    $r = $t->request(key => $key, json => AIGW::chat_body(),
        path => "/v1/chat/completions?$query");
    is($r->code, 'credentials_in_url', 'K03 refused before the upstream');
}

is_deeply([AIGW::Check::find($t, AIGW::slurp("$t->{dir}/error.log"))], [],
    'K03 error.log has no key of a URL');
like(AIGW::slurp("$t->{dir}/error.log"), qr/Connection refused.*request: "POST/,
    'K03 though it has request lines');

is($t->stop, 0, 'nginx ends');
$t->{max_body} = '1k';
$t->configure;
$t->start;

$r = $t->request(key => $key, body => '{"a":"' . 'a' x 2000 . '"}');
is($r->status, 413, 'a body too large: 413');
is($r->code, 'request_too_large', 'with its code');

$t->finish;

# Browsers: pages of the origins in the setting cors_origins may read answers,
# others may not; OPTIONS is answered here. Issue 4; threats H17, M21.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new(location => 'proxy_read_timeout 1s;');
my $key = $t->project('alice');
my $path = '/v1/chat/completions';
my $page = 'https://app.example.com';
my @cors = qw(access-control-allow-origin access-control-allow-methods
    access-control-allow-headers access-control-max-age
    access-control-expose-headers access-control-allow-credentials vary);


sub preflight ($origin, %more) {
    return $t->request(method => 'OPTIONS', path => $more{path} // $path,
        headers => ['Origin', $origin, 'Access-Control-Request-Method', 'POST',
        'Access-Control-Request-Headers', $more{ask}
        // 'authorization,content-type,x-stainless-os']);
}


sub cors_of ($r) {
    return { map { defined $r->header($_) ? ($_ => $r->header($_)) : () }
        @cors };
}


sub allows_nothing ($name, $origin) {
    my $r = preflight($origin);

    is($r->status, 204, "$name: the preflight is answered");
    is_deeply(cors_of($r), {}, "$name: allows nothing");
    is($r->header('allow'), 'POST', "$name: with Allow");

    $r = $t->request(key => $key, json => AIGW::chat_body(),
        headers => ['Origin', $origin]);
    is($r->status, 200, "$name: CORS grants and takes no access");
    is_deeply(cors_of($r), {}, "$name: no answer to be read by a page");
}


allows_nothing('none is set', $page);
is($t->request(method => 'OPTIONS', path => $path)->status, 204,
    'OPTIONS without an origin');

$t->json('setting', 'set', 'cors_origins', "$page,http://localhost:3000");

for my $origin ($page, 'http://localhost:3000') {
    my $r = preflight($origin);

    is($r->status, 204, "$origin: a preflight");
    is($r->body, '', 'has no body');
    is_deeply(cors_of($r), {
        'access-control-allow-origin' => $origin,
        'access-control-allow-methods' => 'POST',
        'access-control-allow-headers' =>
            'authorization,content-type,x-stainless-os',
        'access-control-max-age' => 600,
        'access-control-expose-headers' =>
            'x-request-id, x-should-retry, retry-after',
        vary => 'Origin',
    }, 'and all that a browser asks about') or diag explain cors_of($r);
}

is(preflight($page, path => '/v1/models')
    ->header('access-control-allow-methods'), 'GET, HEAD',
    'the methods are the path\'s');
is(preflight($page, ask => 'a, b-c')->header('access-control-allow-headers'),
    'a, b-c', 'the headers are those that were asked for');

for my $ask ('x;y', "x\ty", 'x:y', '"x"', 'x' x 2000) {
    is(preflight($page, ask => $ask)->header('access-control-allow-headers'),
        'authorization, content-type', 'or the usual, if those are no names');
}

# M21: what only looks like a listed origin is none.
for my $origin ('null', 'https://evil.example.com', "$page.evil.com",
    'http://app.example.com', 'https://app.example.com:8443', "$page/",
    'HTTPS://APP.EXAMPLE.COM', 'https://app.example.co', ',',
    "$page,http://localhost:3000", '*', ' ')
{
    is_deeply(cors_of(preflight($origin)), {},
        "M21 '$origin' is not in the list");
}

# Every answer can be read by a page, errors most of all.
sub readable ($name, $status, $r) {
    is($r->status, $status, "$name: $status") or diag $r->body;
    is_deeply(cors_of($r), {
        'access-control-allow-origin' => $page,
        'access-control-expose-headers' =>
            'x-request-id, x-should-retry, retry-after',
        vary => 'Origin',
    }, "$name: can be read by a page") or diag explain cors_of($r);
}

my @from = (headers => ['Origin', $page]);
my %chat = (json => AIGW::chat_body(), @from);

readable('JSON', 200, $t->request(key => $key, %chat));
readable('a stream', 200, $t->request(key => $key, @from,
    json => AIGW::chat_body(stream => JSON::PP::true)));
readable('models', 200, $t->request(key => $key, path => '/v1/models', @from));
readable('one model', 404, $t->request(key => $key, path => '/v1/models/x',
    @from));
readable('no key', 401, $t->request(%chat));
readable('no such path', 404, $t->request(key => $key, path => '/v1/x',
    %chat));
readable('a wrong method', 405, $t->request(key => $key, method => 'PUT',
    %chat));
readable('a bad body', 400, $t->request(key => $key, body => '{', @from));

$t->sim->script(status => '500 Oops', body => '{"error":{}}', headers =>
    ['Content-Type', 'application/json', 'Access-Control-Allow-Origin', '*',
    'Access-Control-Allow-Credentials', 'true']);
readable('an upstream\'s error', 500, $t->request(key => $key, %chat));

$t->sim->script(body => '{"usage":{"prompt_tokens":1}}', headers =>
    ['Content-Type', 'application/json', 'Access-Control-Allow-Origin', '*',
    'Access-Control-Allow-Credentials', 'true',
    'Access-Control-Allow-Origin', 'https://evil.example.com']);
readable('an upstream\'s own permissions', 200, $t->request(key => $key,
    %chat));

$t->sim->script(raw => '', then => 'close');
readable('no answer', 502, $t->request(key => $key, %chat));
$t->sim->script(raw => 'x', gates => [0]);
readable('too late', 504, $t->request(key => $key, %chat));
readable('nginx\'s own 400', 400, $t->request(key => $key,
    json => AIGW::chat_body(), headers => ['Origin', $page,
    'Host', 'second']));

$t->json('setting', 'set', 'cors_origins', '*');
is(preflight('https://anybody.example')
    ->header('access-control-allow-origin'), 'https://anybody.example',
    '"*" is everybody, by name');
is(preflight($page)->header('access-control-allow-credentials'), undef,
    'M21 and never with credentials');

$t->json('setting', 'set', 'cors_origins', '');
allows_nothing('taken back', $page);

$t->finish;

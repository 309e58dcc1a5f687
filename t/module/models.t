# What is answered without the upstream: GET /v1/models filtered by the key,
# unknown paths and methods in JSON. Threats A15, A20, A21, H11 to H17.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new;
my $all = $t->project('alice');
my $some = $t->project('bob', '--models', 'gpt-4o*,o3');
my $none = $t->project('carol', '--models', 'nothing-like-it');


sub ids ($key) {
    my $r = $t->request(path => '/v1/models', key => $key);

    is($r->status, 200, 'models: 200');
    is($r->header('content-type'), 'application/json', 'JSON');
    is($r->json->{object}, 'list', 'a list');

    return [map { $_->{id} } @{ $r->json->{data} }];
}


is_deeply(ids($all), [], 'none is known, "*" is no model');

$t->json('model', 'set', $_) for qw(gpt-4o gpt-4o-mini claude-sonnet-4-5);
$t->json('price', 'set', 'o3', '--prompt', 1, '--completion', 2);
$t->json('model', 'set', "we\"ird/m\xc3\xb6del") ;

is_deeply([sort @{ ids($all) }],
    [sort qw(claude-sonnet-4-5 gpt-4o gpt-4o-mini o3), "we\"ird/m\x{f6}del"],
    'what was set or priced is listed at once');
is_deeply([sort @{ ids($some) }], [qw(gpt-4o gpt-4o-mini o3)],
    'A21 a restricted key sees its own');
is_deeply(ids($none), [], 'A21 or none');

my $list = $t->request(path => '/v1/models', key => $all)->json->{data};

is($list->[0]{object}, 'model', 'each is a model');
like($list->[0]{created}, qr/^\d+$/, 'with a time');
ok(defined $list->[0]{owned_by}, 'and an owner');

$t->json('model', 'set', sprintf 'm-%04d', $_) for 1 .. 120;
is(@{ ids($all) }, 125, 'all of many');

is($t->request(path => '/v1/models')->status, 401, 'not without a key');
is($t->request(path => '/v1/models', key => $all . 'x')->status, 401,
    'nor with a wrong one');


# --- paths and methods ---

sub told ($name, $r, $status, $code) {
    is($r->status, $status, "$name: $status") or diag $r->body;
    is($r->code, $code, "$name: $code");
    is($r->header('content-type'), 'application/json', "$name: JSON");

    return $r;
}

for my $path (qw(/v1/ /v1/chat /v1/chat/completions/ /v1/chat/completions.json
    /v1/Chat/completions /v1/v1/chat/completions /v1/embeddings
    /v1/models/gpt-4o /v1/..;/admin /v1/%252e%252e/admin
    /v1/engines/gpt-4o/completions))
{
    told("H16 $path", $t->request(path => $path, key => $all,
        json => AIGW::chat_body()), 404, 'unknown_url');
}

for my $method (qw(GET PUT DELETE PATCH OPTIONS PROPFIND)) {
    my $r = told("H17 $method on chat", $t->request(method => $method,
        path => '/v1/chat/completions', key => $all), 405, 'unknown_url');

    is($r->header('allow'), 'POST', "H17 $method: Allow");
}

my $r = told('H17 POST on models', $t->request(path => '/v1/models',
    key => $all, json => {}), 405, 'unknown_url');

like($r->header('allow'), qr/^GET\b/, 'H17 POST on models: Allow');

for my $path ('/v1/../admin', '/v1/%2e%2e/admin') {
    is($t->request(path => $path, nginx => 1)->status, 404,
        "H11 $path: 404");
}

is($t->sim->count, 0, 'nothing of all that went upstream');

# A15: the query says nothing, the upstream sees the body's model and no query.
$r = $t->request(path => '/v1/chat/completions?model=gpt-5&x=1', key => $some,
    json => AIGW::chat_body());
is($r->status, 200, 'A15 a query beside the body');

my ($seen) = $t->sim->seen;

is($seen->{line}, 'POST /v1/chat/completions HTTP/1.1',
    'H12 the upstream sees the route\'s own path');
$r = $t->request(path => '//v1//chat/./completions', key => $some,
    json => AIGW::chat_body());
is($r->status, 200, 'H12 a path that nginx makes plain');
is(($t->sim->seen)[1]{line}, 'POST /v1/chat/completions HTTP/1.1',
    'H12 goes up plain');


# H23: what goes up of the client's headers.
$t->sim->reset;
$t->request(key => $all, json => AIGW::chat_body(), headers => [
    'Cookie', 'a=b', 'X-Forwarded-For', '1.2.3.4', 'Forwarded', 'for=1.2.3.4',
    'Accept-Encoding', 'gzip, br', 'OpenAI-Organization', 'org', 'TE',
    'trailers', 'X-Aigw-Tag', 'scene']);
($seen) = $t->sim->seen;
unlike($seen->{head}, qr/^(?:cookie|openai-organization|te|x-aigw-tag):/im,
    'H23 nothing that is the client\'s own business');
is($seen->{headers}{'accept-encoding'} // 'identity', 'identity',
    'H31 no encoding is asked for');

$t->finish;

# Paths and methods: what is served, what goes up in its place, and how all
# else is refused. Threats A15, A20, H11 to H18, H21.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new;
my $key = $t->project('alice');
my $some = $t->project('bob', '--models', 'gpt-4o*');

my %row = (chat => '/v1/chat/completions', completions => '/v1/completions',
    embeddings => '/v1/embeddings');
my %body = (
    chat => AIGW::chat_body(),
    completions => { model => 'gpt-4o-mini', prompt => 'once' },
    embeddings => { model => 'gpt-4o-mini', input => ['a', 'b'] },
);
my $usage = '"usage":{"prompt_tokens":24,"completion_tokens":2,'
    . '"total_tokens":26}';


sub told ($name, $r, $status, $code) {
    is($r->status, $status, "$name: $status") or diag $r->body;
    is($r->code, $code, "$name: $code");
    is($r->header('content-type'), 'application/json', "$name: JSON");

    return $r;
}


# --- what is served ---

for my $route (sort keys %row) {
    $t->sim->reset;
    $t->sim->script(body => "{\"object\":\"x\",$usage}");

    my $r = $t->request(path => $row{$route}, key => $key,
        json => $body{$route});
    my ($seen) = $t->sim->seen;
    my $row = $t->row($r);

    is($r->body, "{\"object\":\"x\",$usage}", "$route: the answer");
    is($seen->{line}, "POST $row{$route} HTTP/1.1", "$route: the path");
    is_deeply(JSON::PP::decode_json($seen->{body}), $body{$route},
        "$route: the body");
    is_deeply([@$row{qw(route model settled total_tokens status)}],
        [$row{$route}, 'gpt-4o-mini', 'exact', 26, 200], "$route: the row")
        or diag explain $row;
}

# An embedding has no output: all that is counted is input.
$t->sim->script(body => '{"data":[],"usage":{"prompt_tokens":9,'
    . '"total_tokens":9}}');

my $r = $t->request(path => $row{embeddings}, key => $key,
    json => $body{embeddings});

is_deeply([@{ $t->row($r) }{qw(prompt_tokens completion_tokens cost settled)}],
    [9, 0, '0.00009', 'exact'], 'embeddings: input only');

$t->sim->script(body => '{"data":[],"usage":{"total_tokens":9}}');
$r = $t->request(path => $row{embeddings}, key => $key,
    json => $body{embeddings});
is_deeply([@{ $t->row($r) }{qw(prompt_tokens completion_tokens settled)}],
    [9, 0, 'exact'], 'embeddings: a total alone is input');

# Streams of the legacy route are metered and spliced as those of chat are.
my $text = qq(data: {"choices":[{"text":"hi"}],"usage":null}\n\n);

$t->sim->reset;
$t->sim->script(headers => ['Content-Type', 'text/event-stream'],
    chunked => 1, body => "${text}data: {\"choices\":[],$usage}\n\n"
    . "data: [DONE]\n\n");
$r = $t->request(path => $row{completions}, key => $key, json => {
    %{ $body{completions} }, stream => JSON::PP::true });
is($r->body, "${text}data: [DONE]\n\n", 'completions: the usage is hidden');
is($t->row($r)->{total_tokens}, 26, 'completions: and counted');
ok(JSON::PP::decode_json(($t->sim->seen)[0]{body})
    ->{stream_options}{include_usage}, 'completions: it was asked for');

# "stream" means nothing to embeddings: nothing is spliced in.
$t->sim->reset;
$t->sim->script(body => "{$usage}");
$r = $t->request(path => $row{embeddings}, key => $key,
    json => { %{ $body{embeddings} }, stream => JSON::PP::true });
is_deeply(JSON::PP::decode_json(($t->sim->seen)[0]{body}),
    { %{ $body{embeddings} }, stream => JSON::PP::true },
    'embeddings: the body is never changed');


# --- unknown paths ---

$t->sim->reset;

for my $path (qw(/v1/ /v1/chat /v1/chat/completions/ /v1/chat/completions.json
    /v1/models/ /v1/Chat/completions /v1/completions/ /v1/embedding /v1/modelsx
    //v1//chat /v1/responses /v1/messages /v1/files /v1/..;/admin /v1/..\\admin
    /v1/%252e%252e/admin /v1/a%0d%0aX:1 /v1/engines/gpt-4o/completions
    /v1/chat/completions%20 /v1/chat/completions;x=1
    /v1/openai/deployments/gpt-4o/chat/completions))
{
    told("H13 H16 $path", $t->request(path => $path, key => $key,
        json => AIGW::chat_body()), 404, 'unknown_url');
}

for my $path ('/v1/v1/chat/completions', '/v1/v1/models', '/v1/v1/') {
    $r = told("$path", $t->request(path => $path, key => $key,
        json => AIGW::chat_body()), 404, 'unknown_url');
    like($r->json->{error}{message}, qr/\/v1 twice.*base URL/,
        "$path: says what is wrong with the base URL");
}

unlike($t->request(path => '/v1/v10', key => $key)->json->{error}{message},
    qr/twice/, 'but not to others');

for my $path ('/v1/../admin', '/v1/%2e%2e/admin',
    '/v1/chat%2f..%2f..%2fadmin', '/v2/chat/completions', '/v1',
    '/admin/')
{
    isnt($t->request(path => $path, nginx => 1, key => $key)->status, 200,
        "H11 H16 $path is not ours");
}


# --- methods ---

for my $route (sort keys %row) {
    for my $method (qw(GET HEAD PUT DELETE PATCH PROPFIND)) {
        $r = $t->request(method => $method, path => $row{$route},
            key => $key, nginx => $method eq 'HEAD');

        is($r->status, 405, "H17 $method on $route: 405");
        is($r->header('allow'), 'POST', "H17 $method on $route: Allow");
        is($r->code, 'unknown_url', "H17 $method on $route: JSON")
            if $method ne 'HEAD';
    }

    $r = $t->request(method => 'OPTIONS', path => $row{$route});
    is($r->status, 204, "H17 OPTIONS on $route is answered here");
    is($r->header('allow'), 'POST', "H17 OPTIONS on $route: Allow");
}

for my $path ('/v1/models', '/v1/models/gpt-4o') {
    for my $method (qw(POST PUT DELETE)) {
        $r = told("H17 $method on $path", $t->request(method => $method,
            path => $path, key => $key), 405, 'unknown_url');
        is($r->header('allow'), 'GET, HEAD', "H17 $method on $path: Allow");
    }

    $r = $t->request(method => 'OPTIONS', path => $path);
    is($r->header('allow'), 'GET, HEAD', "H17 OPTIONS on $path: Allow");
}

told('H17 OPTIONS on nothing', $t->request(method => 'OPTIONS',
    path => '/v1/nothing', key => $key), 404, 'unknown_url');
is($t->request(method => 'PUT', path => $row{chat})->status, 401,
    'H17 methods are told to those who have a key');

is($t->request(method => 'TRACE', path => $row{chat}, key => $key,
    nginx => 1)->status, 405, 'H18 TRACE: 405');

# nginx refuses it; from 1.29.3 on it reads a host where the path should be
for my $where ($row{chat}, '127.0.0.1:443') {
    like($t->request(method => 'CONNECT', path => $where, key => $key,
        nginx => 1)->status, qr/^40[05]$/, "H18 CONNECT $where: refused");
}

is($t->request(method => 'post', path => $row{chat}, key => $key,
    nginx => 1, body => '{}')->status, 400, 'H18 post: 400');
is($t->sim->count, 0, 'nothing of all that went upstream');


# --- what goes up in the path's place ---

$r = $t->request(path => '/v1/chat/completions?model=gpt-5&x=1', key => $some,
    json => AIGW::chat_body());
is($r->status, 200, 'A15 a query beside the body');
is(($t->sim->seen)[0]{line}, 'POST /v1/chat/completions HTTP/1.1',
    'A15 the upstream sees the body\'s model and no query');

for my $path ('//v1//chat/./completions', '/admin/../v1/chat/completions',
    '/v1/%63hat/completions', '/v1/chat/x/../completions',
    '/v1/chat/completions#/admin', '/v1/chat/completions?a=1#x')
{
    $t->sim->reset;

    # a path that the rows' check does not know for one of ours
    my $plain = $path =~ m{^/v1/chat/completions\?|^//};

    $r = $t->request(path => $path, key => $some, nginx => !$plain,
        json => AIGW::chat_body());
    $t->expect_rows(1) if !$plain;
    is($r->status, 200, "H12 $path is taken");
    is(($t->sim->seen)[0]{line}, 'POST /v1/chat/completions HTTP/1.1',
        "H12 $path goes up as the route's own");
}


# --- a pipeline ---

{
    my $c = $t->connect;
    my @keys = map { $_ % 3 ? $key : $key . 'x' } 1 .. 100;

    $t->sim->reset;
    $c->send(join '', map {
        AIGW::HTTP::bytes(key => $keys[$_],
            json => AIGW::chat_body(max_tokens => $_ % 7 + 1))
    } 0 .. $#keys);

    my (@wrong, @tokens);

    for my $i (0 .. $#keys) {
        my $want = $keys[$i] eq $key ? 200 : 401;

        $r = $c->expect->response;
        push @wrong, "$i: $r->{status}" if $r->status != $want;
        push @tokens, "$i" if $want == 200
            && $r->json->{usage}{completion_tokens} != $i % 7 + 1;
    }

    is_deeply(\@wrong, [], 'H21 100 requests in a pipeline, each judged alone');
    is_deeply(\@tokens, [], 'H21 in their order');
    is($t->sim->count, 67, 'H21 those that may went upstream');
}

$t->finish;

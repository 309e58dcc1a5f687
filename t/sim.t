# The simulated 4sapi by itself: what it answers unasked, and that a script is
# followed to the byte.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use AIGW;
use AIGW::HTTP;
use AIGW::Sim;

my $dir = File::Temp->newdir(TMPDIR => 1);
my $binary = "$AIGW::build/aigw-sim";

open my $fh, '>', "$dir/key" or die;
print $fh "sk-right-key\n";
close $fh;

my $sim = AIGW::Sim->new($binary, '--key-file', "$dir/key");


sub ask (%q) {
    return AIGW::HTTP->new($sim->port)->ask(key => 'sk-right-key', %q)
        ->response;
}

# 10 + 2 bytes of messages: 3 tokens.
sub body (%more) {
    return { model => "m\"\x{e9}", messages => ['12345678'], %more };
}

my $true = JSON::PP::true;


# --- default answers ---

my $r = ask(json => body());

is($r->status, 200, 'chat: 200');
is($r->{ended}, 'length', 'with a Content-Length');
is($r->json->{model}, "m\"\x{e9}", 'the model comes back, escapes and all');
is_deeply([@{ $r->json->{usage} }{qw(prompt_tokens completion_tokens
    total_tokens)}], [3, 16, 19], 'usage: a quarter of messages, 16 words');
is(scalar split(' ', $r->json->{choices}[0]{message}{content}), 16,
    'as many words as tokens');
is($r->json->{choices}[0]{finish_reason}, 'stop', 'it stops by itself');
is(ask(json => body())->json->{choices}[0]{message}{content},
    $r->json->{choices}[0]{message}{content}, 'the same words again');

for my $limit (qw(max_tokens max_completion_tokens)) {
    $r = ask(json => body($limit => 2, n => 3));
    is($r->json->{usage}{completion_tokens}, 6, "$limit times n");
    is(@{ $r->json->{choices} }, 3, 'n choices');
    is($r->json->{choices}[2]{finish_reason}, 'length', 'cut by the limit');
}

is(ask(json => body(max_tokens => undef))->json->{usage}{completion_tokens},
    16, 'a limit of null is none');

$r = ask(json => body(stream => $true, max_tokens => 2));
is($r->header('Content-Type'), 'text/event-stream', 'a stream');
is($r->{ended}, 'chunked', 'ends properly');

my @events = $r->events;

is(@events, 5, 'role, two words, finish, DONE');
is($events[-1], '[DONE]', 'DONE is last');
unlike($r->body, qr/usage/, 'no usage unless asked for');

@events = map { $_ eq '[DONE]' ? $_ : JSON::PP::decode_json($_) } ask(
    json => body(stream => $true, max_tokens => 2, n => 2,
        stream_options => { include_usage => $true }))->events;
is(@events, 10, 'two choices: 2 roles, 4 words, 2 ends, usage, DONE');
is_deeply($events[-2]{choices}, [], 'the usage chunk has no choices');
is_deeply($events[-2]{usage}, { prompt_tokens => 3, completion_tokens => 4,
    total_tokens => 7 }, 'and the sum of all');
is(scalar(grep { ref && exists $_->{usage} && !defined $_->{usage} } @events),
    8, 'usage is null before it');

$r = ask(key => 'sk-wrong', json => body());
is($r->status, 401, 'another key: 401');
is($r->json->{error}{type}, 'new_api_error', 'as new-api says it');
is(ask(key => undef, headers => ['Authorization', 'right-key'],
    json => body())->status, 200, 'Bearer and sk- may be missing');

is(ask(path => '/v1/models')->json->{object}, 'list', 'models');
$r = ask(path => '/v1/foo?a=b', method => 'PUT');
is($r->status, 404, 'another path: 404');
like($r->json->{error}{message}, qr/^Invalid URL \(PUT \/v1\/foo\) /,
    'that names it');
is(ask(body => '{"model":5}')->status, 400, 'a model that is no string: 400');


# --- framing ---

my $c = AIGW::HTTP->new($sim->port);
my $chunked = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    . "Authorization: Bearer sk-right-key\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "a\r\n{\"model\":\"\r\n14\r\nm\",\"max_tokens\":1 ,\"\r\n"
    . "e\r\nmessages\":[]  \r\n1\r\n}\r\n0\r\n\r\n";

$r = $c->ask(raw => $chunked)->response;
is($r->json->{usage}{total_tokens}, 2, 'a chunked request') or diag $r->body;

$sim->reset;
$c->send(AIGW::HTTP::bytes(path => "/v1/$_", key => 'sk-right-key'))
    for qw(a b c);
is(join(' ', map { $c->expect('GET', '/')->response->json->{error}{message}
    =~ /(\/v1\/.)/ } 1 .. 3), '/v1/a /v1/b /v1/c', 'pipelined, in order');
is(join(' ', map { $_->{path} } $sim->seen), '/v1/a /v1/b /v1/c',
    'and remembered');

$sim->reset;
$r = AIGW::HTTP->new($sim->port)->ask(raw => "GET /v1/models HTTP/1.0\r\n"
    . "Authorization: sk-right-key\r\n\r\n")->response;
is($r->status, 200, 'HTTP/1.0');
is($sim->count, 1, 'count since the reset');


# --- scripts ---

$sim->script(status => '503 Service Unavailable', body => '{"a":1}',
    headers => ['X-A', 'b'], repeat => 2);

for (1, 2) {
    $r = ask(json => body());
    is($r->status . $r->body . $r->header('X-A'), '503{"a":1}b',
        "a scripted answer, time $_");
}

is(ask(json => body())->status, 200, 'and no third time');

$sim->script(body => 'abcdef', split => 'all', delay_ms => 5, chunked => 1);
$r = ask(json => body());
is($r->body, 'abcdef', 'split: the same bytes');
is(@{ $r->{chunks} }, 6, 'each in a piece of its own');

$sim->script(body => 'abcdef', split => [2, 4], gates => [1, 2]);
$c = AIGW::HTTP->new($sim->port)->ask(json => body());
is($c->wait_for(qr/b/), 'ab', 'up to the gate');
is($c->wait_for(qr/c/, 0.2), undef, 'not beyond');
$sim->go;
is($c->wait_for(qr/d/), 'abcd', 'one order, one gate');
$sim->go;
is($c->response->body, 'abcdef', 'to the end');

$sim->go;
$sim->script(body => 'ab', split => [1], gates => [1]);
is(ask(json => body())->body, 'ab', 'an order given before the gate counts');

$sim->script(body => 'half', then => 'close', length => 8);
$r = ask(json => body());
is("$r->{ended} " . $r->body, 'cut half', 'closed early');

$sim->script(raw => '', then => 'reset');
$r = ask(json => body());
is($r->{ended}, 'cut', 'reset without an answer');
ok($r->{reset}, 'by a RST');

$sim->script(body => 'x', gates => [1]);
$c = AIGW::HTTP->new($sim->port)->ask(json => body());
$c->wait_for(qr/x/);
is($sim->stats->{aborted}, 0, 'nobody left so far');
$c->close;

my $deadline = time + 2;

while ($sim->stats->{aborted} == 0 && time < $deadline) { }

is($sim->stats->{aborted}, 1, 'a peer that leaves amid an answer is counted');

is(eval { $sim->order('PUT', '/script', "answer bytes=3\nab\n"); 1 }, undef,
    'a script without its bytes is refused');
is(eval { $sim->order('PUT', '/script', "answer bites=2\nab\n"); 1 }, undef,
    'a word that is not known is refused');


# --- its log and balance ---

$sim->reset;
$sim->set(log => 1, drift => 10);
ask(json => body(max_tokens => 1, stream => $_)) for $true, 0;
$sim->order('PUT', '/log', "1000 old 7 8 75 req\n");
$sim->set(log => 0, drift => 0);
ask(json => body());

my @user = (headers => ['New-Api-User', 7]);
my $log = ask(path => '/api/log/self?p=1&page_size=2', @user)->json->{data};

is($log->{total}, 3, 'log: what was charged, and what was put there');
is_deeply([map { $_->{quota} } @{ $log->{items} }], [22, 22],
    'newest first: 4 tokens at 5, and 10 %');
is(ask(path => '/api/log/self?p=2&page_size=2', @user)->json->{data}{items}[0]
    {request_id}, 'req', 'the next page');
is(ask(path => '/api/log/self?start_timestamp=1000&end_timestamp=1000', @user)
    ->json->{data}{total}, 1, 'within a time');
is(ask(path => '/api/log/self')->status, 401, 'whose?');
is(@{ ask(path => '/api/log/token')->json->{data} }, 3, 'by key');
is(ask(key => 'sk-wrong', path => '/api/log/token')->status, 401,
    '... the right one');
is(ask(path => '/api/user/self', @user)->json->{data}{used_quota}, 119,
    'balance of the account');
is(ask(path => '/api/usage/token/')->json->{data}{total_used}, 119,
    '... and of the key');
is(eval { $sim->order('PUT', '/log', "x\n"); 1 }, undef,
    'a line that is none is refused');


# --- speed, TLS, the load generator ---

$sim->reset;
$sim->set(delay_ms => 20, tokens => 5);

my $start = time;

is(scalar ask(json => body(stream => $true))->events, 8, 'set: 5 tokens');
cmp_ok(time - $start, '>', 0.12, 'and a pause between chunks');
$sim->set(delay_ms => 0, tokens => 16);

$sim->reset;

my $load = AIGW::Process->start([$binary, '--load', 'http://127.0.0.1:'
    . $sim->port . '/v1/chat/completions', qw(--requests 3000
    --connections 50), '--key-file', "$dir/key"]);
my $report = JSON::PP::decode_json($load->output);

is_deeply($report->{status}, { 200 => 3000 }, 'load: 3000 answers');
is($sim->count, 3000, 'that were asked for');
is($sim->stop, 15, 'TERM ends it');

my $self_signed = 'openssl req -x509 -newkey rsa:2048 -nodes -days 2'
    . " -subj /CN=localhost -keyout $dir/k -out $dir/c 2>$dir/err";

is(system($self_signed), 0, 'a certificate');
$sim = AIGW::Sim->new($binary, '--tls-cert', "$dir/c", '--tls-key', "$dir/k");

my $client = "printf 'GET /v1/models HTTP/1.0\\r\\n\\r\\n' | openssl s_client"
    . " -quiet -ign_eof -CAfile $dir/c -verify_return_error"
    . ' -connect 127.0.0.1:' . $sim->port . " 2>$dir/err";
my $answer = `$client`;

like($answer, qr/\AHTTP\/1\.1 200 OK.*\}\z/s, 'an answer over TLS');

# --- keys that an account makes, in both generations ---

for my $generation (qw(old new)) {
    open my $fh, '>', "$dir/master" or die;
    print $fh "access-token\n";
    close $fh;

    my $is_new = $generation eq 'new';
    my $sim = AIGW::Sim->new($binary, '--newapi', $generation, '--key-file',
        "$dir/key", '--master-file', "$dir/master");
    my $manage = sub ($method, $path, $json = undef, @more) {
        return AIGW::HTTP->new($sim->port)->ask(method => $method,
            path => $path, headers => ['Authorization', 'access-token',
                'New-Api-User', 7, @more],
            defined $json ? (json => $json) : ())->response;
    };
    my $call = sub ($key) {
        return AIGW::HTTP->new($sim->port)->ask(key => $key, json => body())
            ->response->status;
    };
    my %token = (remain_quota => 500, unlimited_quota => JSON::PP::false,
        expired_time => -1);

    is_deeply($manage->('POST', '/api/token/', { name => "t$_", %token })
        ->json, { success => $true, message => '' },
        "$generation: the answer has no key") for 1 .. 12;
    is($manage->('POST', '/api/token/', { name => 'x' x 31, %token })->json
        ->{success} ? 1 : 0, $is_new ? 1 : 0, '... a name of 31 bytes');
    is($manage->('POST', '/api/token/', { name => 'neg', %token,
        remain_quota => -1 })->json->{success} ? 1 : 0, 0,
        '... an error comes with 200');

    my $page = $manage->('GET', '/api/token/?p=1&page_size=100')->json->{data};
    my @page = $is_new ? @{ $page->{items} } : @$page;

    is_deeply([map { $_->{name} } @page], $is_new
        ? ['x' x 31, map { "t$_" } reverse 1 .. 12] : ['t2', 't1'],
        $is_new ? '... pages from 1' : '... from 0, ten a page');

    my $token = $page[-1];

    if ($is_new) {
        like($token->{key}, qr/^\w{4}\*+\w{4}$/, '... masked');
        $token->{key} = $manage->('POST', "/api/token/$token->{id}/key")->json
            ->{data}{key};

    } else {
        is($manage->('POST', "/api/token/$token->{id}/key")->status, 404,
            '... tells none when asked');
    }

    like($token->{key}, qr/^\w{48}$/, '... a key, without sk-');
    is($call->("sk-$token->{key}"), 200, '... good for calls');
    is($call->('sk-right-key'), 200, '... as the first one');
    is($call->('sk-none'), 401, '... and no other');
    is($manage->('GET', "/api/token/$token->{id}")->json->{data}{name}, 't1',
        '... one by its number');
    ok($manage->('DELETE', "/api/token/$token->{id}")->json->{success},
        '... deleted');
    is($call->("sk-$token->{key}"), 401, '... good no more');
    ok(!$manage->('DELETE', "/api/token/$token->{id}")->json->{success},
        '... once');
    is(AIGW::HTTP->new($sim->port)->ask(path => '/api/token/?p=1',
        headers => ['Authorization', 'access-token'])->response->status, 401,
        '... not without its number');
    is(AIGW::HTTP->new($sim->port)->ask(path => '/api/token/?p=1', headers =>
        ['Authorization', 'Bearer access-token', 'New-Api-User', 7])->response
        ->status, $is_new ? 200 : 401, '... with Bearer');

    my $seed = AIGW::HTTP->new($sim->port)->ask(path => '/sub-key/create',
        key => 'sk-right-key', json => { quota => 5 })->response->json;

    like($seed->{sub_key}, qr/^sub_\w{40}$/, '... the origin\'s');
    is($call->($seed->{sub_key}), 200, '... good for calls');
    is(AIGW::HTTP->new($sim->port)->ask(path => '/sub-key/create',
        key => 'sk-none', json => { quota => 5 })->response->status, 401,
        '... for nobody else');

    $sim->set(busy => 1, refuse => 1);
    is($manage->('GET', '/api/token/?p=1')->status, 429, '... too often');
    ok(!$manage->('GET', '/api/token/?p=1')->json->{success}, '... refused');
    ok($manage->('GET', '/api/token/?p=1')->json->{success}, '... and again');

    my $before = @{ JSON::PP::decode_json($sim->order('GET', '/tokens')) };

    for my $effect (0, 1) {
        $sim->set(hold => 1, effect => $effect);
        AIGW::HTTP->new($sim->port)->send(AIGW::HTTP::bytes(method => 'POST',
            path => '/api/token/', headers => ['Authorization',
                'access-token', 'New-Api-User', 7],
            json => { name => 'held', %token }));
        is($sim->stats->{held}, 1 + $effect, '... a call that is held');
        is(@{ JSON::PP::decode_json($sim->order('GET', '/tokens')) },
            $before + $effect, '... its effect ' . ($effect ? 'is' : 'is not')
            . ' there');
    }

    $sim->stop;
}


done_testing();

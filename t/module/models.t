# GET /v1/models and /v1/models/{id}, answered without the upstream: what the
# store knows, filtered by the key. Threats A20, A21.

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


# One model by its path: its id, or the code of the refusal (which has no row:
# finish() counts).
sub one ($key, $path) {
    my $r = $t->request(path => "/v1/models/$path", key => $key);

    return $r->json->{id} if $r->status == 200;

    is($r->status, 404, "$path: 404");
    is($r->json->{error}{param}, 'model', "$path: names the parameter");

    return $r->code;
}


is_deeply(ids($all), [], 'none is known, "*" is no model');
is(one($all, 'gpt-4o'), 'model_not_found', 'nor is one of them');

$t->json('model', 'set', $_) for qw(gpt-4o gpt-4o-mini claude-sonnet-4-5
    org/deep/model);
$t->json('price', 'set', 'o3', '--prompt', 1, '--completion', 2);
$t->json('model', 'set', "we\"ird/m\xc3\xb6del");

is_deeply([sort @{ ids($all) }], [sort qw(claude-sonnet-4-5 gpt-4o gpt-4o-mini
    o3 org/deep/model), "we\"ird/m\x{f6}del"],
    'what was set or priced is listed at once');
is_deeply([sort @{ ids($some) }], [qw(gpt-4o gpt-4o-mini o3)],
    'A21 a restricted key sees its own');
is_deeply(ids($none), [], 'A21 or none');

my $list = $t->request(path => '/v1/models', key => $all)->json->{data};

is($list->[0]{object}, 'model', 'each is a model');
like($list->[0]{created}, qr/^\d+$/, 'with a time');
ok(defined $list->[0]{owned_by}, 'and an owner');


# --- one of them ---

is(one($all, 'gpt-4o'), 'gpt-4o', 'one model');
is_deeply($t->request(path => '/v1/models/gpt-4o', key => $all)->json,
    { %{ (grep { $_->{id} eq 'gpt-4o' } @$list)[0] } },
    'it is told as the list tells it');
is(one($all, 'gpt-4o?x=1'), 'gpt-4o', 'a query says nothing');
is(one($all, 'o3'), 'o3', 'a name that has only a price');
is(one($all, 'org/deep/model'), 'org/deep/model', 'a name with slashes');
is(one($all, 'org%2Fdeep%2Fmodel'), 'org/deep/model', 'or encoded ones');
is(one($all, 'we%22ird/m%C3%B6del'), "we\"ird/m\x{f6}del",
    'a name that needs escapes, in URL and JSON');
is(one($some, 'gpt-4o-mini'), 'gpt-4o-mini', 'A21 that the key may use');

for my $path ('gpt', 'gpt-4', 'gpt-4o-', 'gpt-4o-mini-', 'GPT-4o', '*',
    'zzz', '!', 'x' x 200, 'x' x 4000, 'a%27b', 'm%FF%FE')
{
    is(one($all, $path), 'model_not_found', 'A20 unknown: '
        . substr $path, 0, 20);
}

is(one($some, 'claude-sonnet-4-5'), 'model_not_found',
    'A21 what a key may not use does not exist for it');
is(one($none, 'gpt-4o'), 'model_not_found', 'A21 for no key that may not');

is($t->request(path => '/v1/models/', key => $all)->code, 'unknown_url',
    'H16 a trailing slash is no model');

is($t->request(method => 'HEAD', path => '/v1/models', key => $all)->status,
    200, 'HEAD of the list');
is($t->request(method => 'HEAD', path => '/v1/models/o3', key => $all)->body,
    '', 'HEAD of one: no body');

$t->json('model', 'set', sprintf 'm-%04d', $_) for 1 .. 120;
is(@{ ids($all) }, 126, 'all of many');
is(one($all, 'm-0120'), 'm-0120', 'the last of many');
is(one($all, 'm-01200'), 'model_not_found', 'and none behind it');

for my $path ('/v1/models', '/v1/models/gpt-4o') {
    is($t->request(path => $path)->status, 401, "$path: not without a key");
    is($t->request(path => $path, key => $all . 'x')->status, 401,
        "$path: nor with a wrong one");
}

is($t->sim->count, 0, 'nothing of all that went upstream');

$t->finish;

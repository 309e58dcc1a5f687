# Quotas of key, project and user: spent to the last digit, then 429 that no
# SDK retries. Threats Q03, Q04, Q07, Q13.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new(workers => 2);


# Where input costs nothing, what a call costs is known to the digit.
$t->json('price', 'set', 'out', '--prompt', '0', '--completion', '10');


# A call of so many tokens, at 0.00001 each.
sub spend ($key, $tokens) {
    $t->sim->script(body => '{"usage":{"prompt_tokens":7'
        . ',"completion_tokens":' . $tokens . ',"total_tokens":'
        . ($tokens + 7) . '}}');

    return $t->chat($key, model => 'out');
}


sub spent ($name, $r) {
    is($r->status, 429, "$name: 429") or diag $r->body;
    is($r->json->{error}{code}, 'insufficient_quota', "$name: code");
    is($r->json->{error}{type}, 'insufficient_quota', "$name: type");
    is($r->header('x-should-retry'), 'false', "$name: no retry");
    is($r->header('retry-after'), undef, "$name: no Retry-After");

    my $row = $t->row($r);

    is($row->{verdict}, 'insufficient_quota', "$name: the row's verdict");
    is_deeply([@$row{qw(cost settled attempts status)}],
        ['0', undef, 0, 429], "$name: and that it cost nothing");
}


# --- when it is charged ---

# At the end of the answer: not when the client is pleased to hang up, which
# nginx waits for after "Connection: close" (lingering_close).
{
    my $key = $t->project('linger', '--quota', '0.0001');

    $t->sim->script(body => '{"usage":{"prompt_tokens":1,'
        . '"completion_tokens":10,"total_tokens":11}}');

    my $c = $t->connect->ask(key => $key,
        json => AIGW::chat_body(model => 'out'),
        headers => ['Connection', 'close']);

    is($c->response->status, 200, 'a client that does not hang up');
    is($t->row($c->{r})->{cost}, '0.0001', 'is charged within 1 s');
    is($t->chat($key, model => 'out')->status, 429, 'and its quota is spent');
    $c->close;
}


# --- each level binds ---

for my $level (qw(key project user)) {
    my $project = "p$level";
    my @quota = ('--quota', '0.0001');

    $t->json('user', 'create', "u$level", $level eq 'user' ? @quota : ());
    $t->project($project, '--user', "u$level",
        $level eq 'project' ? @quota : ());

    my $key = $t->key($project, 'k', $level eq 'key' ? @quota : ());

    is(spend($key, 9)->status, 200, "$level: 0.00009 of 0.0001");
    is(spend($key, 1)->status, 200, "$level: the last unit");

    $t->wait_rows(2, '--project', $project);

    my $count = $t->sim->count;

    spent("$level: spent", $t->chat($key));
    is($t->sim->count, $count, "$level: nothing upstream");

    if ($level eq 'key') {
        is(spend($t->key($project, 'k2'), 1)->status, 200,
            'another key of the project still may');
    }

    my $show = $t->json($level eq 'key' ? ('key', 'show', 'k', '--project',
        $project) : ($level, 'show', $level eq 'user' ? "u$level" : $project));

    if ($level ne 'key') {
        is($show->{remaining}, '0', "$level: nothing remains");
        is($show->{spent}, '0.0001', "$level: spent to the last digit");
        is($show->{held}, '0', "$level: nothing held");
    }
}


# --- a quota of 0, and one that is overspent by its last call ---

spent('a quota of 0', $t->chat($t->project('zero', '--quota', '0')));

my $key = $t->project('over', '--quota', '0.0001');

my $over = spend($key, 25);

is($over->status, 200, 'Q13: a call that costs more than was held');
is($over->header('x-aigw-clamped'), '10', 'though it was told to stop at 10');
is_deeply($t->row($over)->{flags}, ['over_hold', 'clamped'], 'is flagged');
spent('then nothing more', $t->chat($key));
is($t->json('project', 'show', 'over')->{spent}, '0.00025',
    'charged truthfully');
is($t->json('project', 'show', 'over')->{remaining}, '0',
    'and not below zero for display');

spent('what does not pay a token is not left',
    $t->chat($t->project('tiny', '--quota', '0.000009999'), model => 'out'));


# --- what the quota does not stop ---

is($t->request(key => $key, path => '/v1/models')->status, 200,
    'GET /v1/models costs nothing and goes on');

$key = $t->project('unlimited');
is($t->json('project', 'show', 'unlimited')->{quota}, undef,
    'unlimited is null');
is(spend($key, 100_000_000)->status, 200, 'a call for 1,000');
is(spend($key, 1)->status, 200, 'and another');
is($t->json('project', 'show', 'unlimited')->{spent}, '1000.00001',
    'are added up');

$t->finish;

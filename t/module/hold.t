# Holds: the cap holds under load, to the last unit. What a call may cost is
# taken before it goes up and given back when it ends. Threats Q01, Q06, Q08,
# Q09, Q18, Q20.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(sleep time);

use AIGW;

my $calls = $ENV{SANITIZE} ? 40 : 120;
my $t = AIGW->new(workers => 4, location => 'ai_gateway_quota_wait 2s;');

# Input costs nothing there: a call of 10 tokens costs 0.0001.
$t->json('price', 'set', 'out', '--prompt', '0', '--completion', '10');


sub held ($project) { return $t->json('project', 'show', $project)->{held} }


# Opens n calls at once; the connections, in order.
sub ask_all ($n, $key, %body) {
    return map {
        $t->connect->ask(key => $key,
            json => AIGW::chat_body(model => 'out', %body));
    } 1 .. $n;
}


# --- one call ---

{
    my $key = $t->project('one', '--quota', '1');

    $t->sim->script(body => '{"usage":{"prompt_tokens":1,'
        . '"completion_tokens":10,"total_tokens":11}}', gates => [0]);

    my $c = $t->connect->ask(key => $key,
        json => AIGW::chat_body(model => 'out', max_tokens => 50));
    my $deadline = time + 5;

    sleep 0.02 while $t->sim->count == 0 && time < $deadline;
    is(held('one'), '0.0005', 'Q06: while a call is in flight it is held for');
    $t->sim->go;

    my $r = $c->response;

    is($r->status, 200, 'it ends');
    is($r->header('x-aigw-clamped'), undef, 'as it was asked for');
    is($t->row($r)->{hold}, '0.0005', 'the row has what was held');
    is($t->row($r)->{cost}, '0.0001', 'and what it cost');
    is(held('one'), '0', 'and nothing is held any more');
    $c->close;
}


# --- the upstream fails: nothing is held, nothing is charged ---

{
    my $key = $t->project('fails', '--quota', '1');

    for my $status (500, 429, 400) {
        $t->sim->script(status => $status, body => '{"error":{"message":"no",'
            . '"type":"server_error"}}');

        my $r = $t->chat($key, model => 'out');

        is($t->row($r)->{settled}, 'void', "Q18: $status is void");
    }

    is_deeply([@{ $t->json('project', 'show', 'fails') }{qw(spent held)}],
        ['0', '0'], 'nothing spent, nothing held');
}


# --- near the limit ---

{
    my $key = $t->project('near', '--quota', '0.5');
    my $seen = sub { (JSON::PP::decode_json(($t->sim->seen)[-1]{body})) };

    # 50,000 tokens: a sixteenth is 3,125; the floor is more.
    my $r = $t->chat($key, model => 'out');

    is($r->status, 200, 'Q09: no limit of its own, near the quota');
    is($r->header('x-aigw-clamped'), '4096', 'gets one');

    my $both = $t->stream($key, model => 'out')->response;

    is($both->header('x-aigw-clamped'), '4096', 'a stream, too');
    is_deeply([@{ $seen->() }{qw(max_tokens stream_options)}],
        [4096, { include_usage => JSON::PP::true }], 'with both splices');
    is($seen->()->{max_tokens}, 4096, 'in the body that goes up');

    $r = $t->chat($key, model => 'out', max_tokens => 40_000);
    is($r->header('x-aigw-clamped'), undef, 'Q08: its own that can be paid'
        . ' is left alone');

    $r = $t->chat($key, model => 'out', max_completion_tokens => 60_000,
        stream => JSON::PP::true);
    my $clamped = $r->header('x-aigw-clamped');
    cmp_ok($clamped, '<', 50_000, 'Q08: one that cannot is lowered');
    is($seen->()->{max_completion_tokens}, $clamped, 'in its own member');
    ok($seen->()->{stream_options}{include_usage}, 'beside the other splice');
    is_deeply($t->row($r)->{flags}, ['clamped'], 'the row says so')
        or diag explain $t->row($r);
}


# --- what is known of a model ---

{
    my $key = $t->project('known', '--quota', '0.5');

    $t->json('price', 'set', $_, '--prompt', '0', '--completion', '10')
        for qw(small o3-out);
    $t->json('model', 'set', 'small', '--max-output', '2000');

    my $r = $t->chat($key, model => 'small');

    is($t->row($r)->{hold}, '0.02', 'Q09: the ceiling of the model is held');
    is($r->header('x-aigw-clamped'), undef, 'and nothing is limited');

    $r = $t->chat($key, model => 'o3-out');
    is($r->header('x-aigw-clamped'), '4096', 'a model that thinks');
    is(JSON::PP::decode_json(($t->sim->seen)[-1]{body})->{
        'max_completion_tokens'}, 4096, 'has its own name for it');
    is($t->chat($t->project('thought', '--quota', '0.01023'),
        model => 'o3-out')->code, 'insufficient_quota',
        'and is not called for less than a thought');

    $t->json('setting', 'set', 'max_output', '1000');
    $r = $t->chat($key, model => 'out');
    is($t->row($r)->{hold}, '0.01', 'what is assumed of others is a setting');
    $t->json('setting', 'set', 'max_output', '32768');
}


# --- exactly so many ---

# Balance for k calls of 10 tokens, all at once: each limits itself to 10.
{
    my $k = $calls / 2;
    my $key = $t->project('exact', '--quota', $k / 10_000);

    $t->sim->set(tokens => 10, delay_ms => 0);

    my @c = ask_all($calls, $key, max_tokens => 10);
    my %status;
    my %code;

    for my $c (@c) {
        my $r = $c->response(20);

        $status{ $r->status }++;
        $code{ $r->code }++ if $r->status != 200;
        $c->close;
    }

    is($status{200}, $k, "Q01: $calls at once, money for $k: $k are served");
    is_deeply(\%code, { insufficient_quota => $calls - $k },
        'the others wait until it is spent');
    is_deeply([@{ $t->json('project', 'show', 'exact') }{
        qw(spent held remaining)}], [$k / 10_000, '0', '0'], 'to the digit');
}


# --- held by others is not spent ---

{
    my $key = $t->project('busy', '--quota', '0.0001');

    $t->sim->script(body => '{"usage":{"prompt_tokens":1,'
        . '"completion_tokens":4,"total_tokens":5}}', gates => [0]);

    my $c = $t->connect->ask(key => $key,
        json => AIGW::chat_body(model => 'out', max_tokens => 10));
    my $deadline = time + 5;
    my $count = $t->sim->count;

    sleep 0.02 while $t->sim->count == $count && time < $deadline;

    my $start = time;
    my $r = $t->chat($key, model => 'out', max_tokens => 10);

    is($r->status, 429, 'Q01: all of it is held by another call');
    is($r->code, 'quota_in_use', 'which is not spent');
    is($r->header('retry-after'), '1', 'try again');
    is($r->header('x-should-retry'), undef, 'by all means');
    like($r->json->{error}{message}, qr/hold 0\.0001 of the 0\.0001 .* project/,
        'the message says who holds what');
    cmp_ok(time - $start, '>', 1.5, 'after it has waited for it');

    my $waiting = $t->connect->ask(key => $key,
        json => AIGW::chat_body(model => 'out', max_tokens => 6));

    sleep 0.3;
    $t->sim->set(tokens => 6);
    $t->sim->go;
    is($c->response->status, 200, 'the other ends');
    is($waiting->response->status, 200, 'and one that waits goes on');
    is($t->json('project', 'show', 'busy')->{remaining}, '0',
        'with what it left');
    is($t->chat($key, model => 'out')->code, 'insufficient_quota',
        'now it is spent');
    $_->close for $c, $waiting;
}


# --- an upstream that does not stop ---

for my $usage (0, 1) {
    my $key = $t->project("endless$usage", '--quota', '1');
    my $event = 'data: {"choices":[{"index":0,"delta":{"content":"'
        . 'word ' x 8 . "\"}}]}\n\n";

    # 40 bytes each; the limit is 10 tokens.
    $t->sim->script(headers => ['Content-Type', 'text/event-stream'],
        chunked => 1, pieces => [($event) x 30], delay_ms => 5);

    my $r = $t->chat($key, model => 'out', max_tokens => 10,
        stream => JSON::PP::true, $usage ? (stream_options =>
            { include_usage => JSON::PP::true }) : ());
    my @events = $r->events;

    is($r->status, 200, 'a stream that an upstream runs past its limit');
    is($r->{broken}, undef, 'ends as a stream ends');
    cmp_ok(scalar @events, '<', 10, 'early');

    my $error = eval { JSON::PP::decode_json($events[-1])->{error} } // {};

    is($error->{code}, 'insufficient_quota', 'by an error event');
    unlike($r->body, qr/\[DONE\]/, 'which is its last');

    my $row = $t->row($r);

    is_deeply([@$row{qw(verdict settled cost hold)}],
        ['insufficient_quota', 'estimated', '0.0001', '0.0001'],
        'it costs what was held for it') or diag explain $row;
    is(held("endless$usage"), '0', 'which is not held any more');
}


# Where no quota is in danger nobody's stream is cut.
{
    my $event = 'data: {"choices":[{"index":0,"delta":{"content":"'
        . 'word ' x 8 . "\"}}]}\n\n";

    $t->sim->script(headers => ['Content-Type', 'text/event-stream'],
        chunked => 1, pieces => [($event) x 30, "data: [DONE]\n\n"]);

    my $r = $t->chat($t->project('rich'), model => 'out', max_tokens => 10,
        stream => JSON::PP::true);

    like($r->body, qr/\[DONE\]/, 'without a quota it goes on to its end');
}


# --- a client that does not wait ---

{
    my $key = $t->project('gone', '--quota', '0.0001');

    $t->sim->script(body => '{"usage":{"prompt_tokens":1,'
        . '"completion_tokens":4,"total_tokens":5}}', gates => [0]);

    my $c = $t->connect->ask(key => $key,
        json => AIGW::chat_body(model => 'out', max_tokens => 10));
    my $count = $t->sim->count;

    sleep 0.3;

    my @waiting = ask_all(3, $key, max_tokens => 5);

    sleep 0.3;
    $_->close for @waiting;
    $t->sim->go;
    is($c->response->status, 200, 'Q20: others have left while they waited');
    is(held('gone'), '0', 'nothing is held for them');
    $t->expect_rows(3);
    $t->wait_rows(4, '--project', 'gone');
    is(scalar(grep { $_->{verdict} eq 'client_closed_request' }
        $t->rows('--project', 'gone')), 3, 'a row says so');
    $c->close;
}

$t->finish;

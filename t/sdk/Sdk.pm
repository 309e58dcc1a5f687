# What the unmodified `openai` packages must see through the gateway, and what
# the ledger must say afterwards: the same for each language.

package Sdk;

use v5.36;

use JSON::PP ();
use Test::More;

use AIGW;
use AIGW::Process;

use constant { TOKENS => 12, CHAT => 7, STREAM => 9, ROWS => 21 };

# [name, error of the SDK, status, code, requests made]; the default of both
# SDKs is to try twice more where that may help
my @refusals = (
    [qw(bad_gateway InternalServerError 502 upstream_error 3)],
    [qw(upstream_auth InternalServerError 503 upstream_auth_error 1)],
    [qw(upstream_500 InternalServerError 500), undef, 3],
    [qw(wrong_key AuthenticationError 401 invalid_api_key 1)],
    [qw(spent_quota RateLimitError 429 insufficient_quota 1)],
    [qw(not_allowed PermissionDeniedError 403 model_not_allowed 1)],
    [qw(no_model NotFoundError 404 model_not_found 1)],
    [qw(wrong_base_url NotFoundError 404 unknown_url 1)],
    [qw(bad_request BadRequestError 400 invalid_type 1)],
);

# What a script's first calls are answered with, in this order.
sub script ($sim) {
    $sim->script(raw => 'x', then => 'reset') for 1 .. 3;
    $sim->script(status => '401 Unauthorized', body => '{"error":{"message":'
        . '"Invalid token","type":"new_api_error","code":""}}');
    $sim->script(status => '500 Internal Server Error', body => '{"error":'
        . '{"message":"it broke","type":"server_error","code":null}}')
        for 1 .. 3;
    $sim->script(body => '{"id":"cmpl-1","object":"text_completion",'
        . '"created":1,"model":"gpt-4o-mini","choices":[{"text":"hello",'
        . '"index":0,"logprobs":null,"finish_reason":"stop"}],"usage":'
        . '{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}');
    $sim->script(body => '{"object":"list","model":"text-embedding-3-small",'
        . '"data":[{"object":"embedding","index":0,"embedding":[0.5,-1]},'
        . '{"object":"embedding","index":1,"embedding":[0,0.25]}],'
        . '"usage":{"prompt_tokens":5,"total_tokens":5}}');

    # far past 10 tokens; then an answer that takes its time
    my $event = 'data: {"id":"c","object":"chat.completion.chunk","created":1,'
        . '"model":"out","choices":[{"index":0,"delta":{"content":"'
        . 'word ' x 8 . "\"},\"finish_reason\":null}]}\n\n";

    $sim->script(headers => ['Content-Type', 'text/event-stream'],
        chunked => 1, pieces => [($event) x 30], delay_ms => 5);

    my $body = '{"id":"c","object":"chat.completion","created":1,'
        . '"model":"out","choices":[{"index":0,"message":{"role":"assistant",'
        . '"content":"hello"},"finish_reason":"stop"}],"usage":'
        . '{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}';

    $sim->script(body => $body, split => [0, length($body) / 2],
        delay_ms => 450);
}


sub counts ($usage) {
    return { map { $_ => $usage->{$_} // 0 }
        qw(prompt_tokens completion_tokens total_tokens) };
}


sub usage ($prompt, $completion) {
    return {
        prompt_tokens => $prompt, completion_tokens => $completion,
        total_tokens => $prompt + $completion,
    };
}


sub words ($text) { return scalar(() = $text =~ /\S+/g) }


# The price that a fresh store has: total / 1,000 x 0.01.
sub cost ($total) {
    return sprintf('%.5f', $total / 100_000) =~ s/\.?0+\z//r;
}


sub run ($t, @command) {
    my %key = (
        AIGW_API_KEY => $t->project('main'),
        AIGW_SPENT_KEY => $t->project('poor', '--quota', '0.0004'),
        AIGW_NARROW_KEY => $t->project('narrow', '--models', 'o3,claude-*'),
        AIGW_LAST_KEY => $t->project('last', '--quota', '0.00003'),
        AIGW_CUT_KEY => $t->project('cut', '--quota', 1),
        AIGW_BUSY_KEY => $t->project('busy', '--quota', '0.0001'),
    );

    script($t->sim);

    my $p = AIGW::Process->start(\@command, env => {
        %key, AIGW_BASE_URL => 'http://127.0.0.1:' . $t->port . '/v1',
        map { $_ => '' } qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY),
    });
    my $out = $p->output(60) // '';

    is($p->wait, 0, 'the script ends well') or diag($out);

    return JSON::PP::decode_json($out);
}


sub answers ($saw, %usage) {
    is(words($saw->{chat}{text}), CHAT, 'chat: text');
    is($saw->{chat}{finish}, 'length', 'chat: finish reason');
    is(words($saw->{stream}{text}), STREAM, 'stream: text');
    is($saw->{stream}{deltas}, STREAM, 'stream: one delta a word');
    is($saw->{stream}{usage}, undef, 'stream: no usage, none was asked for');
    is($saw->{stream}{bare}, 0, 'stream: no chunk without a choice');
    is($saw->{stream_usage}{text}, $saw->{stream}{text},
        'stream with include_usage: the same text');
    is($saw->{stream_usage}{bare}, 1, 'its one chunk without a choice');
    is($saw->{completion}{text}, 'hello', 'completion: text');
    is_deeply($saw->{embedding}{vectors}, [[0.5, -1], [0, 0.25]],
        'embedding: vectors');
    is_deeply([sort @{ $saw->{models} }], ['gpt-4o-mini', 'o3', 'out'],
        'models');
    is($saw->{model}, 'o3', 'one model');

    for my $name (grep { $_ ne 'stream' } sort keys %usage) {
        is_deeply(counts($saw->{$name}{usage}), $usage{$name}, "$name: usage");
    }
}


sub refusals ($saw) {
    for my $want (@refusals) {
        my ($name, @want) = @$want;

        is_deeply([@{ $saw->{$name} }{qw(error status code attempts)}],
            \@want, "$name: $want[0] $want[1], tried $want[3] times")
            or diag(explain($saw->{$name}));
    }

    is_deeply($saw->{first_spends}, { error => undef, attempts => 1 },
        'the call that spends a quota is answered');
}


# The quotas that calls come near to.
sub limits ($t, $saw) {
    my $last = $saw->{last_tokens};

    is(words($last->{text}), 3, '3 tokens are left: a call gives 3');
    is("$last->{finish} $last->{usage}{completion_tokens}", 'length 3',
        'and says so');
    is($t->json('project', 'show', 'last')->{remaining}, '0',
        'which leaves nothing');

    my $deltas = delete $saw->{cut}{deltas};

    is_deeply($saw->{cut}, { error => 'APIError',
        code => 'insufficient_quota', attempts => 1 },
        'a stream that is cut raises, and is not tried again')
        or diag(explain($saw->{cut}));
    cmp_ok($deltas, '>', 0, 'behind what it has said');
    cmp_ok($deltas, '<', 20, 'far from its end');

    is_deeply([sort @{ $saw->{both}{tokens} }], [1, 6],
        'of two calls at once both are answered in the end');
    cmp_ok($saw->{both}{attempts}, '>', 2, 'one of them was told to try again');
    is($t->json('project', 'show', 'busy')->{spent}, '0.00007',
        'and both are paid');
}


sub ledger ($t, $saw, %usage) {
    my $total = 0;

    # upstream: 3 + 1 + 3 failures, 5 answers, 5 near a quota; local: 4
    # (a model, a list and an unknown path have no row), and what of two calls
    # at once was tried again
    my $n = ROWS + $saw->{both}{attempts} - 2;
    my @rows = $t->wait_rows($n);

    is(@rows, $n, 'a row for each request that owns one');
    is($t->sim->count, 17, 'the upstream saw seventeen');
    is(scalar(grep { $_->{verdict} eq 'quota_in_use' } @rows),
        $saw->{both}{attempts} - 2, 'the others were in use');

    my %rows = map { $_->{id} => $_ } @rows;

    for my $name (sort keys %usage) {
        my $row = $rows{ $saw->{$name}{id} } // {};

        is_deeply(counts($row), $usage{$name}, "$name: tokens in the row");
        is($row->{cost}, cost($usage{$name}{total_tokens}), "$name: cost");
        is("$row->{settled} $row->{verdict}", 'exact ok', "$name: settled");
        $total += $usage{$name}{total_tokens};
    }

    for my $name (qw(bad_gateway upstream_auth wrong_key spent_quota
        not_allowed bad_request))
    {
        my $row = $rows{ $saw->{$name}{id} } // {};

        is("$row->{verdict} $row->{cost}", "$saw->{$name}{code} 0",
            "$name: verdict and cost in the row");
    }

    is($t->json('project', 'show', 'main')->{spent}, cost($total),
        'the project has spent the sum');
}


# The whole test file: @command runs the script.
sub test (@command) {
    my $t = AIGW->new(sim => ['--tokens', TOKENS],
        location => 'ai_gateway_quota_wait 100ms;');

    $t->run('model', 'set', $_) for 'gpt-4o-mini', 'o3';
    $t->run('price', 'set', 'out', '--prompt', 0, '--completion', 10);

    my $saw = run($t, @command);
    my $prompt = int(($saw->{messages_bytes} + 3) / 4);   # as t/sim counts
    my %usage = (
        chat => usage($prompt, CHAT), stream => usage($prompt, STREAM),
        stream_usage => usage($prompt, STREAM),
        completion => usage(3, 1), embedding => usage(5, 0),
    );

    answers($saw, %usage);
    refusals($saw);
    limits($t, $saw);
    ledger($t, $saw, %usage);

    $t->expect_rows(ROWS + $saw->{both}{attempts} - 2);
    $t->finish;
}

1;

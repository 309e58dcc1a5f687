# The unmodified `openai` package for Node through the gateway: what its user
# sees (t/sdk/node.mjs), and what the ledger says about it afterwards.

use v5.36;

use File::Copy qw(copy);
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Process;

use constant { TOKENS => 12, CHAT => 7, STREAM => 9 };

my $t = AIGW->new(sim => ['--tokens', TOKENS]);
my $sdk = "$AIGW::build/sdk";

$t->run('model', 'set', $_) for 'gpt-4o-mini', 'o3';

my %key = (
    AIGW_API_KEY => $t->project('main'),
    AIGW_SPENT_KEY => $t->project('poor', '--quota', '0.00001'),
    AIGW_NARROW_KEY => $t->project('narrow', '--models', 'o3,claude-*'),
);

# the SDK is found from where the script lies
copy("$FindBin::Bin/node.mjs", "$sdk/node.mjs") or die "$sdk: $! (make test)\n";

my $node = AIGW::Process->start(["$sdk/node", "$sdk/node.mjs"], env => {
    %key, AIGW_BASE_URL => 'http://127.0.0.1:' . $t->port . '/v1',
});
my $out = $node->output(60);

is($node->wait, 0, 'the script ends well') or diag($out);

my $saw = JSON::PP::decode_json($out);
my $prompt = int(($saw->{messages_bytes} + 3) / 4);   # as the simulator counts


sub usage ($completion) {
    return {
        prompt_tokens => $prompt, completion_tokens => $completion,
        total_tokens => $prompt + $completion,
    };
}


sub counts ($usage) {
    return { map { $_ => $usage->{$_} }
        qw(prompt_tokens completion_tokens total_tokens) };
}


sub words ($text) { return scalar(() = $text =~ /\S+/g) }


subtest 'chat' => sub {
    is_deeply(counts($saw->{chat}{usage}), usage(CHAT), 'usage');
    is(words($saw->{chat}{text}), CHAT, 'text');
    is($saw->{chat}{finish}, 'length', 'finish reason');
};

subtest 'stream' => sub {
    is(words($saw->{stream}{text}), STREAM, 'text');
    is($saw->{stream}{deltas}, STREAM, 'one delta a word');
    is($saw->{stream}{usage}, undef, 'no usage, since none was asked for');
    is($saw->{stream}{bare}, 0, 'no chunk without a choice');
};

subtest 'stream with include_usage' => sub {
    is($saw->{stream_usage}{text}, $saw->{stream}{text}, 'the same text');
    is_deeply(counts($saw->{stream_usage}{usage}), usage(STREAM), 'usage');
    is($saw->{stream_usage}{bare}, 1, 'one chunk without a choice');
};

is_deeply([sort @{ $saw->{models} }], ['gpt-4o-mini', 'o3'], 'models');


sub refused ($what, $error, $status, $code) {
    is_deeply([@{$what}{qw(error status code attempts)}],
        [$error, $status, $code, 1], "$error, $code, tried once")
        or diag(explain($what));
}


refused($saw->{wrong_key}, 'AuthenticationError', 401, 'invalid_api_key');
is_deeply($saw->{first_spends}, { error => undef, attempts => 1 },
    'the call that spends a quota is answered');
refused($saw->{spent_quota}, 'RateLimitError', 429, 'insufficient_quota');
refused($saw->{not_allowed}, 'PermissionDeniedError', 403, 'model_not_allowed');


# --- the ledger ---

# The price that a fresh store has: total / 1,000 x 0.01.
sub cost ($total) {
    return sprintf('%.5f', $total / 100_000) =~ s/\.?0+\z//r;
}


sub row_of ($id) {
    my ($exit, $text) = $t->cli('log', 'show', $id, '--json');

    return $exit == 0 ? JSON::PP::decode_json($text) : {};
}


my @rows = $t->wait_rows(7);
my %calls = (chat => CHAT, stream => STREAM, stream_usage => STREAM);

is(@rows, 7, 'a row for each call, none for the list of models');
is(scalar(grep { $_->{attempts} } @rows), 4, 'four were sent upstream');
is($t->sim->count, 4, 'the simulator saw four');

for my $name (sort keys %calls) {
    my $row = row_of($saw->{$name}{id});
    my $usage = usage($calls{$name});

    is_deeply(counts($row), $usage, "$name: the row has the true tokens");
    is($row->{cost}, cost($usage->{total_tokens}), "$name: the cost");
    is($row->{settled}, 'exact', "$name: settled exactly");
    is($row->{verdict}, 'ok', "$name: verdict");
}

for my $name (qw(wrong_key spent_quota not_allowed)) {
    my $row = row_of($saw->{$name}{id});

    is($row->{verdict}, $saw->{$name}{code}, "$name: verdict in the row");
    is($row->{cost}, '0', "$name: costs nothing");
}

my $spent = $t->json('project', 'show', 'main')->{spent};
my $total = 0;

$total += usage($calls{$_})->{total_tokens} for keys %calls;
is($spent, cost($total), 'the project has spent the sum');

$t->expect_rows(7);
$t->finish;

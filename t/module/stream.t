# Streams: Show line 3, threats J12 to J21. What the client gets is what the
# upstream sent, at once, but for a usage chunk that it did not ask for.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

my $t = AIGW->new;
my $key = $t->project('alice');
my $true = JSON::PP::true;
my @sse = (chunked => 1, headers => ['Content-Type', 'text/event-stream']);

my $text = qq(data: {"id":"c","choices":[{"index":0,"delta":{"content":)
    . qq("h\xc3\xa9 \\"usage\\":{"},"finish_reason":null}],"usage":null}\n\n);
my $usage = qq(data: {"id":"c","choices":[],"usage":{"prompt_tokens":24,)
    . qq("completion_tokens":2,"total_tokens":26}}\n\n);
my $done = "data: [DONE]\n\n";


# Plays an upstream's stream; wants that body, and a row with 24 and 2 tokens.
sub plays ($name, $script, $want, %ask) {
    $t->sim->script(@sse, %$script);

    my $r = $t->stream($key, %ask)->response;

    is($r->body, $want, "$name: the body");
    is($r->{ended}, 'chunked', "$name: ends properly");

    my $row = $t->row($r);

    is_deeply([@$row{qw(prompt_tokens completion_tokens cost settled)}],
        [24, 2, '0.00026', 'exact'], "$name: the row");

    return $row;
}


# --- at once ---

$t->sim->script(@sse, pieces => [$text, $text, $usage, $done], gates => [1]);

my $c = $t->stream($key);
my $start = time;

ok(defined $c->wait_for(qr/\n\n/, 5),
    'the first event is here before the second is sent');
is($c->{r}{body}, $text, 'whole');
is($c->wait_for(qr/\n\n./s, 0.2), undef, 'the second is not');
$t->sim->go;
is($c->response->body, "$text$text$done", 'the rest, without the usage chunk');

# An event of which half has come is passed on as far as it cannot be usage.
$t->sim->script(@sse, pieces => [substr($text, 0, 80), substr($text, 80),
    $usage, $done], gates => [1]);
$c = $t->stream($key);
sleep 0.3;
$t->sim->go;
is($c->response->body, "$text$done", 'an event in two halves');


# --- the usage chunk ---

$t->sim->reset;
plays('J20 not asked for', { body => "$text$usage$done" }, "$text$done");

my ($seen) = $t->sim->seen;

is_deeply(JSON::PP::decode_json($seen->{body}), {
    %{ AIGW::chat_body(stream => $true) },
    stream_options => { include_usage => $true },
}, 'J20 include_usage is spliced in, nothing else');
is($seen->{headers}{'content-length'}, length $seen->{body},
    'with its Content-Length');
is($seen->{headers}{'accept-encoding'} // 'identity', 'identity',
    'no encoding is asked for');

plays('asked for', { body => "$text$usage$done" }, "$text$usage$done",
    stream_options => { include_usage => $true });
plays('J21 include_usage false', { body => "$text$usage$done" }, "$text$done",
    stream_options => { include_usage => JSON::PP::false, x => 1 });
plays('J21 stream_options null', { body => "$text$usage$done" }, "$text$done",
    stream_options => undef);

$t->sim->reset;
is($t->stream($key, stream_options => 5)->response->status, 400,
    'J21 stream_options of another type: 400');
is($t->sim->count, 0, 'nothing upstream');

my $last = $text =~ s/null\}\n/{"prompt_tokens":24,"completion_tokens":2}}\n/r;

plays('usage beside a choice stays', { body => "$last$done" }, "$last$done");

my $first = $last =~ s/"completion_tokens":2/"completion_tokens":1/r;

plays('J19 usage on each chunk: the last counts',
    { body => "$first$last$done" }, "$first$last$done");
plays('J14 comments, event and id lines',
    { body => ": ping\n\nevent: x\nid: 1\n$text$usage$done" },
    ": ping\n\nevent: x\nid: 1\n$text$done");


# --- framing ---

plays('J13 CRLF', { body => "$text$usage$done" =~ s/\n/\r\n/gr },
    "$text$done" =~ s/\n/\r\n/gr);
plays('J14 no space after data:',
    { body => "$text$usage$done" =~ s/data: /data:/gr },
    "$text$done" =~ s/data: /data:/gr);
plays('J18 no blank line at the end',
    { body => "$text$usage$done" =~ s/\n+\z//r },
    "$text$done" =~ s/\n+\z//r);
is_deeply(plays('J18 no [DONE]', { body => "$text$usage" }, $text)->{flags},
    ['incomplete'], 'J18 no [DONE]: flagged');
plays('J15 an event of two data lines',
    { body => $text . $usage =~ s/,"usage"/,\ndata: "usage"/r . $done },
    "$text$done");

my $big = 'data: {"choices":[{"delta":{"content":"' . 'x' x 300_000
    . qq("}}],"usage":null}\n\n);

plays('an event larger than any buffer', { body => "$big$usage$done" },
    "$big$done");

# J12: a sample of two-splits around the usage chunk, then each byte alone.
{
    my $body = "$text$usage$done";
    my $from = length $text;
    my $to = length "$text$usage";
    my (@wrong, $calls);

    for my $at ($from - 2 .. $from + 12, $to - 12 .. $to + 3,
        map { $from + 13 * $_ } 1 .. 6)
    {
        $t->sim->script(@sse, body => $body, split => [$at], delay_ms => 4);
        $calls++;

        my $r = $t->stream($key)->response;

        push @wrong, "split at $at: " . $r->body if $r->body ne "$text$done";
        push @wrong, "split at $at: no usage"
            if $t->row($r)->{total_tokens} != 26;
    }

    ok(!@wrong, "J12 $calls ways to split a stream in two")
        or diag join "\n", @wrong;
}

plays('J12 each byte by itself', { body => "$text$usage$done",
    split => 'all', delay_ms => 1 }, "$text$done");


# --- the plain simulator, and an answer that is no stream ---

my $r = $t->stream($key, max_tokens => 5, n => 2)->response;
my @events = $r->events;

is($events[-1], '[DONE]', 'a stream of the simulator\'s own');
is($t->row($r)->{completion_tokens}, 10, 'and its tokens');

$t->sim->script(body => '{"choices":[],"usage":{"prompt_tokens":24,'
    . '"completion_tokens":2,"total_tokens":26}}');
$r = $t->stream($key)->response;
is($r->json->{usage}{total_tokens}, 26,
    'JSON in answer to a stream is metered as JSON and not hidden');
is($t->row($r)->{completion_tokens}, 2, 'by its Content-Type');

$t->sim->script(headers => ['Content-Type', 'text/event-stream'],
    chunked => 1, body => "$text$usage$done");
$r = $t->chat($key);
is($t->row($r)->{total_tokens}, 26,
    'a stream in answer to a plain call is metered as a stream');

# An error inside a stream passes, and is not billed as an answer.
my $error = qq(data: {"error":{"message":"overloaded","type":"server_error",)
    . qq("param":null,"code":"overloaded"}}\n\n);

$t->sim->script(@sse, body => "$error$done");
$r = $t->stream($key)->response;
is($r->body, "$error$done", 'J26 an error event passes');

my $row = $t->row($r);

is($row->{cost}, '0', 'J26 and costs nothing');
isnt($row->{verdict}, 'ok', 'J26 the row does not say ok');

# Q19: the upstream breaks off. What was delivered is not free.
$t->sim->script(@sse, pieces => [$text, $text], unfinished => 1,
    then => 'close');
$r = $t->stream($key)->response;
is(substr($r->body, 0, length "$text$text"), "$text$text",
    'Q19 what came before the cut');
$row = $t->row($r);
isnt($row->{settled}, 'exact', 'Q19 is not called exact');
cmp_ok(AIGW::Check::nano($row->{cost}), '>', 0, 'Q19 and not free');

# Q29: a price that is changed meanwhile is the next call's.
$t->sim->script(@sse, pieces => [$text, $usage, $done], gates => [1]);
$c = $t->stream($key);
$c->wait_for(qr/\n\n/);
$t->json('price', 'set', 'gpt-4o-mini', '--prompt', 1000, '--completion', 1000);
sleep 0.1;
$t->sim->go;
$row = $t->row($c->response);
is_deeply([@$row{qw(cost settled price_version)}], ['0.00026', 'exact', 1],
    'Q29 a price that is changed while a stream runs: its row has the old one');
$t->sim->script(@sse, body => "$text$usage$done");
$row = $t->row($t->stream($key)->response);
is_deeply([@$row{qw(cost price_version)}], ['0.026', 2],
    'Q29 the next one has the new one');
$t->json('price', 'delete', 'gpt-4o-mini', '--yes');

# J22: no usage at all.
$t->sim->script(@sse, body => "$text$done");
$r = $t->stream($key)->response;
$row = $t->row($r);
is($row->{settled}, 'estimated', 'J22 no usage: settled by estimate');
cmp_ok(AIGW::Check::nano($row->{cost}), '>', 0, 'J22 and not free');

$t->finish;

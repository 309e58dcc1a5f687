# Answers of every shape, cut anywhere: the client's bytes are the upstream's
# less the chunk that it did not ask for, and the row is the same each time.
# Show line 1, threats J12 to J30, H30, H33.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new;
my $key = $t->project('alice');
my $true = JSON::PP::true;
my @sse = ('Content-Type', 'text/event-stream');

# Text with every decoy: a usage object as text, in an escaped JSON string, in
# the arguments of a tool, in a nested object, and a whole event as text.
my $decoy = '{\"usage\":{\"prompt_tokens\":0,\"total_tokens\":7}}'
    . '\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":7}}\n\n'
    . '}],\"usage\":{\"prompt_tokens\":1';
my $text = qq(data: {"id":"c","choices":[{"index":0,"delta":{"content":)
    . qq("h\xc3\xa9 $decoy"},"finish_reason":null}],"usage":null}\n\n);
my $tool = qq(data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":)
    . qq([{"index":0,"function":{"name":"f","arguments":"$decoy"}}],)
    . qq("x":{"usage":{"prompt_tokens":9,"completion_tokens":9}}}}]}\n\n);
my $numbers = '{"prompt_tokens":24,"completion_tokens":2,"total_tokens":26}';
my $usage = qq(data: {"id":"c","choices":[],"usage":$numbers}\n\n);
my $done = "data: [DONE]\n\n";

my $json = qq({"id":"c","choices":[{"index":0,"message":{"role":"assistant",)
    . qq("content":"h\xc3\xa9 $decoy","tool_calls":[{"function":{"arguments":)
    . qq("$decoy"}}],"usage":{"prompt_tokens":9,"completion_tokens":9,)
    . qq("total_tokens":18}}}],"usage":$numbers,"x":{"usage":{)
    . qq("prompt_tokens":5,"total_tokens":5}},"y":["usage",$numbers]});


# Calls, 25 at a time; the scripts are alike but for their cuts, so that it
# does not matter which of them meets which call. Answers to the calls.
sub calls ($ask, @scripts) {
    my @answers;

    while (my @some = splice @scripts, 0, 25) {
        $t->sim->script(%$_) for @some;

        my @c = map { $t->connect->ask(key => $key,
            json => AIGW::chat_body(@$ask)) } @some;

        push @answers, map { $_->response } @c;
    }

    return @answers;
}


# Faults of answers to one body cut in many ways.
sub faults ($want, $row, @answers) {
    my %rows = @answers > 50 ? (map { $_->{id} => $_ } $t->rows)
        : map { $_->id => $t->row($_) } @answers;
    my @faults;

    for my $i (0 .. $#answers) {
        my $r = $answers[$i];
        my $got = $rows{ $r->id } // {};

        push @faults, "$i: the body is " . $r->body if $r->body ne $want;
        push @faults, "$i: ended '$r->{ended}'"
            if $r->{ended} !~ /^(?:length|chunked)$/;

        for my $name (sort keys %$row) {
            push @faults, "$i: $name is " . ($got->{$name} // 'null')
                if ($got->{$name} // 'null') ne $row->{$name};
        }
    }

    return @faults;
}

# A row whose usage is a guess: a token for four bytes of the body and of text.
sub guess ($text_bytes, @ask) {
    my $body = JSON::PP->new->utf8->canonical->encode(AIGW::chat_body(@ask));
    my ($in, $out) = map { int(($_ + 3) / 4) } length $body, $text_bytes;

    return (settled => 'estimated', prompt_tokens => $in,
        completion_tokens => $out, total_tokens => $in + $out,
        cost => sprintf '0.%05d', $in + $out);
}

my %exact = (prompt_tokens => 24, completion_tokens => 2, total_tokens => 26,
    cost => '0.00026', settled => 'exact', verdict => 'ok', status => 200);


# --- every cut ---

sub every_cut ($name, $body, $want, $ask, $headers, %more) {
    my $row = { %exact, %{ $more{row} // {} } };
    my @at = grep { $_ % ($more{every} // 1) == 0 } 1 .. length($body) - 1;
    my @answers = calls($ask, map { {
        headers => $headers, body => $body, split => [$_], delay_ms => 3,
        chunked => $more{chunked},
    } } @at);
    my @faults = faults($want, $row, @answers);
    my $cut = grep { @{ $_->{chunks} } > 1 } @answers;

    is_deeply([splice @faults, 0, 5], [], "J12 $name: cut in two, "
        . @at . ' ways');
    cmp_ok($cut, '>', @answers / 4, "J12 $name: $cut came in two, indeed");

    @faults = faults($want, $row, calls($ask, { headers => $headers,
        body => $body, split => 'all', delay_ms => 1,
        chunked => $more{chunked} }));
    is_deeply(\@faults, [], "J12 $name: as single bytes");
}

# Bytes of the text delivered in $text, as the JSON says them.
my $text_bytes = length "h\xc3\xa9 " . $decoy;
my $stream = "$text$usage$done";
my @ask = (stream => $true);

# nginx would gather what is not buffered against its will.
every_cut('JSON', $json, $json, [], ['Content-Type', 'application/json',
    'X-Accel-Buffering', 'no'], chunked => 1);
every_cut('LF', $stream, "$text$done", \@ask, \@sse, chunked => 1);
every_cut('LF, asked for', $stream, $stream, [@ask,
    stream_options => { include_usage => $true }], \@sse, every => 3,
    chunked => 1);

# The last item of CRLF and CR decides late whether a LF belongs to it.
for my $end ("\r\n", "\r") {
    my $name = $end eq "\r" ? 'CR' : 'CRLF';

    every_cut("J13 $name", $stream =~ s/\n/$end/gr, "$text$done"
        =~ s/\n/$end/gr, \@ask, \@sse, chunked => 1, every => 2);
}

# Three random cuts each, of a stream with all that SSE knows.
{
    my $odd = "\xef\xbb\xbf: hello\r\n\r\nretry: 5\r\n\r\nevent: message\rid: 7"
        . "\n" . $text . ":\n" . $tool =~ s/data: /data:/r;
    my $body = $odd . $usage =~ s/,"usage"/,\r\ndata: "usage"/r . $done;

    srand 20261124;

    my @scripts = map { {
        headers => \@sse, body => $body, delay_ms => 2, chunked => 1,
        split => [sort { $a <=> $b } map { 1 + int rand(length($body) - 1) }
            1 .. 3],
    } } 1 .. 150;
    my @faults = faults("$odd$done", \%exact, calls(\@ask, @scripts));

    is_deeply([splice @faults, 0, 5], [],
        'J12 J13 J14 J15 J17 all that SSE knows, in four random pieces');
}


# --- every shape ---

# One call, its answer scripted: body and row as told.
sub answers ($name, $script, $want, $row = {}, $ask = \@ask) {
    my $sized = ref $script ? $script : { body => $script };
    my ($r) = calls($ask, { headers => \@sse, chunked => 1, %$sized });
    my @faults = faults($want, { %exact, %$row }, $r);

    is_deeply(\@faults, [], $name);

    # the harness would look for errors in it, which takes seconds for some
    $r->{body} = '';

    return $t->row($r);
}

answers('J23 decoys beside the usage', "$text$tool$usage$done",
    "$text$tool$done");
answers('J14 data: without a space', "$text$usage$done" =~ s/data: /data:/gr,
    "$text$done" =~ s/data: /data:/gr);
answers('J14 two spaces behind data:', $stream =~ s/data: /data:  /gr,
    "$text$done" =~ s/data: /data:  /gr);
answers('J14 a comment amid the hidden event leaves with it or stays',
    $text . $usage =~ s/\n\n/\n: ping\n\n/r . $done, "$text$done");
answers('J14 comments between events', ": a\n\n$text: b\n\n$usage: c\n\n$done",
    ": a\n\n$text: b\n\n: c\n\n$done");
answers('J14 a field without a colon', "data\n\n$stream", "data\n\n$text$done");
answers('J15 the hidden chunk in five data lines', $text
    . "data: {\"choices\":\ndata: []\ndata: ,\"usage\"\ndata: :\ndata: "
    . "$numbers}\n\n$done", "$text$done");
answers('J17 a BOM', "\xef\xbb\xbf$stream", "\xef\xbb\xbf$text$done");
answers('J17 a BOM before the hidden chunk', "\xef\xbb\xbf$usage$done",
    "\xef\xbb\xbf$done");
answers('J18 no final newline', $stream =~ s/\n+\z//r,
    "$text$done" =~ s/\n+\z//r);
is_deeply(answers('J18 no [DONE]', "$text$usage", $text)->{flags},
    ['incomplete'], 'J18 no [DONE]: flagged');
is_deeply(answers('J18 no [DONE], no blank line', $text . $usage
    =~ s/\n+\z//r, $text)->{flags}, ['incomplete'], 'J18 flagged, too');
answers('J18 blank lines at the end', "$stream\n\n\n", "$text$done\n\n\n");
answers('extra blank lines between events', "$text\n\n$usage\n$done",
    "$text\n\n\n$done");
answers('an event without data', "event: ping\n\n$stream",
    "event: ping\n\n$text$done");
answers('no event at all but [DONE]', $done, $done, { guess(0, @ask) });
answers('usage behind [DONE] is hidden, and too late', "$text$done$usage",
    "$text$done", { guess($text_bytes, @ask) });

my $long = 'data: {"choices":[{"delta":{"content":"' . 'x' x 3_000_000
    . qq("}}],"usage":null}\n\n);

# what is set aside for it must pay for it, else it is cut
answers('J27 an event of 3 MB in one line', "$long$usage$done",
    "$long$done", {}, [@ask, max_tokens => 1_000_000]);
answers('J27 a comment of 1 MB', ': ' . 'x' x 1_000_000 . "\n\n$stream",
    ': ' . 'x' x 1_000_000 . "\n\n$text$done");

my $tiny = "data: {\"choices\":[]}\n\n" x 50_000;

answers('J27 50,000 tiny events', "$tiny$usage$done", "$tiny$done");
answers('J27 100,000 blank lines', "\n" x 100_000 . $stream,
    "\n" x 100_000 . "$text$done");

# A usage chunk that is longer than what may be held back passes.
my $wide = $usage =~ s/"id"/'"pad":"' . 'x' x 9000 . '","id"'/er;

answers('a hidden chunk of 9,000 bytes passes and counts', "$text$wide$done",
    "$text$wide$done");

my $narrow = $usage =~ s/"id"/'"pad":"' . 'x' x 8000 . '","id"'/er;

answers('one of 8,000 is hidden', "$text$narrow$done", "$text$done");


# --- where nginx's buffers end ---

# The name of the usage at each place about the end of nginx's first buffer;
# in it names as long as a block of the scanner, and one byte less and more.
{
    my $names = join ',', map { '"' . 'n' x $_ . '":1' } 15 .. 17;
    my $object = $numbers =~ s/\}/,$names}/r;
    my (%want, @wrong);

    for my $json (0, 1) {
        for my $at (4096 - 24 .. 4096 + 2) {
            my ($before, $behind) = $json
                ? ('{"pad":"', qq(","usage":$object})) : ("$text: ",
                qq(\n\ndata: {"choices":[],"usage":$object}\n\n$done));
            my $head = "HTTP/1.1 200 OK\r\nContent-Type: " . ($json
                ? 'application/json' : 'text/event-stream') . "\r\n\r\n";
            my $pad = 'x' x ($at - length("$head$before")
                - index $behind, '"usage"');

            $t->sim->script(raw => "$head$before$pad$behind", then => 'close');

            my $r = $t->stream($key)->response;
            my $body = $json ? "$before$pad$behind" : "$before$pad\n\n$done";

            push @wrong, "$at: " . $r->body if $r->body ne $body;
            $want{ $r->id } = $at;
        }
    }

    my @rows = grep { $want{ $_->{id} } } $t->rows('--since', '5m');

    is_deeply(\@wrong, [], 'J30 a name across the end of a buffer: the bytes');
    is(@rows, 54, 'J30 each has its row');
    is_deeply([map { $want{ $_->{id} } } grep { $_->{settled} ne 'exact'
        || $_->{total_tokens} != 26 } @rows], [], 'J30 each is exact');
}


# --- where the usage stands ---

my $beside = $text =~ s/"usage":null/"usage":$numbers/r;

answers('J19 usage beside the text, first', "$beside$text$done",
    "$beside$text$done");
answers('J19 usage on each chunk, growing', $beside =~ s/:2,/:1,/r
    =~ s/:26\}/:25}/r . "$beside$done", $beside =~ s/:2,/:1,/r
    =~ s/:26\}/:25}/r . "$beside$done");
answers('J19 usage, then null and zeros', $beside . $text
    . $usage =~ s/24|26|2(?=,)/0/gr . $done, "$beside$text$done");
answers('J19 two usage chunks: the last counts, once, both are hidden',
    $text . $usage =~ s/24/99/r =~ s/26/101/r . "$usage$done", "$text$done");

for my $case (
    # usage, prompt and completion tokens, flags
    ['{"prompt_tokens":"24","completion_tokens":2.0}', 24, 2],
    ['{"prompt_tokens":2.4e1,"completion_tokens":0.2e1}', 24, 2],
    ['{"prompt_tokens":24,"completion_tokens":-0}', 24, 0],
    ['{"prompt_tokens":24,"completion_tokens":null}', 24, 0],
    ['{"prompt_tokens":-1,"completion_tokens":2}', undef],
    ['{"prompt_tokens":24,"completion_tokens":1.5}', undef],
    ['{"prompt_tokens":1e400,"completion_tokens":2}', undef],
    ['{"prompt_tokens":9007199254740993,"completion_tokens":2}', undef],
    ['{"prompt_tokens":18446744073709551616,"completion_tokens":2}', undef],
    ['{"prompt_tokens":' . '9' x 30 . ',"completion_tokens":2}', undef],
    ['{"prompt_tokens":true,"completion_tokens":2}', undef],
    ['{"prompt_tokens":[24],"completion_tokens":2}', undef],
)
{
    my ($object, $prompt, $completion) = @$case;
    my $chunk = qq(data: {"choices":[],"usage":$object}\n\n);
    my $name = 'J25 ' . substr $object, 0, 60;

    my ($r) = calls(\@ask, { headers => \@sse, chunked => 1,
        body => "$text$chunk$done" });
    my $row = $t->row($r);

    is($r->body, "$text$done", "$name: hidden");

    if (defined $prompt) {
        is_deeply([@$row{qw(prompt_tokens completion_tokens settled)}],
            [$prompt, $completion, 'exact'], "$name: taken");

    } else {
        is($row->{settled}, 'estimated', "$name: settled by estimate");
        ok(scalar(grep { $_ eq 'bad_usage' } @{ $row->{flags} }),
            "$name: flagged") or diag explain $row;
        cmp_ok($row->{total_tokens}, '<', 1000, "$name: and not believed");
    }
}

is_deeply(answers('J32 a total that is no sum', $text
    . $usage =~ s/26/30/r . $done, "$text$done", {})->{flags},
    ['inconsistent'], 'J32 flagged');


# --- JSON ---

sub whole ($name, $body, $row = {}, %script) {
    return answers($name, { headers => ['Content-Type', 'application/json'],
        chunked => 0, body => $body, %script }, $body, $row, []);
}

whole('blank lines before JSON', "\n\n  \r\n$json");
whole('usage first', qq({"usage":$numbers,"choices":[]}));
whole('J23 two usage members: the last', '{"usage":{"prompt_tokens":1},'
    . qq("choices":[],"usage":$numbers}));
whole('usage behind 3 MB', '{"data":"' . 'A' x 3_000_000
    . qq(","usage":$numbers}));
whole('J10 prototype members', '{"__proto__":{"usage":{"prompt_tokens":1}},'
    . qq("constructor":1,"usage":$numbers}));
whole('chunked JSON', $json, {}, chunked => 1);
whole('"error":null is no error', qq({"error":null,"usage":$numbers}));

my %estimated = guess(0);

for my $body ('{}', '[]', 'null', '""', '{"usage":null}', '{"usage":[]}',
    '{"usage":"x"}', '{"usage":{}}', '{"usage":{"prompt_tokens":0}}')
{
    whole("J22 $body: no usage", $body, \%estimated);
}

for my $body ('not JSON', '{"usage":{"prompt_tokens":1', '{"a":}',
    "{\"a\":\"\x00\"}", '<html></html>')
{
    is_deeply(whole("J26 $body: no JSON", $body, \%estimated)->{flags},
        ['malformed'], 'flagged');
}


# --- headers that lie ---

for my $type ('text/event-stream; charset=utf-8', 'TEXT/EVENT-STREAM',
    'text/event-stream;charset=x')
{
    answers("J33 $type", { headers => ['Content-Type', $type],
        body => $stream }, "$text$done");
}

for my $type ('application/json; charset=utf-8', 'Application/JSON') {
    whole("J33 $type", $json, {}, headers => ['Content-Type', $type]);
}

# Neither is metered: no answer of a model, nothing is charged.
my %void = (settled => 'void', verdict => 'upstream_error', cost => '0',
    prompt_tokens => 0, completion_tokens => 0, total_tokens => 0);

for my $headers ([], ['Content-Type', 'text/html'], ['Content-Type', 'x'],
    ['Content-Type', 'application/jsonx'], ['Content-Type', ''])
{
    answers('J33 type "' . ($headers->[1] // 'none') . '": passes as it is',
        { headers => $headers, body => $stream }, $stream, \%void);
}

answers('J33 a stream that says it is JSON', { headers =>
    ['Content-Type', 'application/json'], body => $stream }, $stream,
    { guess(0, @ask) });

# Compressed although identity was asked for: bytes pass, no usage is read.
for my $encoding (qw(gzip br deflate x-unknown)) {
    my $bytes = "\x1f\x8b\x08\x00" . $stream;
    my $row = answers("H30 $encoding although unasked", { headers => [@sse,
        'Content-Encoding', $encoding], body => $bytes }, $bytes,
        { guess(0, @ask) });

    is_deeply($row->{flags}, ['malformed'], "H30 $encoding: flagged");
}

answers('H30 identity is none', { headers => [@sse, 'Content-Encoding',
    'identity'], body => $stream }, "$text$done");


# --- errors with status 200 ---

my $error = '{"error":{"message":"overloaded","type":"server_error",'
    . '"param":null,"code":"overloaded"}}';

whole('J26 an error with status 200', $error, \%void);
answers('J26 an error event', "data: $error\n\n$done",
    "data: $error\n\n$done", \%void);
answers('J26 event: error', "event: error\ndata: {\"message\":\"x\"}\n\n",
    "event: error\ndata: {\"message\":\"x\"}\n\n", \%void);
answers('J26 a bare error line', "$error\n", "$error\n", \%void);
isnt(answers('J26 an error behind text', "${text}data: $error\n\n",
    "${text}data: $error\n\n", { guess($text_bytes, @ask) })->{cost}, '0',
    'is not free');

for my $status ('204 No Content', '201 Created', '206 Partial Content') {
    my ($r) = calls([], { status => $status, body => '', headers => [] });

    is($r->status, $status =~ s/ .*//r, "H33 $status passes");
    is($t->row($r)->{settled}, 'void', "H33 $status: nothing is charged");
}

$t->finish;

# Bodies by every path into the module: the same verdict, and to the upstream
# the same bytes. Show line 2, threats J01 to J11, H07, Q20.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;
use AIGW::Curl;

my $t = AIGW->new(start => 0);
my $true = JSON::PP::true;

# Servers that keep a body in other ways than the first, which has 128 KiB of
# memory for it and a file for the rest.
my %server = (
    memory => 'client_body_buffer_size 60m;',
    single => 'client_body_buffer_size 60m; client_body_in_single_buffer on;',
    file => 'client_body_in_file_only clean;',
    small => 'client_body_buffer_size 1k;',
    unbuffered => 'proxy_request_buffering off;',
    h2 => '',
    retry => 'proxy_next_upstream error timeout non_idempotent;',
    'retry in a file' => 'proxy_next_upstream error timeout non_idempotent;'
        . ' client_body_in_file_only clean;',
);
my %port = (plain => $t->port, map { $_ => AIGW::free_port() } keys %server);

$t->{http} = join '', 'upstream twice { ' . ('server ' . $t->upstream
    . ' max_fails=0; ') x 2 . "}\n", map {
    'server { listen 127.0.0.1:' . $port{$_} . (/^h2/ ? ' http2' : '') . ';'
        . ' location /v1/ { ai_gateway on; proxy_http_version 1.1;'
        . ' proxy_set_header Connection ""; client_max_body_size 64m;'
        . ' proxy_pass http://' . (/^retry/ ? 'twice' : 'sim4s') . ';'
        . " $server{$_} } }\n"
} sort keys %server;
$t->configure;
$t->start;

my $key = $t->project('alice');
my $answer = '{"usage":{"prompt_tokens":24,"completion_tokens":2,'
    . '"total_tokens":26}}';


# --- ways to send a body ---

sub plain ($port, $body) {
    local $t->{port} = $port;

    return $t->request(key => $key, body => $body, timeout => 30);
}


# Chunks of odd sizes, with an extension and a trailer.
sub chunked ($port, $body) {
    local $t->{port} = $port;

    my $c = $t->connect;
    my $raw = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer $key\r\nTransfer-Encoding: chunked\r\n\r\n";
    my $size = length $body < 2000 ? 7 : int(length($body) / 41);

    for (my $at = 0; $at < length $body; $at += $size) {
        my $piece = substr $body, $at, $size;

        $raw .= sprintf("%x;ext=1\r\n", length $piece) . "$piece\r\n";
    }

    return $c->send("${raw}0\r\nX-Trailer: x\r\n\r\n")->expect->response(30);
}


# The body is held back until nginx asks for it.
sub expecting ($port, $body) {
    local $t->{port} = $port;

    my $c = $t->connect;
    my $got = '';

    $c->send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer $key\r\nExpect: 100-continue\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n");
    sysread $c->{sock}, $got, 25;
    is($got, "HTTP/1.1 100 Continue\r\n\r\n", 'it is asked for')
        if $got !~ /^HTTP\/1.1 100 Continue/;

    return $c->send($body)->expect->response(30);
}


# Pieces that arrive apart.
sub dribbled ($port, $body) {
    local $t->{port} = $port;

    my $c = $t->connect;
    my $size = int(length($body) / 9) + 1;

    $c->send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer $key\r\nContent-Length: " . length($body)
        . "\r\n\r\n");

    for (my $at = 0; $at < length $body; $at += $size) {
        select undef, undef, undef, 0.004;
        $c->send(substr $body, $at, $size);
    }

    return $c->expect->response(30);
}


sub http2 ($port, $body, $no_length = 0) {
    my ($r) = AIGW::Curl::start($t, [{ key => $key, body => $body,
        no_length => $no_length }], port => $port)->responses;

    is($r->{version}, 2, 'by HTTP/2') if $r->{version} ne 2;

    return $r;
}

my %way = (
    'as it comes' => sub ($body) { plain($port{plain}, $body) },
    'in memory' => sub ($body) { plain($port{memory}, $body) },
    'in a single buffer' => sub ($body) { plain($port{single}, $body) },
    'in a temp file' => sub ($body) { plain($port{file}, $body) },
    'in pieces' => sub ($body) { dribbled($port{small}, $body) },
    'chunked' => sub ($body) { chunked($port{plain}, $body) },
    'chunked in memory' => sub ($body) { chunked($port{memory}, $body) },
    'with 100-continue' => sub ($body) { expecting($port{plain}, $body) },
    'unbuffered' => sub ($body) { plain($port{unbuffered}, $body) },
    'by HTTP/2' => sub ($body) { http2($port{h2}, $body) },
    'by HTTP/2 without a length' => sub ($body) {
        http2($port{h2}, $body, 1);
    },
    'to a second upstream' => sub ($body) { plain($port{retry}, $body) },
    'to a second upstream from a file' => sub ($body) {
        plain($port{'retry in a file'}, $body);
    },
);


# --- every path, every size ---

# A body of about that size, the model at its end. stream: the upstream must be
# asked for usage, 1: by a member of its own, 2: inside one that is there.
sub body ($size, $stream) {
    my $tail = '"}],' . ('', '"stream":true,',
        '"stream":true,"stream_options":{"x":1},')[$stream]
        . '"model":"gpt-4o-mini"}';
    my $head = '{"messages":[{"role":"user","content":"';

    return $head . 'x' x ($size - length($head) - length $tail) . $tail;
}


sub spliced ($body, $stream) {
    return $body if !$stream;
    return $body =~ s/\A\{/{"stream_options":{"include_usage":true},/r
        if $stream == 1;
    return $body =~ s/\{"x":1/{"include_usage":true,"x":1/r;
}


# Sends it: the answer, which must be good, and what the upstream saw.
sub sends ($name, $way, $body, $want) {
    my $retry = $way =~ /second/;

    $t->sim->reset;
    $t->sim->script(raw => '', then => 'close') if $retry;
    $t->sim->script(body => $answer);

    my $r = $way{$way}->($body);
    my $row = $t->row($r);
    my @seen = $t->sim->seen;

    is($r->body, $answer, "$name $way: the answer");
    is_deeply([@$row{qw(status verdict settled model total_tokens attempts)}],
        [200, 'ok', 'exact', 'gpt-4o-mini', 26, $retry ? 2 : 1],
        "$name $way: the row") or diag explain $row;
    is(@seen, $retry ? 2 : 1, "$name $way: requests upstream");

    for my $seen (@seen) {
        ok($seen->{body} eq $want, "$name $way: the same bytes upstream")
            or diag length($seen->{body}) . ' for ' . length($want)
            . ': ' . substr $seen->{body}, 0, 200;
        is($seen->{headers}{'content-length'}, length $want,
            "$name $way: and their number");
    }
}

my %size = ('1 KB' => 1000, '100 KB' => 100_000, '2 MB' => 2_000_000,
    '50 MB' => 50_000_000);

for my $name (sort { $size{$a} <=> $size{$b} } keys %size) {
    for my $way (sort keys %way) {
        for my $stream ($name eq '100 KB' ? (0 .. 2) : 1) {
            my $body = body($size{$name}, $stream);

            sends("$name" . ($stream ? ", splice $stream," : ''), $way, $body,
                spliced($body, $stream));
        }
    }
}

# J08: around the buffer's end.
for my $size (1022 .. 1026) {
    my $body = body($size, 1);

    $t->sim->reset;
    $t->sim->script(body => $answer);
    is(plain($port{small}, $body)->status, 200, "J08 $size bytes in 1 KiB");
    is(($t->sim->seen)[0]{body}, spliced($body, 1), "J08 $size bytes: whole");
}

# The model first, last, amid others, escaped, after blanks.
for my $body ('{"model":"gpt-4o-mini","messages":[]}',
    '{"messages":[{"model":"x"}],"a":{"model":"y"},"model":"gpt-4o-mini"}',
    "  {\n\t\"m\" : [ ] , \"model\"\r\n: \"gpt-4o-mini\" , \"n\" : 1 }\n\n ",
    '{"\u006dodel":"gpt\u002d4o-m\u0069ni"}', '{"model":"gpt-4o-mini"}',
    '{"Model_":1,"mode":"l","model":"gpt-4o-mini","metadata":{"model":"z",'
        . '"model":"z"},"metadata":1,"tools":[{"model":1}]}')
{
    my $name = 'J04 A20 ' . substr($body, 0, 20) =~ s/\s+/ /gr;

    sends($name, $_, $body, $body)
        for 'as it comes', 'in pieces', 'in a temp file', 'by HTTP/2';
}


# --- bodies that are refused ---

my $deep = '[' x 10_000;
my @bad = (
    ['invalid_json', 'J06 10,000 [', $deep],
    ['invalid_json', 'J06 depth 64 is too deep', qq({"model":"m","a":)
        . '[' x 64 . ']' x 64 . '}'],
    ['invalid_json', 'J06 10^5 {', '{"a":' x 100_000],
    ['invalid_json', 'J07 NUL', qq({"model":"m","a":"\0"})],
    ['invalid_json', 'J07 a NUL behind', qq({"model":"m"}\0)],
    ['invalid_json', 'J07 bad UTF-8', qq({"model":"m","a":"\xff"})],
    ['invalid_json', 'J07 overlong UTF-8', qq({"model":"m","a":"\xc0\xaf"})],
    ['invalid_json', 'J07 half a character', qq({"model":"m","a":"\xe4\xb8"})],
    ['invalid_json', 'J07 a surrogate', qq({"model":"m","a":"\xed\xa0\x80"})],
    ['invalid_json', 'J07 UTF-16', "{\0\"\0m\0\"\0:\0001\0}\0"],
    ['invalid_json', 'J07 a BOM', "\xef\xbb\xbf" . '{"model":"m"}'],
    ['invalid_json', 'J07 trailing bytes', '{"model":"m"}x'],
    ['invalid_json', 'J07 two documents', '{"model":"m"}{"model":"n"}'],
    ['invalid_json', 'J09 a comment', '{"model":"m"/**/}'],
    ['invalid_json', 'J09 a trailing comma', '{"model":"m",}'],
    ['invalid_json', 'J09 single quotes', "{'model':'m'}"],
    ['invalid_json', 'J09 Infinity', '{"model":"m","a":Infinity}'],
    ['invalid_json', 'J09 hex', '{"model":"m","a":0x1}'],
    ['invalid_json', 'J09 a plus', '{"model":"m","a":+1}'],
    ['invalid_json', 'J09 a leading zero', '{"model":"m","a":01}'],
    ['invalid_json', 'J11 nothing', ''],
    ['invalid_json', 'J11 white space', " \r\n\t "],
    ['invalid_json', 'J11 null', 'null'],
    ['invalid_json', 'J11 an array', '[]'],
    ['invalid_json', 'J11 a string', '"x"'],
    ['invalid_json', 'cut', '{"model":"m","a":"b'],
    ['duplicate_parameter', 'J01 model twice', '{"model":"a","model":"b"}'],
    ['duplicate_parameter', 'J01 mod\u0065l', '{"model":"a","mod\u0065l":"b"}'],
    ['duplicate_parameter', 'J01 mod\u0065l first',
        '{"mod\u0065l":"a","x":1,"model":"b"}'],
    ['duplicate_parameter', 'J01 Model', '{"model":"a","Model":"b"}'],
    map({ ['duplicate_parameter', "J03 $_ twice",
        qq({"model":"a","$_":null,"b":1,"$_":null}) ] } qw(n max_tokens stream
        stream_options max_completion_tokens)),
    ['missing_required_parameter', 'A19 no model', '{}'],
    ['invalid_type', 'A19 a model of another type', '{"model":["a"]}'],
    ['invalid_type', 'A19 null', '{"model":null}'],
);

# Behind as many members as take it past the buffers, it is still found.
sub padded ($body) {
    my $pad = '"pad":"' . 'x' x 200_000 . '",';

    return $body =~ s/\A\{(?=["'])/{$pad/r;
}

$t->sim->reset;

for my $bad (@bad) {
    my ($code, $name, $body) = @$bad;
    my @wrong;

    for my $way ('as it comes', 'in pieces', 'chunked', 'in a temp file',
        'by HTTP/2 without a length')
    {
        for my $sent ($body, padded($body)) {
            next if $way =~ /HTTP/ && $sent ne $body;

            my $r = $way{$way}->($sent);

            push @wrong, "$way: $r->{status} " . $r->code
                if $r->status != 400 || $r->code ne $code;
        }
    }

    is_deeply(\@wrong, [], "$name: 400 by every path");
}

is($t->sim->count, 0, 'nothing of all that went upstream');

# J06: large, but good. Time is linear: none of it takes a second.
for my $case (
    ['10^6 members', '{' . join('', map { qq("k$_":$_,) } 1 .. 300_000)
        . '"model":"gpt-4o-mini"}'],
    ['a string of 10 MB', '{"a":"' . '\u00e9' x 1_700_000
        . '","model":"gpt-4o-mini"}'],
    ['an array of 10^6', '{"a":[' . '[],' x 1_000_000
        . '1],"model":"gpt-4o-mini"}'],
)
{
    my ($name, $body) = @$case;

    sends("J06 $name", 'as it comes', $body, $body);
}

$t->finish;

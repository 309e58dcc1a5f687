# Clients that hang up, at every phase of a call: JSON and streams, buffered and
# not, HTTP/1.1 and HTTP/2, by a FIN of one half or both, by a RST. One row
# each; what was delivered costs something, never more than was held for it; a
# project that reads on is charged exactly. Threats H24, H27, H28, Q20.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::HTTP2;

# what nginx has given back is not to be read
$ENV{MALLOC_PERTURB_} = 165;

# An upstream that takes no connection: its backlog is full.
my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my @knocking = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $deaf->sockport, Blocking => 0) } 1 .. 4;

my $t = AIGW->new(start => 0);
my %port = map { ($_ => AIGW::free_port()) } 0 .. 3;

# Bit 0: HTTP/2, bit 1: not buffered.
$t->{http} = 'proxy_connect_timeout 500ms; proxy_http_version 1.1;'
    . ' proxy_set_header Connection ""; proxy_ignore_client_abort on;'
    . " upstream deaf { server 127.0.0.1:@{[ $deaf->sockport ]}; }"
    . join '', map {
        " server { listen 127.0.0.1:$port{$_} sndbuf=16k"
        . ($_ & 1 ? ' http2;' : ';')
        . ' proxy_buffering ' . ($_ & 2 ? 'off;' : 'on;')
        . ' location /v1/ { ai_gateway on; proxy_pass http://sim4s; }'
        . ' location /v1/embeddings { ai_gateway on;'
        . ' proxy_pass http://deaf; } }'
    } sort keys %port;
$t->configure;
$t->start;

my %key;

for my $policy ('drain', 'abort') {
    $key{$policy}[0] = $t->project($policy, '--quota', '100', '--disconnect',
        $policy);
    $key{$policy}[2] = $t->key($policy, 'second');
}


# --- what upstreams say ---

my $word = 'x' x 400;
my $text = qq(data: {"choices":[{"delta":{"content":"$word"}}],"usage":null})
    . "\n\n";
my $padding = qq(data: {"choices":[{"delta":{}}],"pad":"$word"}\n\n);
my $counts = '"usage":{"prompt_tokens":24,"completion_tokens":2,'
    . '"total_tokens":26}';
my $usage = qq(data: {"choices":[],$counts}\n\n);
my $done = "data: [DONE]\n\n";
my $long = 'y' x 50_000;                # more than nginx's buffers
my $choice = qq("choices":[{"message":{"content":"$long"}}]);
my %sse = (chunked => 1, headers => ['Content-Type', 'text/event-stream']);
my $short = "{$counts}";
my $big = 400_000;                      # more than a connection takes

# A gate is where the client leaves; seen: it has got something by then.
my %script = (
    json => {
        'before the answer' => { raw => "HTTP/1.1 200 OK\r\nContent-Type:"
            . " application/json\r\nContent-Length: @{[ length $short ]}\r\n"
            . "\r\n$short", gates => [0] },
        'behind its head' => { pieces => [$short], gates => [0] },
        'amid the answer' => { seen => 1, gates => [1], pieces => [
            substr("{$choice", 0, -100), substr("{$choice", -100)
            . ",$counts}"] },
        'between usage and end' => { seen => 1, gates => [1], pieces => [
            "{$counts," . substr($choice, 0, -100), substr($choice, -100)
            . '}'] },
        'behind its last byte' => { whole => 1, pieces => [$short] },
        'without reading' => { spools => 1, body => qq({"x":") . 'z' x $big
            . qq(",$counts}) },
    },
    stream => {
        'before the answer' => { raw => "HTTP/1.1 200 OK\r\nContent-Type:"
            . " text/event-stream\r\nConnection: close\r\n\r\n"
            . "$text$usage$done", gates => [0], then => 'close' },
        'behind its head' => { %sse, pieces => ["$text$usage$done"],
            gates => [0] },
        'behind the first event' => { %sse, seen => 1, gates => [1],
            pieces => [$text, $text, "$usage$done"] },
        'amid an event' => { %sse, seen => 1, gates => [2],
            pieces => [$text, substr($text, 0, 80), substr($text, 80)
            . "$usage$done"] },
        'between usage and end' => { %sse, seen => 1, gates => [2],
            pieces => [$text, $usage, $done] },
        'behind its last byte' => { %sse, whole => 1,
            pieces => ["$text$usage$done"] },
        'without reading' => { %sse, pieces => [$padding x ($big / 400),
            "$usage$done"] },
        'from an upstream that breaks off' => { %sse, seen => 1, gates => [1],
            pieces => [$text, $text], unfinished => 1, then => 'reset' },
    },
);


# --- clients ---

sub reset_of ($sock) {
    setsockopt($sock, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0);
    close $sock;
}


# A close with bytes that nobody has read is a RST.
sub fin_of ($sock) {
    $sock->blocking(0);
    1 while sysread $sock, my $rest, 65536;
    close $sock;
}


my @ways = (
    [0, 'FIN of one half', sub ($c) { shutdown $c->{sock}, 1 }],
    [0, 'FIN', sub ($c) { fin_of($c->{sock}) }],
    [0, 'RST', sub ($c) { reset_of($c->{sock}) }],
    [1, 'RST_STREAM', sub ($c) {
        $c->send(AIGW::HTTP2::frame(3, 0, 1, pack 'N', 8)) }],
    [1, 'FIN under HTTP/2', sub ($c) { fin_of($c->{sock}) }],
    [1, 'RST under HTTP/2', sub ($c) { reset_of($c->{sock}) }],
);

my $phase = 0;                          # part of a row's tag

# All cases of a phase.
sub cases () {
    my @cases;

    $phase++;

    for my $policy ('drain', 'abort') {
        for my $way (@ways) {
            for my $unbuffered (0, 2) {
                push @cases, { policy => $policy, way => $way,
                    unbuffered => $unbuffered, tag => "$phase-" . @cases };
            }
        }
    }

    return @cases;
}


sub name ($case) {
    return "$case->{policy}, " . ($case->{unbuffered} ? 'not ' : '')
        . "buffered, $case->{way}[1]";
}


# The bytes of its request.
sub request ($case, $json, $path) {
    my $key = $key{ $case->{policy} }[$case->{unbuffered}];
    my @more = ('x-aigw-tag', $case->{tag});

    return $case->{way}[0]
        ? $case->{c}->call($key, JSON::PP->new->canonical->encode($json),
            $path, @more)
        : AIGW::HTTP::bytes(key => $key, json => $json, path => $path,
            headers => \@more);
}


# part: what the request stops amid of; of HTTP/2 there are whole frames.
sub opens ($case, $json, $part = '', $path = '/v1/chat/completions') {
    my $h2 = $case->{way}[0];
    my $port = $port{ $h2 | $case->{unbuffered} };
    my $c = $case->{c} = $h2 ? AIGW::HTTP2->new($port)
        : AIGW::HTTP->new($port)->expect;
    my $bytes = request($case, $json, $path);

    if ($h2 && $part eq 'body') {
        substr($bytes, rindex $bytes, '{') = '';
        substr($bytes, -9) = AIGW::HTTP2::frame(0, 0, 1, '{"mo');
    }

    $c->send(substr $bytes, 0, $part eq 'head' ? 60 : $part eq 'body' && !$h2
        ? -10 : length $bytes);
}


sub leaves (@cases) { $_->{way}[2]->($_->{c}) for @cases }


# --- rows ---

sub nano { return AIGW::Check::nano(@_) }


# The rows of these cases, each a list, once all are there or 2 s are over.
sub rows_of (@cases) {
    my $deadline = time + ($ENV{SANITIZE} ? 10 : 3);
    my (%rows, @missing);

    do {
        %rows = ();
        push @{ $rows{ $_->{tag} // '' } }, $_ for @{ $t->json('log', 'list',
            '--limit', 3 * @cases)->{items} };
        @missing = grep { !$rows{ $_->{tag} } } @cases;
        sleep 0.02 if @missing;
    } while (@missing && time < $deadline);

    $_->{rows} = $rows{ $_->{tag} } // [] for @cases;
}


# want: verdict, settled and tokens of the row as far as given.
sub judge ($name, $case, %want) {
    my @rows = @{ $case->{rows} };
    my $row = $rows[0] // {};
    my ($cost, $hold) = map { nano($_ // 0) } @$row{qw(cost hold)};
    my @faults = map { "$_ is " . ($row->{$_} // 'null') . ", not $want{$_}" }
        grep { $_ ne 'free' && ($row->{$_} // '') ne $want{$_} }
        sort keys %want;

    push @faults, @rows . ' rows' if @rows != 1;
    push @faults, "it costs $cost" if $want{free} ? $cost : !$cost;
    push @faults, "it costs $cost, more than $hold" if $cost > $hold;
    push @faults, "it costs $cost, not 260000"
        if ($want{settled} // '') =~ /exact|partial/ && $cost != 260_000;

    is(join(', ', @faults), '', "$name: " . name($case))
        or diag explain $row;
}


# --- before there is a call ---

my @connecting = cases();

opens($_, { model => 'e', input => 'hello' }, '', '/v1/embeddings')
    for @connecting;
sleep 0.1;
leaves(@connecting);

my @heads = cases();

opens($_, AIGW::chat_body(), 'head') for @heads;

my @halves = cases();

opens($_, { model => 'm' }, 'body') for @halves;
sleep 0.1;
leaves(@heads, @halves);
rows_of(@halves);
judge('amid its body', $_, verdict => 'client_closed_request', free => 1,
    settled => '', attempts => 0, total_tokens => 0) for @halves;
is($t->sim->count, 0, 'amid head or body: nothing goes up');

rows_of(@connecting);
judge('while nothing is connected', $_, settled => 'void', free => 1,
    total_tokens => 0) for @connecting;
$t->expect_rows(@halves + @connecting);


# --- calls ---

# How a call ends whose client has left.
sub ends ($case, $script, $when) {
    my %exact = (settled => 'exact', total_tokens => 26, verdict => 'ok');

    return $case->{policy} eq 'drain' ? (settled => 'estimated')
        : (settled => 'estimated') if $when =~ /breaks off/;
    return %exact if $case->{policy} eq 'drain' || $script->{whole}
        || ($script->{spools} && !$case->{unbuffered});
    return (settled => 'partial', total_tokens => 26)
        if $when eq 'between usage and end';
    return (settled => 'estimated', $when eq 'before the answer'
        ? (verdict => 'client_closed_request', completion_tokens => 0) : ());
}


# Until the clients have what they are to have.
sub meet ($script, $count, @cases) {
    my $deadline = time + 10;

    for my $c (map { $_->{c} } $script->{whole} || $script->{seen}
        ? @cases : ())
    {
        my $got = $c->isa('AIGW::HTTP2')
            ? $c->response($script->{whole} ? undef : 1)
            : $script->{whole} ? $c->response->{body} : $c->wait_for(qr/./s);

        diag('a client got nothing') if !length($got // '');
    }

    sleep 0.01 while $t->sim->count < $count && time < $deadline;
    sleep($ENV{SANITIZE} ? 0.3 : 0.1) if !$script->{whole};
}


for my $kind ('json', 'stream') {
    for my $when (sort keys %{ $script{$kind} }) {
        my $script = $script{$kind}{$when};
        my @cases = cases();
        my $count = $t->sim->count + @cases;
        my $name = "$kind, $when";

        $t->sim->script(%$script, repeat => scalar @cases);

        opens($_, AIGW::chat_body(max_tokens => 300, $kind eq 'stream' ? (
            stream => JSON::PP::true, $_->{unbuffered} ? (stream_options =>
            { include_usage => JSON::PP::true }) : ()) : ())) for @cases;
        meet($script, $count, @cases);
        leaves(@cases);

        my ($hasty, $patient) = map {
            my $policy = $_;
            [grep { $_->{policy} eq $policy } @cases];
        } 'abort', 'drain';

        rows_of(@$hasty);
        $t->sim->go for $script->{gates} ? @$patient : ();

        # one of half a connection still reads
        for my $c (map { $_->{c} } grep { $_->{way}[1] =~ /half/ } @$patient) {
            my $r = $c->response;

            isnt($r->{ended}, 'timeout', "$name: half a connection is one")
                if !$script->{whole};
        }

        rows_of(@cases);
        judge($name, $_, ends($_, $script, $when)) for @cases;
        $t->expect_rows(scalar @cases);
    }
}

# --- how far it is read on ---

my $five = 5 * 1024 * 1024;

for (['JSON', 'exact', body => '{"x":"' . 'z' x $five . qq(",$counts})],
    ['a stream', 'estimated', %sse, pieces => [$text, $text x ($five / 400),
        "$usage$done"]])
{
    my ($name, $settled, @script) = @$_;
    my ($case) = grep { $_->{unbuffered} && $_->{way}[1] eq 'FIN' } cases();

    $t->sim->script(@script, gates => [1], split => [200]);
    opens($case, AIGW::chat_body(stream => $name eq 'JSON'
        ? JSON::PP::false : JSON::PP::true));
    $case->{c}->wait_for(qr/./s);
    leaves($case);
    $t->sim->go;
    rows_of($case);
    judge("5 MB of $name", $case, settled => $settled, attempts => 1);
    $t->expect_rows(1);
}

$t->finish;

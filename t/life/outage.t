# The store becomes unreadable, or goes, while 16 clients call through two
# workers: 503 in JSON, nothing upstream, what was under way ends and is
# settled, back within 5 s of the repair. In the end every call that went up
# has one row, every refusal is a row or counted. Show 4; threat A24.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

use constant { CLIENTS => 16, BATCH => 400 };

my $t = AIGW->new(workers => 2, sim => ['--tokens', 4,
    '--delay-ms', 10]);
my $d = $t->dir;
my $key = $t->project('alice', '--quota', '1000000');
my $key_file = $t->secret_file('client', $key);
my $body_file = $t->secret_file('body', JSON::PP::encode_json(
    AIGW::chat_body(stream => JSON::PP::true)));
my $usage = qq(data: {"choices":[],"usage":{"prompt_tokens":24,)
    . qq("completion_tokens":2,"total_tokens":26}}\n\n);
my $text = qq(data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n);
my @workers = $t->workers;
my ($load, %answers, %mine);


sub start_load () {
    $load = AIGW::Process->start(["$AIGW::build/aigw-sim", '--load',
        'http://127.0.0.1:' . $t->port . '/v1/chat/completions',
        '--connections', CLIENTS, '--requests', BATCH, '--key-file',
        $key_file, '--body-file', $body_file]);
}


# Adds up the answers of a load that has ended.
sub end_load () {
    my $report = JSON::PP::decode_json($load->output(60) // '{}');

    $answers{$_} += $report->{status}{$_} for keys %{ $report->{status} };
    $answers{broken} += $report->{broken};
    $load->wait;
}


# Time passes, the clients call.
sub drive ($seconds) {
    my $until = time + $seconds;

    while (time < $until) {
        if (!$load->alive) {
            end_load();
            start_load();
        }

        sleep 0.01;
    }
}


# One call of the test's own, while the others call.
sub call () {
    my $c = AIGW::HTTP->new($t->port);
    my $r = $c->ask(key => $key, json => AIGW::chat_body())->response;

    $c->close;
    $mine{ $r->status }++;
    drive(0.02);

    return $r;
}


# Calls until as many in a row are answered so: the seconds it took.
sub until_all ($status, $n, $seconds) {
    my $start = time;
    my $good = 0;

    while ($good < $n && time - $start < $seconds) {
        $good = call()->status == $status ? $good + 1 : 0;
    }

    return $good == $n ? time - $start : undef;
}


sub outage ($name, $break, $mend) {
    $t->sim->script(headers => ['Content-Type', 'text/event-stream'],
        chunked => 1, gates => [1],
        pieces => [$text, $text, $usage, "data: [DONE]\n\n"]);

    my $c = AIGW::HTTP->new($t->port)->ask(key => $key,
        json => AIGW::chat_body(stream => JSON::PP::true));

    $c->wait_for(qr/\n\n/);
    start_load();
    drive(0.5);
    $break->();
    isnt(until_all(503, 20, 5), undef, "$name: refused");

    my $count = $t->sim->count;
    my $r = call();

    drive(0.5);
    is($t->sim->count, $count, "$name: nothing goes up");
    is($r->code, 'gateway_unavailable', "$name: its code");
    is($r->header('content-type'), 'application/json', "$name: JSON");
    like($r->header('retry-after') // '', qr/^[1-9]\d*$/, "$name: Retry-After");
    is(JSON::PP::decode_json($r->body)->{error}{type}, 'server_error',
        "$name: its type");

    $t->sim->go;
    $r = $c->response;
    $mine{ $r->status }++;
    is($r->body, "$text${text}data: [DONE]\n\n",
        "$name: a stream that was under way goes to its end");

    $mend->();

    my $back = until_all(200, 20, 5);

    isnt($back, undef, "$name: back within 5 s of the repair");
    note(sprintf '%s: back after %.1f s', $name, $back // 9);
    drive(0.3);
    end_load();

    my $row = $t->row($r);

    is("$row->{settled} $row->{total_tokens}", 'exact 26',
        "$name: that stream is settled");
}


sub away ($path) {
    return sub { rename $path, "$d/away" or die "$path: $!\n" },
        sub { rename "$d/away", $path or die "$path: $!\n" };
}


# Root may read everything: this takes workers of another user.
sub closed ($path) {
    my $mode = (stat $path)[2] & 07777;

    return sub { chmod 0, $path or die "$path: $!\n" },
        sub { chmod $mode, $path or die "$path: $!\n" };
}


for my $path ('store/control', 'store/usage', 'store') {
    outage("A24 $path closed", closed("$d/$path")) if $> == 0;
    outage("A24 $path moved", away("$d/$path"));
}

# --- the books ---

my $served = ($answers{200} // 0) + $mine{200};
my $refused = ($answers{503} // 0) + $mine{503};

note("$served served, $refused refused");
is_deeply([sort keys %answers], [200, 503, 'broken'], 'no other answer');
is($answers{broken}, 0, 'no connection broke');
is($t->sim->count, $served, 'what was served had gone up, and nothing else');

my $deadline = time + 1;
my $calls;

do {
    $calls = $t->json('usage', 'show')->{calls};
} while ($calls != $served && time < $deadline);

my @rows = $t->rows;
my @up = grep { defined $_->{settled} } @rows;
my @down = grep { !defined $_->{settled} } @rows;

is(@up, $served, 'a row for each call that was served');
is(scalar(grep { $_->{settled} ne 'exact' } @up), 0, 'each exact');
is(scalar(keys %{ { map { $_->{id} => 1 } @rows } }), @rows, 'none twice');
cmp_ok(scalar(@down), '>', 0, 'some refusals have rows');
is(@down + $t->json('store', 'stats')->{refusals_unlogged}, $refused,
    'the others are counted');
is(scalar(grep { $_->{verdict} ne 'gateway_unavailable' } @down), 0,
    'their verdict');
is_deeply([AIGW::Check::sums($t, @rows)], [], 'what is spent = sum of rows');
is_deeply([$t->workers], \@workers, 'no worker has died of it');
is($t->stop, 0, 'nginx ends');
is_deeply([AIGW::Check::logs($t), AIGW::Check::secrets($t)], [],
    'logs and secrets');

# no finish(): the load's answers have no ids
$t->clean;
done_testing();

# A client that leaves: the upstream is read to its end, the true usage is
# charged, once. Threats H27, H28, Q20.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

# what nginx has given back is not to be read
$ENV{MALLOC_PERTURB_} = 165;

my $t = AIGW->new;
my $key = $t->project('alice');
my $text = qq(data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n);
my $usage = qq(data: {"choices":[],"usage":{"prompt_tokens":24,)
    . qq("completion_tokens":2,"total_tokens":26}}\n\n);
my @sse = (chunked => 1, headers => ['Content-Type', 'text/event-stream']);


# The row of the newest call, once there are n.
sub newest ($n) {
    my @rows = $t->wait_rows($n);

    is(@rows, $n, "$n rows");

    return $rows[0] // {};
}


my $n = 0;

for my $reset (0, 1) {
    my $how = $reset ? 'by a RST' : 'by a FIN';

    # amid a stream
    $t->sim->script(@sse, gates => [1],
        pieces => [$text, ($text) x 20, $usage, "data: [DONE]\n\n"]);

    my $c = $t->stream($key);

    $c->wait_for(qr/\n\n/);
    $c->close($reset);
    sleep 0.1;
    $t->sim->go;

    my $row = newest(++$n);

    is_deeply([@$row{qw(total_tokens cost settled status)}],
        [26, '0.00026', 'exact', 200], "H28 left amid a stream, $how: exact");

    # behind its last byte, the connection still open
    $c = $t->stream($key, max_tokens => 2);
    $c->wait_for(qr/\[DONE\]/);
    $c->close($reset);
    $row = newest(++$n);
    is_deeply([@$row{qw(completion_tokens settled)}], [2, 'exact'],
        "H27 left behind the last byte, $how: exact");

    # before the head of its request is whole: there is no call
    $c = AIGW::HTTP->new($t->port);
    $c->send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthor");
    sleep 0.05;
    $c->close($reset);

    # before the first byte of a JSON answer
    $t->sim->script(raw => "HTTP/1.1 200 OK\r\nContent-Type: application/json"
        . "\r\nContent-Length: 69\r\n\r\n" . '{"usage":{"prompt_tokens":24,'
        . '"completion_tokens":2,"total_tokens":26}}', gates => [0]);
    $c = $t->connect->ask(key => $key, json => AIGW::chat_body());
    sleep 0.1;
    $c->close($reset);
    sleep 0.1;
    $t->sim->go;

    $row = newest(++$n);
    is_deeply([@$row{qw(total_tokens cost settled)}],
        [26, '0.00026', 'exact'],
        "H27 H28 left before the answer, $how: exact");
    $t->expect_rows(1);

    # half a connection closed is no client that has left
    $c = $t->connect->ask(key => $key, json => AIGW::chat_body());
    shutdown $c->{sock}, 1;
    $row = newest(++$n);
    is_deeply([@$row{qw(settled status)}], ['exact', 200],
        "H28 half closed, $how before: exact");
    is($c->response->status, 200, 'H28 and answered');

    # amid the request's own body: nothing upstream
    my $count = $t->sim->count;

    $c = $t->connect;
    $c->send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer $key\r\nContent-Length: 1000\r\n\r\n{\"mod");
    sleep 0.05;
    $c->close($reset);

    $row = newest(++$n);
    is_deeply([@$row{qw(total_tokens cost settled attempts)}],
        [0, '0', undef, 0], "H27 left amid its body, $how: costs nothing");
    is($t->sim->count, $count, 'H27 and reached nobody');
    $t->expect_rows(1);
}

is($t->sim->stats->{aborted}, 0, 'H28 the upstream was never cut off');


# --- a project that does not read on ---

my $hasty = $t->project('hasty', '--quota', '1', '--disconnect', 'abort');
my $aborted = 0;

sub hasty ($name, $c, @want) {
    my @rows = $t->wait_rows($aborted + 1, '--project', 'hasty');
    my $deadline = time + 2;

    is(@rows, ++$aborted, "Q20 $name: one row");
    is_deeply([@{ $rows[0] }{qw(settled verdict)}], \@want,
        "Q20 $name: $want[0]") or diag explain $rows[0];
    cmp_ok($rows[0]{cost}, '>', 0, "Q20 $name: it costs something");
    cmp_ok($rows[0]{cost}, '<=', $rows[0]{hold}, "Q20 $name: what was held, at"
        . ' most');
    sleep 0.02
        while $t->sim->stats->{aborted} < $aborted && time < $deadline;
    is($t->sim->stats->{aborted}, $aborted, "Q20 $name: upstream cut off");
    is($t->json('project', 'show', 'hasty')->{held}, '0',
        "Q20 $name: nothing held");
}

for my $reset (0, 1) {
    my $how = $reset ? 'by a RST' : 'by a FIN';

    $t->sim->script(@sse, delay_ms => 50, pieces => [($text) x 200]);

    my $c = $t->stream($hasty);

    $c->wait_for(qr/\n\n/);
    $c->close($reset);
    hasty("amid a stream, $how", $c, 'estimated', 'ok');

    $t->sim->script(raw => "HTTP/1.1 200 OK\r\nContent-Type: application/json"
        . "\r\nContent-Length: 2\r\n\r\n{}", gates => [0]);
    $c = $t->connect->ask(key => $hasty, json => AIGW::chat_body());
    sleep 0.1;
    $c->close($reset);
    hasty("before the answer, $how", $c, 'estimated',
        'client_closed_request');
    $t->expect_rows(1);
}

is($t->chat($key)->status, 200, 'and all goes on');

$t->finish;

# Reload during a stream, kill -9 of all of nginx, start again: rows are whole,
# sums equal, nothing twice. Threats L02, S01, S03; design I2, I4.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

my $t = AIGW->new(workers => 2);
my $key = $t->project('alice');
my $usage = qq(data: {"choices":[],"usage":{"prompt_tokens":24,)
    . qq("completion_tokens":2,"total_tokens":26}}\n\n);
my $text = qq(data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n);


# --- reload ---

$t->sim->script(headers => ['Content-Type', 'text/event-stream'], chunked => 1,
    pieces => [$text, $text, $usage, "data: [DONE]\n\n"], gates => [1]);

my $c = $t->stream($key);

$c->wait_for(qr/\n\n/);

my @old = $t->workers;

$t->reload;
is($t->chat($key)->status, 200, 'new workers serve during the stream');
$t->sim->go;

my $r = $c->response;

is($r->body, "$text${text}data: [DONE]\n\n", 'the stream ends as it should');
is($t->row($r)->{total_tokens}, 26, 'the old worker writes its row');

$c->close;
ok(AIGW::Process::gone(5, @old), 'and goes');


# --- a worker dies ---

$t->allow_alert(qr/worker process \d+ exited on signal 9/);

my @ids = map { $t->chat($key)->id } 1 .. 20;

kill 'KILL', $t->workers;
$t->wait_workers(2, []);
sleep 0.2;
is($t->chat($key)->status, 200, 'new workers come by themselves');

my %rows = map { $_->{id} => 1 } $t->wait_rows(23);

is_deeply([grep { !$rows{$_} } @ids], [],
    'every answered call of the dead has its row');


# --- everything dies at once, several times ---

for my $round (1 .. 4) {
    @ids = map { $t->chat($key)->id } 1 .. 10;
    $t->kill_all;

    my $before = $t->json('project', 'show', 'alice');

    $t->start;

    my $after = $t->json('project', 'show', 'alice');

    is($after->{spent}, $before->{spent}, "round $round: spent stays");

    my @rows = $t->wait_rows(23 + 10 * $round);
    my %rows;

    $rows{ $_->{id} }++ for @rows;
    is_deeply([grep { !$rows{$_} } @ids], [],
        "round $round: each answered call has its row");
    is_deeply([grep { $rows{$_} > 1 } keys %rows], [],
        "round $round: none has two");
}


# --- the live segment is lost, as after a reboot ---

my $before = $t->json('project', 'show', 'alice');
my $live = $t->json('store', 'stats')->{live_path};

ok(-d $live, "the live segment is at $live");
is($t->stop, 0, 'nginx ends');
File::Path::remove_tree($live);
is($t->json('project', 'show', 'alice')->{spent}, $before->{spent},
    'spent is known without it');
$t->start;
is($t->json('project', 'show', 'alice')->{spent}, $before->{spent},
    'and is the same in a new one');

my $limited = $t->project('bob', '--quota', '0.0001');

$t->json('price', 'set', 'out', '--prompt', '0', '--completion', '10');
$t->sim->script(body => '{"usage":{"prompt_tokens":1,"completion_tokens":10,'
    . '"total_tokens":11}}');
is($t->chat($limited, model => 'out')->status, 200, 'a quota spent');
$t->wait_rows(64);
is($t->stop, 0, 'nginx ends');
File::Path::remove_tree($live);
$t->start;
is($t->chat($limited)->status, 429, 'is still spent after a reboot');


# --- a quick end: what was answered last is not lost ---

@ids = map { $t->chat($key)->id } 1 .. 10;
is($t->stop, 0, 'nginx ends right after');

my %all = map { $_->{id} => 1 } $t->rows;

is_deeply([grep { !$all{$_} } @ids], [], 'and all rows are there');
$t->start;

$t->finish;

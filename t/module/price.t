# A price that is changed while calls run: each call has the one that was in
# force when it was let in, and what is past does not move. Threat Q29.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(sleep time);

use AIGW;

my $t = AIGW->new;
my $event = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}' . "\n\n";
my $usage = '"usage":{"prompt_tokens":1000,"completion_tokens":100,'
    . '"total_tokens":1100}';
my $key;


sub price ($prompt, $completion) {
    return $t->json('price', 'set', 'gpt-4o-mini', '--prompt', $prompt,
        '--completion', $completion)->{version};
}


# All that is said of the past, but what is in flight.
sub past () {
    my $project = $t->json('project', 'show', 'alice');

    return [$project->{spent},
        map { $t->json('usage', 'show', '--by', $_)->{items} }
        qw(day model key project)];
}


# A call that waits in the middle of its answer: the connection.
sub begin (%body) {
    my $count = $t->sim->count;
    my $deadline = time + 5;

    if ($body{stream}) {
        $t->sim->script(headers => ['Content-Type', 'text/event-stream'],
            chunked => 1, gates => [1], pieces => [$event,
            "data: {\"choices\":[],$usage}\n\n", "data: [DONE]\n\n"]);

    } else {
        $t->sim->script(body => "{$usage}", gates => [0]);
    }

    my $c = $t->connect->ask(key => $key, json => AIGW::chat_body(%body));

    sleep 0.02 while $t->sim->count == $count && time < $deadline;

    return $c;
}


$key = $t->project('alice', '--quota', 10);

my $old = price(2, 8);

$t->sim->script(body => "{$usage}");

my $first = $t->chat($key);

is($t->row($first)->{cost}, '0.0028', 'a call at the old price');

my $past = past();
my @running = (begin(stream => JSON::PP::true), begin());
my $held = $t->json('project', 'show', 'alice')->{held};
my $new = price(200, 800);

isnt($new, $old, 'the price is changed while a stream and a call run');
is_deeply(past(), $past, 'sums of the past do not move');
is($t->json('project', 'show', 'alice')->{held}, $held, 'nor what is held');

$t->sim->go for @running;

for my $c (@running) {
    my $r = $c->response;
    my $row = $t->row($r);

    is_deeply([@$row{qw(price_version cost settled)}],
        [$old, '0.0028', 'exact'], 'its row has the old one')
        or diag(explain($row));
    $c->close;
}

is($t->json('project', 'show', 'alice')->{spent}, '0.0084',
    'three calls at the old price are spent');

$t->sim->script(body => "{$usage}");

my $r = $t->chat($key, max_tokens => 100);

is_deeply([@{ $t->row($r) }{qw(price_version cost)}], [$new, '0.28'],
    'the next has the new one');
is_deeply([@{ $t->row($first) }{qw(price_version cost)}], [$old, '0.0028'],
    'and the first still the old one');
is($t->json('project', 'show', 'alice')->{spent}, '0.2884', 'all of it');

# In force from later on: not yet.
$t->json('price', 'set', 'gpt-4o-mini', '--prompt', 1, '--completion', 1,
    '--from', '2999-01-01T00:00:00Z');
$t->sim->script(body => "{$usage}");
$r = $t->chat($key, max_tokens => 100);
is_deeply([@{ $t->row($r) }{qw(price_version cost)}], [$new, '0.28'],
    'one that begins later does not count yet');

# Gone while a call runs.
my $last = begin(max_tokens => 100);

$t->json('price', 'delete', 'gpt-4o-mini', '--yes');
$t->json('price', 'delete', '*', '--yes');
$t->sim->go;
is_deeply([@{ $t->row($last->response) }{qw(price_version cost)}],
    [$new, '0.28'], 'a price that is deleted meanwhile counts, too');
is($t->chat($key)->code, 'model_not_found', 'for that call alone');
$last->close;

$t->finish;

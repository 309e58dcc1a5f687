# Show line 4: 4 workers, 64 clients, 20,000 calls. Rows = calls, spent = the
# sum of rows.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time);

use AIGW;

my $calls = $ENV{TEST_CALLS} // 20_000;
my $t = AIGW->new(workers => 4);
my $key = $t->project('alice', '--quota', '1000000');
my $file = $t->secret_file('client', $key);

my $load = AIGW::Process->start(["$AIGW::build/aigw-sim", '--load',
    'http://127.0.0.1:' . $t->port . '/v1/chat/completions', '--connections',
    64, '--requests', $calls, '--key-file', $file]);
my $report = JSON::PP::decode_json($load->output(120) // '{}');
my $answered = time;

is_deeply($report->{status}, { 200 => $calls }, "$calls answers, all 200");
is($report->{broken}, 0, 'no connection broke');
note(sprintf '%.0f calls a second, p99 %d us', @$report{qw(per_second p99_us)});

my $usage;

do {
    $usage = $t->json('usage', 'show');
} while ($usage->{calls} != $calls && time - $answered < 1);

is($usage->{calls}, $calls, 'usage show has them all within 1 s');
is($usage->{ok_calls}, $calls, 'all ok');
is($t->sim->count, $calls, 'the upstream was asked as often');

# 16 words of answer; the prompt as t/sim/chat.c counts it
my $tokens = $usage->{total_tokens};

is($usage->{completion_tokens}, 16 * $calls, 'the tokens of each');
is(AIGW::Check::nano($usage->{cost}), $tokens * 10_000, 'the cost of all');
is($t->json('project', 'show', 'alice')->{spent}, $usage->{cost},
    'spent = the sum');

# The harness counts the rows, wants their ids to differ, and adds them up.
$t->expect_rows($calls);
$t->finish;

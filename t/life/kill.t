# kill -9 of workers while 16 clients call through them: the master starts
# others, service goes on, every answer that came whole has its row, no row is
# there twice and what is spent is their sum. A call that was cut may have one
# too. Threats S01, L09; design I2, I4. TEST_KILLS: twenty times as many.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(sleep);

use AIGW;

my $kills = int(($ENV{TEST_KILLS} // 200) / 20) || 1;
my $calls = 200 * $kills;
my $t = AIGW->new(workers => 2, sim => ['--tokens', 4, '--delay-ms', 5]);
my $key = $t->project('alice', '--quota', '1000000');
my $body = JSON::PP::encode_json(AIGW::chat_body(stream => JSON::PP::true));
my %killed;

$t->allow_alert(qr/worker process \d+ exited on signal 9/);

my $load = AIGW::Process->start(["$AIGW::build/aigw-sim", '--load',
    'http://127.0.0.1:' . $t->port . '/v1/chat/completions', '--connections',
    16, '--requests', $calls, '--key-file', $t->secret_file('client', $key),
    '--body-file', $t->secret_file('body', $body)]);

for my $n (1 .. $kills) {
    my @workers = $t->wait_workers(2);
    my $worker = $workers[$n % 2];

    sleep 0.1;
    $killed{$worker} = kill 'KILL', $worker;
    AIGW::Process::gone(5, $worker) or die "$worker outlives a kill\n";
}

my $report = JSON::PP::decode_json($load->output(60) // '{}');
my $whole = $report->{status}{200} // 0;

$load->wait;
is(scalar(keys %killed), $kills, "$kills workers were killed");
is_deeply([keys %{ $report->{status} }], [200], 'all that was answered is 200');
cmp_ok($report->{broken}, '>', 0, 'calls were cut');
cmp_ok($whole, '>', $calls / 2, 'service went on');
is(scalar(@{ [$t->wait_workers(2)] }), 2, 'and there are two workers again');
is($t->chat($key)->status, 200, 'which serve');
$whole++;

my @rows = $t->wait_rows($whole);
my $up = $t->sim->count;

cmp_ok(scalar(@rows), '>=', $whole, "a row for each of $whole whole answers");
cmp_ok(scalar(@rows), '<=', $up, "and none that was not of $up sent");
is(scalar(grep { !defined $_->{settled} } @rows), 0, 'nothing was refused');
note("$report->{broken} cut, " . ($up - @rows) . ' of them without a row');

# finish() counts the rows again, and looks for doubles
$t->expect_rows(@rows - 1);
$t->finish;

# A hard cap, to the last unit, under many clients. Money for exactly k calls,
# clients that obey Retry-After: k are served and nobody hears that it is spent
# before it is. An upstream that counts more than the estimate: over by what the
# rows say. A strict cap, and an upstream that takes all it may: never below
# zero. Agents without limits. Calls of all kinds while clients leave, the
# upstream fails and nginx reloads. Show 1 of the ledger; threats Q01, Q08, Q09.
#
# From the environment: SEEDS (20), CALLS (100000 for all of a seed), CLIENTS
# (512), EVIDENCE (a file that gets the figures; 0: none). t/module/exact.t runs
# it small.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

use AIGW;
use AIGW::Load;

my $seeds = $ENV{SEEDS} // 20;
my $calls = $ENV{CALLS} // 100_000;
my $clients = $ENV{CLIENTS} // 512;
my $evidence = $ENV{EVIDENCE} // "$AIGW::root/t/evidence/exact-"
    . strftime('%Y-%m-%d', localtime) . '.txt';
my @report;


# The least wait, so that clients hear of Retry-After.
sub gateway (%opt) {
    return AIGW->new(workers => 4, location => 'ai_gateway_quota_wait 50ms;',
        main => 'worker_rlimit_nofile 8192;', %opt);
}


sub say_result ($line) {
    push @report, $line;
    note($line);
}


# A body of its own for each seed: the limit and the length of the prompt.
sub body ($seed) {
    return JSON::PP->new->canonical->encode(AIGW::chat_body(
        max_tokens => 1 + $seed % 32,
        stream => $seed % 2 ? JSON::PP::true : JSON::PP::false,
        messages => [{ role => 'user', content => 'word ' x ($seed % 50) }]));
}


# What one such call costs, in nano-units. secret_file() adds a newline.
sub cost_of ($t, $body) {
    my $key = $t->project('probe');
    my $r = $t->request(key => $key, body => "$body\n",
        headers => ['Content-Type', 'application/json']);

    is($r->status, 200, 'a call');

    return AIGW::Check::nano($t->row($r)->{cost});
}


sub amount ($nano) {
    return sprintf '%d.%09d', int($nano / 1e9), $nano % 1e9;
}


# Nothing is let in any more.
sub is_shut ($t, $key) {
    my $sent = $t->sim->count;

    is($t->chat($key, max_tokens => 1)->code, 'insufficient_quota',
        'the next call is refused');
    is($t->sim->count, $sent, 'and not sent');
}


sub end_of ($t) {
    my @faults = AIGW::Load::all_books($t);

    is_deeply(\@faults, [], 'the books of all are right');
    is($t->stop, 0, 'nginx ends');
    $t->clean;
}


# --- exactly so many ---

sub exactly ($seed, $k) {
    my $t = gateway(sim => [qw(--estimate --tokens 1000 --think-ms), 80]);
    my $body = body($seed);
    my $cost = cost_of($t, $body);
    my $key = $t->project('exact', '--quota', amount($k * $cost));
    my $start = time;
    my $load = AIGW::Load->start($t, key => $key, body => $body, obey => 1,
        connections => $clients, requests => 2 * $k + $clients);
    my $report = $load->report(60 + $k / 200);
    my $spent = $t->json('project', 'show', 'exact');
    my @rows;

    is_deeply($report->{status}, { 200 => $k, 429 => $clients },
        "Q01 seed $seed: money for $k calls: $k are served");
    is($report->{stopped}, $clients, 'then every client stops');
    is($spent->{spent}, $spent->{quota}, '0 units over, 0 left');
    is_deeply([map { [$_->{code}, $_->{message} =~ /spent: (\S+) of (\S+)\./] }
        @{ $report->{errors} }],
        [['insufficient_quota', $spent->{quota}, $spent->{quota}]],
        'nobody hears of it before it is spent')
        or diag(explain($report->{errors}));
    cmp_ok($report->{again}, '>', 0, 'some were told to try again');
    is_deeply([AIGW::Load::books($t, 'exact', \@rows)], [], 'its books');
    is(scalar(grep { $_->{status} == 200 } @rows), $k, "$k rows");
    is(scalar(grep { $_->{flags} ne '[]' && $_->{flags} ne '["stream"]' }
        @rows), 0, 'no call was lowered, none cost more than was held');
    is_shut($t, $key);
    say_result(sprintf 'seed %d: %d served, %d tried again, %.0f a second',
        $seed, $k, $report->{again}, $k / (time - $start));
    end_of($t);
}


# --- an upstream that counts 20 % more ---

sub over ($seed, $k) {
    my $t = gateway(sim => [qw(--estimate --tokens 1000 --think-ms 40)]);
    my $body = body($seed);
    my $cost = cost_of($t, $body);
    my $key = $t->project('over', '--quota', amount($k * $cost));

    $t->sim->set(over => 20);

    my $load = AIGW::Load->start($t, key => $key, body => $body, obey => 1,
        connections => $clients, requests => 2 * $k + $clients);
    my $report = $load->report(60 + $k / 200);
    my (@rows, $excess);

    is($report->{stopped}, $clients, "over seed $seed: every client stops");
    is_deeply([AIGW::Load::books($t, 'over', \@rows)], [], 'its books');

    for my $row (@rows) {
        my $more = AIGW::Check::nano($row->{cost})
            - AIGW::Check::nano($row->{hold});

        is($more > 0 && $row->{status} == 200, 1, "$row->{id} is flagged")
            if ($more > 0) != ($row->{flags} =~ /over_hold/);
        $excess += $more if $more > 0;
    }

    my $spent = $t->json('project', 'show', 'over');
    my $above = AIGW::Check::nano($spent->{spent})
        - AIGW::Check::nano($spent->{quota});

    cmp_ok($excess, '>', 0, 'calls cost more than was held for them');
    cmp_ok($above, '<=', $excess, 'it is over by what is flagged at most');
    cmp_ok($above, '>', -$cost, 'and what is left pays for no other');
    is_shut($t, $key);
    say_result("over 20 %, seed $seed: $above nano over, $excess flagged");
    end_of($t);
}


# --- a strict cap, and an upstream that takes all it may ---

# Each byte of a prompt a token and every output to its limit; its own, or one
# that is set: the model's ceiling, less in the end.
sub strict ($seed, $k) {
    my $t = gateway(sim => [qw(--tokens 1000000 --think-ms 20)]);
    my $body = JSON::PP->new->canonical->encode(AIGW::chat_body(
        $seed % 2 ? () : (max_tokens => 1 + $seed % 32)));
    my $prompt = 1 + length $body;    # secret_file() adds a newline
    my $each = ($prompt + 40) * 10_000;

    $t->json('model', 'set', 'gpt-4o-mini', '--max-output', 40);
    $t->sim->set(prompt => $prompt);

    my $key = $t->project('strict', '--cap', 'strict', '--quota',
        amount($k * $each + ($prompt + 7) * 10_000 + 3456));
    my $load = AIGW::Load->start($t, key => $key, body => $body, obey => 1,
        connections => $clients, requests => 2 * $k + $clients);
    my $report = $load->report(60 + $k / 200);
    my $shown = $t->json('project', 'show', 'strict');
    my $left = AIGW::Check::nano($shown->{quota})
        - AIGW::Check::nano($shown->{spent});
    my @rows;

    is($report->{stopped}, $clients, "strict seed $seed: every client stops");
    cmp_ok($report->{status}{200}, '>=', $k, 'when the money is spent');
    cmp_ok($left, '>=', 0, 'never below zero');
    cmp_ok($left, '<', 10_000 * ($prompt + 1), 'and no call more is paid');
    is("$report->{status}{200} $left", $k + 1 . ' 3456',
        'the last one has the last token') if $seed % 2;
    is_deeply([AIGW::Load::books($t, 'strict', \@rows)], [], 'its books');
    is_deeply([grep { $_->{status} == 200 && $_->{cost} ne $_->{hold} } @rows],
        [], 'every call has used all that was held for it');
    is_shut($t, $key);
    say_result("strict, seed $seed: $report->{status}{200} served,"
        . " $left nano left");
    end_of($t);
}


# --- agents ---

sub agents () {
    my $t = AIGW->new(workers => 4);
    my $key = $t->project('agents', '--quota', 10);

    $t->sim->script(body => '{"usage":{"prompt_tokens":9,'
        . '"completion_tokens":400,"total_tokens":409}}', gates => [0],
        repeat => 64);

    my @agents = map {
        $t->connect->ask(key => $key, json => AIGW::chat_body(
            messages => [{ role => 'user', content => 'hello ' x 20 }]))
    } 1 .. 64;
    my $deadline = time + 3;

    sleep 0.05 while $t->sim->count < 64 && time < $deadline;

    my @limits = map { JSON::PP::decode_json($_->{body})->{max_tokens} }
        $t->sim->seen;
    my $running = @limits;

    cmp_ok($running, '>=', 55, "Q09: of 64 agents $running run at once");
    is(scalar(grep { defined && $_ < 4096 } @limits), 0,
        'none with fewer than 4,096 tokens');
    $t->sim->go for 1 .. 64;

    my %status;

    $status{ $_->response(25)->status }++ for @agents;
    is_deeply(\%status, { 200 => 64 }, 'all are served in the end');
    $_->close for @agents;
    say_result("64 agents on 10 units: $running at once");
    end_of($t);
}


# --- all kinds, and all that goes wrong ---

# Reloads every few seconds until the load is done: how many.
sub reload_under ($t, $load, $every) {
    my $n = 0;
    # the first at once: a short load may be over before a second
    my $next = time + 0.05;

    while ($load->running) {
        sleep 0.01;
        next if time < $next;
        $t->{nginx}->signal('HUP');
        $next = time + $every;
        $n++;
    }

    return $n;
}


sub mixed ($seed, $k, $every) {
    my $t = gateway(sim => [qw(--estimate --tokens 24 --think-ms 5 --delay-ms 1
        --errors 5)]);

    # some are near their limit, some are not
    my $key = $t->project('mixed', '--quota', $seed % 2 ? 1000 : $k / 500);
    my $load = AIGW::Load->start($t, key => $key, obey => 1, aborts => 5,
        vary => $seed, connections => 64, requests => $k);
    my $reloads = reload_under($t, $load, $every);
    my $report = $load->report(60);
    my @rows;

    # those that have left are read to their end
    sleep 0.5;
    is_deeply([AIGW::Load::books($t, 'mixed', \@rows)], [],
        "mixed seed $seed: its books");

    my $sent = 0;
    my %settled;

    $sent += $_->{attempts} for @rows;
    $settled{ $_->{settled} // 'refused' }++ for @rows;
    cmp_ok($report->{aborted}, '>', 0, 'clients left');
    cmp_ok($reloads, '>', 0, "$reloads reloads");
    cmp_ok($settled{exact}, '>', 0.8 * @rows, 'most are exact');
    cmp_ok($settled{void}, '>', 0, 'the upstream failed');
    cmp_ok($settled{estimated}, '>', 0, 'in the middle, too');
    is($sent, $t->sim->count, 'a row for each call that was sent');
    cmp_ok(scalar(grep { $_->{status} eq '200' } @rows), '>=',
        $report->{status}{200}, 'and for each answer');
    say_result("mixed, seed $seed: $report->{requests} calls,"
        . " $report->{aborted} left, $reloads reloads; rows "
        . join ' ', map { "$_ $settled{$_}" } sort keys %settled);
    end_of($t);
}


for my $seed (1 .. $seeds) {
    exactly($seed, $calls);
}

over($_, int $calls / 10) for 1 .. ($seeds > 4 ? $seeds / 4 : 1);
strict($_, int $calls / 10) for 1 .. ($seeds > 4 ? $seeds / 2 : 1);
agents();
mixed($_, $calls, $ENV{RELOAD_EVERY} // 5)
    for 1 .. ($seeds > 8 ? $seeds / 4 : 2);
done_testing();

if ($evidence && Test::More->builder->is_passing) {
    open my $fh, '>', $evidence or die "$evidence: $!\n";
    print $fh "# perl t/torture/exact.pl: SEEDS=$seeds CALLS=$calls"
        . " CLIENTS=$clients, 4 workers\n";
    print $fh "$_\n" for @report;
    close $fh;
}

1;

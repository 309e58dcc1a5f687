# Show line 4: the same numbers everywhere, to the last digit, within 1 s of
# the answer and without a reload. Cost = total / 1,000 x 0.01, Show line 2.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time);

use AIGW;

my $t = AIGW->new(workers => 2);
my $created = $t->json('project', 'create', 'alice', '--quota', '10',
    '--models', '*');
my $key = $created->{key};

like($key, qr/\Aaigw_\w{49}\z/, 'project create shows a key');

my $r = $t->chat($key, max_tokens => 7);
my $answered = time;

is($r->status, 200, 'that works at once');

my $usage = $r->json->{usage};
my $row = $t->row($r);

cmp_ok(time - $answered, '<', 1, 'its row is there within 1 s');

# prompt_tokens: see t/sim/chat.c
is($usage->{completion_tokens}, 7, 'the simulator counts');
is_deeply([@$row{qw(prompt_tokens completion_tokens total_tokens)}],
    [@$usage{qw(prompt_tokens completion_tokens total_tokens)}],
    'the row has its counts');

# 0.01 per 1,000 is 10,000 nano-units for one token.
sub cost ($tokens) {
    my $text = sprintf '%.9f', $tokens * 0.00001;

    return $text =~ s/\.?0+\z//r;
}

is($row->{cost}, cost($usage->{total_tokens}),
    'cost = total / 1,000 x 0.01');

my @list = @{ $t->json('log', 'list')->{items} };

is_deeply({ map { ($_ => $row->{$_}) } keys %{ $list[0] } }, $list[0],
    'log list and log show say the same');
is($row->{id}, $r->id, 'the id is that of x-request-id');
is_deeply([@$row{qw(project user model route status verdict settled attempts
    stream price_version node tag error)}], ['alice', 'admin', 'gpt-4o-mini',
    '/v1/chat/completions', 200, 'ok', 'exact', 1, JSON::PP::false,
    $row->{price_version}, 0, $row->{tag}, undef], 'the rest of the row');
cmp_ok($row->{price_version}, '>', 0, 'with the version of its price');
like($row->{time}, qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/,
    'times are RFC 3339 in UTC');
cmp_ok($row->{settled_at}, 'ge', $row->{time}, 'settled after admission');
cmp_ok($row->{duration_ms}, '>=', $row->{ttft_ms}, 'first byte before last');

my $show = $t->json('usage', 'show');

is_deeply([@$show{qw(calls ok_calls refused_calls prompt_tokens
    completion_tokens total_tokens cost)}], [1, 1, 0,
    @$row{qw(prompt_tokens completion_tokens total_tokens cost)}],
    'usage show agrees');
is_deeply([@{ $t->json('usage', 'show', '--project', 'alice') }
    {qw(calls total_tokens cost)}], [1, @$row{qw(total_tokens cost)}],
    'by project too');

my $project = $t->json('project', 'show', 'alice');

is($project->{spent}, $row->{cost}, 'project show agrees');
is($project->{held}, '0', 'nothing is held');
is(AIGW::Check::nano($project->{remaining}) + AIGW::Check::nano($row->{cost}),
    10_000_000_000, 'remaining + spent = quota');
is($t->json('user', 'show', 'admin')->{spent}, $row->{cost},
    'user show agrees');


# --- many calls, many projects, another price ---

my $bob = $t->project('bob');

$t->json('price', 'set', 'gpt-4o', '--prompt', '2.5', '--completion',
    '10.000001');

my ($want, %calls) = (AIGW::Check::nano($row->{cost}));

for my $i (1 .. 12) {
    my $model = $i % 3 ? 'gpt-4o-mini' : 'gpt-4o';
    my $k = $i % 2 ? $key : $bob;
    my $r = $i % 4 ? $t->chat($k, model => $model, max_tokens => $i)
        : $t->stream($k, model => $model, max_tokens => $i)->response;
    my $row = $t->row($r);
    my ($p, $c) = @$row{qw(prompt_tokens completion_tokens)};

    # rounded up once, to a nano-unit (design, section 4)
    my $nano = $model eq 'gpt-4o' ? int(($p * 2_500_000_000
        + $c * 10_000_001_000 + 999_999) / 1_000_000) : ($p + $c) * 10_000;

    is(AIGW::Check::nano($row->{cost}), $nano, "call $i: the cost");
    is($c, $i, "call $i: the tokens");
    $want += $nano;
}

is(AIGW::Check::nano($t->json('usage', 'show')->{cost}), $want,
    'the sum of all');
is($t->json('usage', 'show')->{calls}, 13, 'and their number');

my %by = map { $_->{group} => $_ }
    @{ $t->json('usage', 'show', '--by', 'project')->{items} };

is($by{alice}{cost}, $t->json('project', 'show', 'alice')->{spent},
    'usage by project = project show');
is($by{bob}{cost}, $t->json('project', 'show', 'bob')->{spent},
    'for both of them');
is($by{alice}{calls} + $by{bob}{calls}, 13, 'and all calls are in it');

$t->finish;

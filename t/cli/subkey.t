#!/usr/bin/perl

# Sub-keys at an upstream of either generation of New API, and at one as the
# project's origin had it: made, found, rotated, retired. Whatever is killed at
# whatever step, no key is there that is neither in use nor listed as an orphan
# (threats K05, K13, M17, M19, M25, M26).

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use Cli;
use AIGW;
use AIGW::HTTP;
use AIGW::Sim;

my $key = spew(dir() . '/key', "sk-planted-own-7c21d09e45fb\n");
my $token = spew(dir() . '/token', "planted-access-token-3f8a\n");
my $secrets = qr/planted-(?:own|access)/;
my ($sim, @account);

chmod 0600, $key, $token;

# It cuts pauses short, and kills. A sanitizer wants to come first itself.
my $shim = dir() . '/kill.so';

if (!$ENV{SANITIZE}) {
    system($ENV{CC} || 'cc', qw(-std=c11 -shared -fPIC -O1 -o), $shim,
        "$FindBin::Bin/kill.c", '-ldl') == 0 or die 'cannot compile kill.c';
    $ENV{LD_PRELOAD} = $shim;
}


# --- helpers ---

# A fresh store, a simulator of that generation, an upstream with a driver.
sub begin {
    my ($generation, @driver) = @_;

    new_store();
    $sim->stop if $sim;
    $sim = AIGW::Sim->new("$AIGW::build/aigw-sim", '--newapi', $generation,
        '--key-file', $key, '--master-file', $token);
    @account = @driver ? @driver : ('--driver', 'newapi',
        '--master-token-file', $token, '--master-user', 7);
    json(upstream(), @account);
}

sub upstream {
    return ('upstream', 'set', '4sapi', '--url', 'http://127.0.0.1:'
        . $sim->port, '--key-file', $key);
}

# What is there, newest first.
sub remote { return @{ JSON::PP::decode_json($sim->order('GET', '/tokens')) } }
sub listed { return @{ json('subkey', 'list', '--limit', 1000)->{items} } }
sub orphans { return @{ json('upstream', 'orphans')->{items} } }

sub names { return join ' ', sort map { $_->{name} } @_ }

# Somebody else's.
sub foreign {
    my ($name, %more) = @_;

    AIGW::HTTP->new($sim->port)->ask(method => 'POST', path => '/api/token/',
        headers => ['Authorization', 'planted-access-token-3f8a',
            'New-Api-User', 7],
        json => { name => $name, unlimited_quota => JSON::PP::true,
            expired_time => -1, %more })->response;
}

# What is there and nobody would find.
sub lost {
    my %known = map { $_->{name} => 1 } orphans(),
        grep { $_->{state} eq 'active' } listed();

    return grep { /^aigw-/ && !$known{$_} } map { $_->{name} } remote();
}

# All is well again.
sub settle {
    my ($name) = @_;
    my @lost = lost();

    is_deeply(\@lost, [], "$name: nothing is lost");
    json('upstream', 'orphans', '--retire', '--yes');

    my @listed = listed();
    my @active = grep { $_->{state} eq 'active' } @listed;

    is(names(grep { $_->{name} =~ /^aigw-/ } remote()), names(@active),
        '... then what is there is in use');
    is(scalar @listed, scalar @active, '... and nothing else is known');
}


# --- what it takes to make any ---

begin('new');
json('project', 'create', 'demo', '--quota', 25, '--models', 'gpt-4o,fast',
    '--expires', '2027-01-01T00:00:00.500Z');
json('model', 'set', 'fast', '--alias-of', 'gpt-4o-mini');

for my $case (
    [2, qr/--master-token-file/, '--driver', 'newapi'],
    [2, qr/number/, '--driver', 'newapi', '--master-user', 'x',
        '--master-token-file', $token],
    [2, qr/number/, '--driver', 'newapi', '--master-user=-7',
        '--master-token-file', $token],
    [2, qr/--master-token-file/, '--driver', 'newapi', '--master-user', 9],
    [2, qr/add|no sub-keys/, '--group', 'g'],
    [2, qr/no account/, '--driver', 'none', '--group', 'g'],
    [2, qr/--driver/, '--driver', 'other'],
    [2, qr/group/, '--driver', 'seed', '--group', 'g' x 65],
    [3, qr/cannot open/, '--driver', 'seed', '--master-token-file', '/no'])
{
    my ($exit, $message, @more) = @$case;
    my $e = fails($exit, 'upstream', 'set', 'bare', '--url', 'https://h',
        '--key-file', $key, @more);

    like("$e->{message} " . ($e->{hint} // ''), $message, "... @more");
}

is(json('upstream', 'set', 'bare', '--url', 'https://h', '--key-file', $key)
    ->{driver}, 'none', 'none unless set');
is(fails(5, 'subkey', 'create', '--project', 'demo', '--upstream', 'bare')
    ->{code}, 'conflict', 'an upstream that makes none');
fails(3, 'subkey', 'create', '--project', 'demo', '--upstream', 'nosuch');
fails(3, 'subkey', 'create', '--project', 'nosuch');
fails(3, 'subkey', 'show', '--project', 'demo');
fails(3, 'subkey', 'rotate', '--project', 'demo');
fails(3, 'subkey', 'retire', '--project', 'demo');
like(fails(2, 'subkey', 'create', '--project', 'demo', '--models', 'gpt-*')
    ->{message}, qr/pattern/, 'upstreams know no patterns');
is($sim->stats->{managed}, 0, 'nothing was asked for so far');


# --- made, rotated, retired ---

for my $generation (qw(old new)) {
    begin($generation, '--driver', 'newapi', '--master-token-file', $token,
        '--master-user', 7, '--group', 'vip', '--quota-per-unit', 1000);
    json('project', 'create', 'demo', '--quota', 25, '--models',
        'gpt-4o,fast', '--expires', '2027-01-01T00:00:00.500Z');
    json('model', 'set', 'fast', '--alias-of', 'gpt-4o-mini');
    foreign("other $_") for 1 .. 25;

    my $dry = json('subkey', 'create', '--project', 'demo', '--dry-run');

    is($dry->{state}, 'planned', "$generation: a trial plans");
    is(scalar(listed()) + $sim->stats->{managed}, 25, '... and asks nobody');

    my $made = json('subkey', 'create', '--project', 'demo');
    my ($there) = remote();

    is($made->{state}, 'active', 'made');
    is($made->{name}, $there->{name}, '... by its name');
    is($made->{remote_id}, $there->{id}, '... and number');
    cmp_ok(length $made->{name}, '<=', 30, '... which older ones take');
    like($made->{name}, qr/^aigw-[0-9a-f]{8}-\d+-\w{8}$/, '... of this store');
    is($there->{remain_quota}, 25_000, 'its quota, in their units');
    ok(!$there->{unlimited_quota}, '... is one');
    is($there->{expired_time}, 1798761601, 'its end, a full second');
    is($there->{model_limits}, 'gpt-4o,gpt-4o-mini', 'its models, no alias');
    is($there->{group}, 'vip', 'its group');
    is_deeply(json('subkey', 'show', '--project', 'demo'), $made, 'shown');
    is_deeply([listed()], [$made], 'listed');
    is_deeply([orphans()], [], 'no orphan');

    like(fails(5, 'subkey', 'create', '--project', 'demo')->{hint},
        qr/rotate/, 'one at a time');
    is(json('subkey', 'create', '--project', 'demo', '--if-absent')->{name},
        $made->{name}, '... or shown');

    my $next = json('subkey', 'rotate', '--project', 'demo', '--quota',
        'unlimited', '--models', '*', '--expires', 'never');

    isnt($next->{name}, $made->{name}, 'rotated: another');
    ($there) = remote();
    is($there->{name}, $next->{name}, '... which is there');
    ok($there->{unlimited_quota} && !$there->{model_limits_enabled}
        && $there->{expired_time} == -1, '... with these limits');
    is(scalar(remote()), 26, '... in place of the old one');
    is_deeply([listed()], [$next], '... alone');

    is(json('subkey', 'retire', '--project', 'demo')->{state}, 'gone',
        'retired');
    is(scalar(grep { $_->{name} =~ /^other/ } remote()), 25,
        "... nobody else's went");
    is(scalar(remote()), 25, '... and no more is there');
    is_deeply([listed(), orphans()], [], '... nor known');

    # A project that is deleted.

    json('subkey', 'create', '--project', 'demo');
    like(aigw('project', 'delete', 'demo', '--yes')->{err},
        qr/aigw upstream orphans/, 'a project goes: its sub-key does not');

    my ($orphan) = orphans();

    is($orphan->{state}, 'retiring', '... an orphan');
    is($orphan->{project}, 'demo', '... of which the name is known');
    ok($orphan->{there}, '... and that it is there');
    is(fails(2, 'upstream', 'orphans', '--retire')->{code}, 'usage',
        '... taken away only if meant');
    settle("$generation: deleted");

    # What bears our name and is in no store of ours.

    json('project', 'create', 'demo');
    my $mine = json('subkey', 'create', '--project', 'demo');
    my $like = substr($mine->{name}, 0, 14) . '1-stray';

    foreign($like);
    foreign('aigw-ffffffff-1-another');
    foreign($mine->{name});           # a second of the same name
    is(names(orphans()), names({ name => $like }, $mine),
        'strays of this store, and doubles');
    is(names(map { { name => $_->{state} } } orphans()), 'unknown unknown',
        '... that it does not know');
    json('upstream', 'orphans', '4sapi', '--retire', '--yes');
    is(names(grep { $_->{name} =~ /^aigw/ } remote()),
        names({ name => 'aigw-ffffffff-1-another' }, $mine),
        "... go, but not another store's");
    is(json('subkey', 'show', '--project', 'demo')->{remote_id},
        (grep { $_->{name} eq $mine->{name} } remote())[0]{id},
        '... and the one in use stays');
}


# --- limits that the project has ---

begin('new');
json('project', 'create', 'free');
json('project', 'create', 'spent', '--quota', 0);
json('project', 'create', 'wide', '--quota', '0.0000001', '--models',
    'gpt-4o,o*');
json('subkey', 'create', '--project', 'free');
ok((remote())[0]{unlimited_quota}, 'no quota is none');
like(fails(2, 'subkey', 'create', '--project', 'spent')->{hint}, qr/quota/,
    'nothing left');
json('subkey', 'create', '--project', 'wide');
is((remote())[0]{remain_quota}, 1, 'a part of a unit is one');
ok(!(remote())[0]{model_limits_enabled}, 'a pattern is no limit there');
is(names(@{ json('subkey', 'list', '--project', 'wide')->{items} }),
    names((remote())[0]), "one project's");


# --- what fails, and what is left of it ---

for my $generation (qw(old new)) {
    begin($generation);
    json('project', 'create', 'demo');

    for my $n (1 .. 3) {
        $sim->set(refuse => $n);

        my $e = fails(1, 'subkey', 'create', '--project', 'demo');

        like($e->{message}, qr/no more tokens/, "$generation: call $n fails");
        unlike($e->{message}, qr/quoted/, '... no key in what it says');
        is(scalar(listed()), $n == 1 ? 0 : 1, $n == 1
            ? '... nothing was made: no plan is left' : '... the plan stays');
        settle("$generation: call $n");
    }

    # Too often: it waits, and goes on.

    $sim->set(busy => 1);

    my $from = time;
    local $ENV{LD_PRELOAD} = '';

    is(json('subkey', 'create', '--project', 'demo')->{state}, 'active',
        'too often: later');
    cmp_ok(time - $from, '>=', 4.5, '... after a pause');

    # Answers that are none.

    for my $answer ('{"success":true}', '[]', '', 'x', '{"success":true,'
        . '"data":{"items":{}}}', '{"success":true,"data":[{"id":0}]}')
    {
        $sim->script(body => $answer);
        is(aigw('upstream', 'orphans')->{exit} > 0 ? 1 : 0,
            $answer =~ /\[\{/ ? 0 : 1, "$generation: an answer '$answer'");
    }

    json('subkey', 'retire', '--project', 'demo');

    for my $status ('500 Internal Server Error', '302 Found', '404 Not Found')
    {
        my $thief = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            Listen => 1, Blocking => 0) or die $!;

        $sim->script(status => $status, body => '<html>', headers =>
            ['Location', 'http://127.0.0.1:' . $thief->sockport . '/']);
        fails(1, 'subkey', 'create', '--project', 'demo');
        ok(!$thief->accept, "K13 $status: no redirect is followed");
        settle("$generation: $status");
    }

    $sim->script(status => '401 Unauthorized', body => '{}');
    is(fails(4, 'subkey', 'create', '--project', 'demo')->{code},
        'not_authorised', 'refused');
    is(scalar(listed()), 0, '... nothing was made: no plan is left');

    # Nobody is there: neither is a plan.

    json('subkey', 'create', '--project', 'demo');
    $sim->stop;
    is(fails(6, 'subkey', 'retire', '--project', 'demo')->{code},
        'unreachable', 'nobody is there');
    is((listed())[0]{state}, 'retiring', '... it is used no more');
    fails(6, 'upstream', 'orphans');
    fails(6, 'subkey', 'create', '--project', 'demo');
    is(scalar(listed()), 1, '... and what was sent to nobody is no plan');
    undef $sim;
}


# --- M19: another place ---

begin('new');
json('project', 'create', 'demo');

my $held = json('subkey', 'create', '--project', 'demo');
my @away = ('upstream', 'set', '4sapi', '--key-file', $key, '--url',
    'http://127.0.0.1:1');

like(fails(5, @away)->{message}, qr/retire them first/,
    'M19 no other URL while there are sub-keys');
fails(5, upstream(), '--driver', 'none');
fails(5, upstream(), '--driver', 'seed');
fails(5, upstream(), '--master-user', 8, '--master-token-file', $token);
is(json(upstream(), '--group', 'vip')->{group}, 'vip', 'its group may change');
fails(5, 'upstream', 'orphans', '--forget', $held->{name}, '--yes');
json('project', 'delete', 'demo', '--yes');
fails(5, @away);
is(fails(2, 'upstream', 'orphans', '--forget', $held->{name})->{code},
    'usage', 'forgotten only if meant');
is(json('upstream', 'orphans', '--forget', $held->{name}, '--yes')->{items}[0]
    {state}, 'gone', '... for what was removed by hand');
is(json(@away)->{driver}, 'none',
    'M19 then another URL, where the account is not known');
like(fails(2, @away, '--group', 'vip')->{message}, qr/no sub-keys/,
    '... until it is set anew');


# --- the token of the log is the account's ---

begin('new');
json(upstream(), '--driver', 'none');
is(json(upstream(), '--driver', 'newapi', '--log-token-file', $token,
    '--log-user', 7)->{master_user}, undef, 'no account but that of the log');
json('project', 'create', 'demo');
is(json('subkey', 'create', '--project', 'demo')->{state}, 'active',
    '... makes one');


# --- as the origin had it ---

begin('new', '--driver', 'seed');
json('project', 'create', 'demo', '--quota', '12.5', '--models', 'a,b',
    '--expires', '2027-01-01');
$sim->reset;

my $seed = json('subkey', 'create', '--project', 'demo');
my ($asked) = $sim->seen;

is($seed->{state}, 'active', 'the origin\'s: made');
is($asked->{path}, '/sub-key/create', '... as it says');
is($asked->{headers}{authorization}, 'Bearer sk-planted-own-7c21d09e45fb',
    '... by the master key');
is($asked->{body}, '{"quota":12.5,"model_permission":["a","b"],'
    . '"expired_at":"2027-01-01T00:00:00.000Z"}', '... with its words');
is(json('subkey', 'retire', '--project', 'demo')->{state}, 'forgotten',
    'it takes none back');
is(scalar(remote()), 1, '... it is there');
is((orphans())[0]{state}, 'forgotten', '... and is listed as such');
is((orphans())[0]{there}, undef, '... though nobody can tell');
json('upstream', 'orphans', '--retire', '--yes');
is(scalar(orphans()), 1, '... for as long as it is good');
json('upstream', 'orphans', '--forget', $seed->{name}, '--yes');
is(scalar(orphans()), 0, '... or is said to be gone');
json('subkey', 'create', '--project', 'demo', '--expires',
    POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 2)));
json('project', 'delete', 'demo', '--yes');
json('upstream', 'orphans', '--retire', '--yes');
sleep 2.1;
json('upstream', 'orphans', '--retire', '--yes');
is(scalar(orphans()), 0, 'one that has expired is none');

json('project', 'create', 'free');
$sim->script(status => '200 OK', body => '{"sub_key":"has blanks"}');
fails(1, 'subkey', 'create', '--project', 'free');
is((orphans())[0]{state}, 'planned', 'what has come of it nobody knows');
$sim->script(status => '422 Unprocessable', body => '{"detail":"no"}');
fails(1, 'subkey', 'create', '--project', 'free');
is(scalar(orphans()), 1, 'what was refused is not there');


# --- killed while the upstream is at work ---

# Starts a command and kills it once its nth call there is held, before or
# behind its effect. 0: it had no nth call.
sub kill_at {
    my ($n, $effect, @argv) = @_;
    my $p;

    $sim->set(hold => $n, effect => $effect);

    my $held = $sim->stats->{held};

    $p = AIGW::Process->start(["$AIGW::build/aigw", @argv, '-q'],
        stderr => '/dev/null');

    while ($p->alive) {
        if ($sim->stats->{held} > $held) {
            kill 'KILL', $p->pid;
            $p->wait;
            return 1;
        }

        sleep 0.01;
    }

    $sim->set(hold => 0);
    return 0;
}

my %steps;

for my $generation (qw(old new seed)) {
    begin($generation eq 'seed' ? ('new', '--driver', 'seed') : $generation);

    for my $effect (0, 1) {
        for my $verb (qw(create rotate retire)) {
            for my $n (1 .. 20) {
                json('project', 'create', 'p', '--if-absent');
                json('subkey', 'create', '--project', 'p') if $verb ne 'create';

                my $killed = kill_at($n, $effect, 'subkey', $verb, '--project',
                    'p');

                $steps{$generation} += $killed;

                if ($generation eq 'seed') {
                    my @active = grep { $_->{state} eq 'active' } listed();

                    cmp_ok(scalar(remote()), '<=', @active + orphans(),
                        "M25 seed: $verb, killed at call $n: as many listed");
                    $sim->reset;
                    json('project', 'delete', 'p', '--yes');
                    json('upstream', 'orphans', '--forget', $_->{name},
                        '--yes') for orphans();
                } else {
                    settle("M25 $generation: $verb, killed at call $n"
                        . ($effect ? ' behind its effect' : ''));
                    json('project', 'delete', 'p', '--yes');
                }

                last if !$killed;
            }
        }
    }
}

cmp_ok($steps{$_}, '>=', $_ eq 'seed' ? 4 : 16, "$_: killed at $steps{$_}")
    for sort keys %steps;


# --- killed at each step of its own ---

SKIP: {
    skip 'a shim and a sanitizer do not go together', 1 if $ENV{SANITIZE};

    my $count = dir() . '/count';

    begin('new');

    for my $verb (qw(create rotate retire orphans)) {
        my ($n, $killed) = (0, 1);

        while ($killed && $n++ < 200) {
            json('project', 'create', 'p', '--if-absent');
            json('subkey', 'create', '--project', 'p') if $verb ne 'create';
            json('project', 'delete', 'p', '--yes') if $verb eq 'orphans';
            unlink $count;

            my $p = AIGW::Process->start(["$AIGW::build/aigw",
                $verb eq 'orphans' ? qw(upstream orphans --retire --yes)
                    : ('subkey', $verb, '--project', 'p'), '-q'],
                stderr => '/dev/null', env => { KILL_AT => $n,
                    KILL_COUNT => $count });

            $p->output;
            $p->wait;
            $killed = !-e $count;

            my @lost = lost();

            is_deeply(\@lost, [], "M25 $verb, killed before step $n")
                if $killed || @lost;
            json('upstream', 'orphans', '--retire', '--yes');

            my @active = grep { $_->{state} eq 'active' } listed();

            is(names(remote()), names(@active), '... then all is in use')
                if names(remote()) ne names(@active);

            json('project', 'delete', 'p', '--yes')
                if $verb ne 'orphans';
        }

        ok(!$killed && $n > 10, "$verb: killed before each of $n steps");
    }
}


# --- two at once ---

begin('new');
json('project', 'create', 'demo');

delete $ENV{LD_PRELOAD};

my @both = map {
    AIGW::Process->start(["$AIGW::build/aigw", qw(subkey create --project),
        'demo', '-q'], stderr => '/dev/null')
} 1 .. 4;

is_deeply([sort map { $_->wait >> 8 } @both], [0, 5, 5, 5],
    'of several at once one makes it');
is(scalar(remote()), 1, '... and one is there');


# --- a copy of all of it ---

my $store = $ENV{AIGW_STORE};
my $export = dir() . '/export';
my $secret = 'sk-' . (remote())[0]{key};

json('project', 'create', 'gone');
json('subkey', 'create', '--project', 'gone');
json('project', 'delete', 'gone', '--yes');
json('store', 'export', $export);
new_store();
json('store', 'import', $export, '--yes');
is_deeply([listed()], do { local $ENV{AIGW_STORE} = $store; [listed()] },
    'what was imported is the same');
json('store', 'export', "$export.2");
is(slurp("$export.2"), slurp($export), '... to the byte');
is(json('upstream', 'list')->{items}[0]{driver}, 'none',
    '... but for the account, which is to be set anew');
ok((grep { !defined $_->{there} } orphans()) == 1, '... for what is orphaned');


# --- nothing of it is seen ---

is(scalar(grep { slurp($_) =~ /$secrets|\Q$secret\E/ }
    $export, map { glob "$store/$_/*" } qw(control usage)), 0,
    'K05 no secret in the store, nor in an export');
$ENV{AIGW_STORE} = $store;

my $audit = aigw('audit', 'list', '--json', '--limit', 1000)->{out};

like($audit, qr/"action":"$_","object":"subkey"/, "M26 the audit log tells: $_")
    for qw(plan activate retire);
is(aigw('audit', 'verify')->{exit}, 0, 'M26 ... in a whole chain');

for my $argv (['subkey', 'list'], ['subkey', 'show', '--project', 'demo'],
    ['upstream', 'orphans'], ['upstream', 'list'],
    ['audit', 'list', '--limit', 1000])
{
    for my $form ([], ['--json'], ['-o', 'csv'], ['-o', 'name'], ['-q']) {
        my $r = aigw(@$argv, @$form);
        my $bare = substr $secret, 3;

        unlike("$r->{out}$r->{err}", qr/$secrets|\Q$bare\E/,
            "K05 not in: @$argv @$form");
    }
}

$sim->stop;
done_testing();

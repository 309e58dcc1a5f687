# A store that moves while it is in use: exported under load, imported into a
# new one in its place: keys open, quotas go on where they were, the upstream's
# key opens with its key file. And rows are pruned while calls run.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(sleep);

use AIGW;
use AIGW::Load;

my $t = AIGW->new(workers => 2);
my $d = $t->dir;
my $key = $t->project('moved', '--quota', '0.01');
my $busy = $t->project('busy', '--quota', 1_000);

is($t->chat($key)->status, 200, 'served by the first store') for 1 .. 3;

# --- while it serves ---

my $load = AIGW::Load->start($t, key => $busy,
    body => JSON::PP::encode_json(AIGW::chat_body()),
    obey => 1, ids => 1, connections => 8, requests => 2_000);

my @lines;

for my $n (1 .. 3) {
    sleep 0.2;
    push @lines, $t->json('store', 'export', "$d/secret/busy$n.jsonl")->{lines};
    $t->run('store', 'prune', '--before', '1s', '--yes');
    is($t->json('store', 'verify')->{findings}, 0, "under load, $n: sound");
}

cmp_ok($lines[0], '>', 10, 'exported under load') or diag("@lines");
is_deeply($load->report(30)->{status}, { 200 => 2_000 },
    'every call was served meanwhile');

# --- to another store ---

my $spent = $t->json('project', 'show', 'moved')->{spent};
my $all = $t->json('usage', 'show');

is($t->stop, 0, 'nginx ends');
$t->run('store', 'export', "$d/secret/all.jsonl");
rename "$d/store", "$d/away" or die;
$t->run('store', 'init', "$d/store");
$t->run('store', 'import', "$d/secret/all.jsonl", '--yes');
system('cp', '-p', "$d/away/key", "$d/store/key") == 0 or die;
is_deeply($t->json('usage', 'show'), $all, 'its books are the same');

my $first = delete $t->{live};

$t->start;

my $r = $t->chat($key);

is($r->status, 200, 'the key opens the new store') or diag($r->body);
isnt($t->json('project', 'show', 'moved')->{spent}, $spent, '... and spends');
is($t->json('store', 'verify')->{findings}, 0, '... soundly, live as well');

$t->run('project', 'set', 'moved', '--quota', $spent);
is($t->chat($key)->code, 'insufficient_quota',
    'what was spent before counts in the new one');
is($t->chat($busy)->status, 200, 'the other key opens it, too');

# no finish(): rows of the calls before were pruned
is($t->stop, 0, 'nginx ends');
File::Path::remove_tree("$d/away", $first);
is_deeply([AIGW::Check::logs($t), AIGW::Check::secrets($t)], [],
    'logs and secrets');
$t->clean;
done_testing();

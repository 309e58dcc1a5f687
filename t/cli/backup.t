#!/usr/bin/perl

# store backup: a copy made while others write opens elsewhere, has all that
# the store has but its key file, and touches nothing of the original.

use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Cli;

my $store = new_store();
my $dir = dir();

json('user', 'create', 'ana', '--quota', '5');

my $project = json('project', 'create', 'demo', '--user', 'ana')->{project};
my $key = json('key', 'list')->{items}[0];

json('model', 'set', 'fast', '--alias-of', 'gpt-4o');
json({ stdin => "sk-planted-77aa\n" }, 'upstream', 'set', 'u', '--url',
    'http://127.0.0.1:9');

my $now = time() * 1000;
my $call = sub { [$now - $_[0], 2, $project->{id}, $key->{id}, 'gpt-4o', 200,
    0, 1, 1, 0, 5, 5, 1000] };

seed('ledger', map { $call->($_) } 1 .. 50);
seed('journal', $call->(60));

# The call that nobody has drained is in it as well.

my $made = json('store', 'backup', "$dir/copy");
my @reports = (['user', 'list'], ['project', 'list'], ['key', 'list'],
    ['model', 'list'], ['price', 'list'], ['upstream', 'list'],
    ['log', 'list'], ['usage', 'show']);
my %is = map { ("@$_" => json(@$_)) } @reports;

is($made->{rows}, 51, 'all rows');
is($made->{key_file}, "$store/key", 'says where the key file is');
ok(!-e "$dir/copy/key", '... which is not in it');
isnt($made->{id}, json('store', 'stats')->{id}, 'an id of its own');
is(sprintf('%o', (stat "$dir/copy/$_")[2] & 07777), /mdb/ ? 600 : 700,
    "mode of $_") for qw(. control usage control/data.mdb usage/data.mdb);
like(aigw('store', 'backup', "$dir/copy2")->{err}, qr{\Q$store\E/key},
    'people are told to keep the key file');

rename "$dir/copy", "$dir/elsewhere" or die $!;

for my $report (@reports) {
    is_deeply(json('--store', "$dir/elsewhere", @$report), $is{"@$report"},
        "elsewhere: @$report");
}

# With the key file, the upstreams' keys open: the next step is to connect.

my @test = ('--store', "$dir/elsewhere", 'upstream', 'test', 'u');

fails(1, @test);
copy("$store/key", "$dir/elsewhere/key") or die $!;
chmod 0600, "$dir/elsewhere/key";
like(fails(6, @test)->{message}, qr/cannot reach/, 'with the key file');

# The copy finds no journal of the original, and so takes nothing from it.

seed('journal', $call->(70));
is(scalar @{ json('--store', "$dir/elsewhere", 'log', 'list')->{items} }, 51,
    'no call of the original comes to the copy');
json('--store', "$dir/elsewhere", 'user', 'create', 'eve');
is(scalar @{ json('log', 'list')->{items} }, 52, '... and it keeps its calls');
fails(3, 'user', 'show', 'eve');

# While another writes.

my $most = 0;
my $writer = fork() // die $!;

if ($writer == 0) {
    exec 'sh', '-c', 'n=0; while [ $n -lt 300 ]; do n=$((n + 1));'
        . ' aigw user create w$n >/dev/null 2>&1; done' or die $!;
}

for my $n (1 .. 5) {
    json('store', 'backup', "$dir/busy$n");
    my @users = @{ json('--store', "$dir/busy$n", 'user', 'list', '--limit',
        1000)->{items} };

    is(scalar @users, $users[0]{id}, "while another writes: whole");
    $most = @users;
}

cmp_ok($most, '>', 2, '... some of what it wrote');
kill 'TERM', $writer;
waitpid $writer, 0;

# What is there is not touched; what failed leaves nothing behind.

fails(5, 'store', 'backup', "$dir/elsewhere");
fails(5, 'store', 'backup', "$dir/elsewhere", '--dry-run');
fails(3, 'store', 'backup', "$dir/no/where");
ok(!-e "$dir/no", '... nothing made');
json('store', 'backup', "$dir/dry", '--dry-run');
ok(!-e "$dir/dry", 'a dry run makes nothing');

done_testing();

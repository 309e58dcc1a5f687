#!/usr/bin/perl

# What changes or ends a thing that is there: one field leaves the others as
# they are, a replaced secret, deleting with its question, and that calls keep
# the names of what was deleted.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

new_store();

# --- set ---

json('user', 'create', 'ana', '--quota', '5');
json('project', 'create', 'demo', '--user', 'ana', '--models', 'gpt-4o*',
    '--expires', '30d');
json('key', 'create', '--project', 'demo', '--name', 'laptop');

my $ana = json('user', 'set', 'ana', '--quota', '7.5');

is($ana->{quota}, '7.5', 'a quota');
is($ana->{role}, 'member', '... leaves the role');
is(json('user', 'set', 'ana', '--admin')->{role}, 'admin', 'a role');
is(json('user', 'set', 'ana', '--member')->{quota}, '7.5',
    '... leaves the quota');
is(json('user', 'set', 'ana', '--quota', 'unlimited')->{quota}, undef,
    'unlimited');
is(json('user', 'set', 'ana', '--name', 'anna')->{id}, $ana->{id},
    'another name');
is(json('project', 'show', 'demo')->{user}, 'anna', '... seen everywhere');
fails(3, 'user', 'show', 'ana');
fails(2, 'user', 'set', 'anna');
fails(2, 'user', 'set', 'anna', '--admin', '--member');
fails(5, 'user', 'set', 'anna', '--name', 'admin');
fails(3, 'user', 'set', 'nosuch', '--quota', '1');

my $demo = json('project', 'set', 'demo', '--quota', '3');

is($demo->{quota}, '3', "a project's quota");
is_deeply($demo->{models}, ['gpt-4o*'], '... leaves the models');
like($demo->{expires_at}, qr/^\d{4}-/, '... and the end');
is(json('project', 'set', 'demo', '--expires', 'never')->{expires_at}, undef,
    'no end');
is_deeply(json('project', 'set', 'demo', '--models', 'o3,gpt-4o')->{models},
    ['o3', 'gpt-4o'], 'models');
is(json('project', 'set', 'demo', '--user', 'admin')->{user}, 'admin',
    'another user');
is(json('project', 'set', 'demo', '--user', 'anna', '--name', 'show')->{name},
    'show', 'two at once');
is_deeply(json('project', 'show', 'show'),
    { %$demo, name => 'show', user => 'anna', expires_at => undef,
      models => ['o3', 'gpt-4o'] }, 'all as set');
json('project', 'set', 'show', '--name', 'demo');
fails(3, 'project', 'set', 'demo', '--user', 'nosuch');
fails(2, 'project', 'set', 'demo');

my $laptop = json('key', 'set', 'laptop', '--quota', '2', '--models', 'o3',
    '--expires', '1d');

is($laptop->{quota}, '2', "a key's quota");
is($laptop->{remaining}, '2', '... remains');
is_deeply($laptop->{models}, ['o3'], '... models');
is(json('key', 'set', 'laptop', '--name', 'desk')->{id}, $laptop->{id},
    '... name');
fails(5, 'key', 'set', 'desk', '--name', 'default');
json('key', 'set', 'desk', '--name', 'laptop', '--expires', 'never');

# --- key disable, enable ---

my $off = json('key', 'disable', 'laptop');

ok(!$off->{enabled} && !$off->{active}, 'a key disabled');
is($off->{quota}, '2', '... keeps its quota');
ok(json('key', 'enable', 'laptop')->{active}, '... and enabled');

# --- key rotate ---

json('setting', 'set', 'base_url', 'http://h:1/v1');

my $old = json('key', 'show', 'laptop');
my $new = json('key', 'rotate', 'laptop', '--grace', '24h');

like($new->{key}, qr/\Aaigw_[0-9A-Za-z]{49}\z/, 'a new secret');
is($new->{base_url}, 'http://h:1/v1', '... with base_url');
is($new->{id}, $old->{id}, '... of the same key');
isnt($new->{last4} . $new->{prefix}, $old->{last4} . $old->{prefix},
    '... is another');
like($new->{grace_ends_at}, qr/^\d{4}-/, 'the old one ends');
is(json('key', 'show', 'laptop')->{grace_ends_at}, $new->{grace_ends_at},
    '... as is shown');
is(json('key', 'rotate', 'laptop')->{grace_ends_at}, undef,
    'without grace: at once');
is(json('store', 'stats')->{keys}, 2, 'no key more than there were');
like(fails(2, 'key', 'rotate', 'laptop', '--grace', '2020-01-01')->{message},
    qr/passed/, 'a grace that has passed');
fails(2, 'key', 'rotate', 'laptop', '--grace', 'never');
fails(3, 'key', 'rotate', 'nosuch');

my $revoked = json('key', 'revoke', 'laptop');

like($revoked->{revoked_at}, qr/^\d{4}-/, 'revoked');
is(json('key', 'revoke', 'laptop')->{revoked_at}, $revoked->{revoked_at},
    '... once');
is(fails(5, 'key', 'rotate', 'laptop')->{code}, 'conflict',
    'A06 a revoked key gets no other secret');
is(fails(5, 'key', 'enable', 'laptop')->{code}, 'conflict',
    '... and is not enabled');

# --- --if-absent ---

is(json('user', 'create', 'anna', '--if-absent')->{id}, $ana->{id},
    'a user who is there');
is(json('user', 'create', 'zoe', '--if-absent')->{name}, 'zoe',
    'one who is not');

my $there = json('project', 'create', 'demo', '--if-absent', '--quota', '99');

is($there->{project}{id}, $demo->{id}, 'a project that is there');
is($there->{project}{quota}, '3', '... as it is');
is($there->{key}, undef, '... without a key');
$there = json('key', 'create', '--project', 'demo', '--name', 'default',
    '--if-absent');
is($there->{key}, undef, 'a key that is there, without its secret');
like(json('key', 'create', '--project', 'demo', '--name', 'ci',
    '--if-absent')->{key}, qr/^aigw_/, 'one that is not');
fails(2, 'key', 'create', '--project', 'demo', '--if-absent');
fails(3, 'project', 'create', 'x', '--user', 'nosuch', '--if-absent');

# --- aliases ---

json('price', 'set', 'gpt-4o', '--prompt', '2.5', '--completion', '10');

my $fast = json('model', 'set', 'fast', '--alias-of', 'gpt-4o');

is($fast->{alias_of}, 'gpt-4o', 'an alias');
is($fast->{prompt}, '2.5', "... at its target's price");
json('price', 'set', 'fast', '--prompt', '1', '--completion', '1');
is_deeply([map { [@$_{qw(name alias_of prompt)}] }
    @{ json('model', 'list')->{items} }],
    [['fast', 'gpt-4o', '2.5'], ['gpt-4o', undef, '2.5']],
    'listed, its own price does not count');
is(json('model', 'set', 'fast')->{alias_of}, 'gpt-4o', 'set again: the same');
is(json('model', 'set', 'fast', '--alias-of', '')->{alias_of}, undef,
    'no alias any more');
is(json('model', 'set', 'fast')->{prompt}, '1', '... at its own price');
is(json('model', 'set', 'x', '--alias-of', 'fast')->{alias_of}, 'fast',
    '... and what others may stand for');
json('model', 'delete', 'x', '--yes');
json('model', 'set', 'fast', '--alias-of', 'gpt-4o');
like(fails(5, 'model', 'set', 'x', '--alias-of', 'fast')->{hint}, qr/gpt-4o/,
    'no alias of an alias');
fails(5, 'model', 'set', 'gpt-4o', '--alias-of', 'o3');
fails(5, 'model', 'set', 'gpt-4o', '--alias-of', 'fast');
fails(2, 'model', 'set', 'x', '--alias-of', 'x');
fails(2, 'model', 'set', 'x', '--alias-of', 'a,b');
is(scalar @{ json('model', 'list')->{items} }, 2, 'nothing made of those');

# --- cors_origins ---

for my $case (
    ['https://a.example', 'https://a.example'],
    ['https://A.Example:443/, http://localhost:3000',
     'https://a.example,http://localhost:3000'],
    ['http://h:80', 'http://h'], ['https://[::1]:8443', 'https://[::1]:8443'],
    ['*', '*'], ['', undef])
{
    is(json('setting', 'set', 'cors_origins', $case->[0])->{value},
        $case->[1], "cors_origins '$case->[0]'");
}

json('setting', 'set', 'cors_origins', 'https://a.example');
fails(2, 'setting', 'set', 'cors_origins', $_)
    for 'https://a.example/app', 'ftp://a.example', 'a.example',
    'https://*.example', '*,https://a.example', 'https://a.example,,*', ',',
    'https://u:p@a.example', 'https://a.example?x', 'null',
    join(',', map { "https://host-$_.example.com" } 1 .. 12);
is((grep { $_->{name} eq 'cors_origins' }
    @{ json('setting', 'list')->{items} })[0]{value}, 'https://a.example',
    'what is refused changes nothing');

# --- delete ---

my $now = time() * 1000;
my $key = json('key', 'show', 'default', '--project', 'demo');

seed('ledger', [$now, $ana->{id}, $demo->{id}, $key->{id}, 'gpt-4o', 200, 0,
    1, 1, 0, 5, 5, 1000]);

for my $thing (['user', 'zoe'], ['project', 'demo'], ['key', 'default'],
    ['model', 'fast'])
{
    like(fails(2, $thing->[0], 'delete', $thing->[1])->{hint}, qr/--yes/,
        "$thing->[0] delete without a terminal wants --yes");
    fails(3, $thing->[0], 'delete', 'nosuch', '--yes');
}

my $refused = fails(5, 'user', 'delete', 'anna', '--yes');

like($refused->{message}, qr/'demo'/, 'a user with a project stays');
like($refused->{hint}, qr/project delete demo/, '... and how to go on');

is_deeply(json('user', 'delete', 'zoe', '--yes'),
    { id => json('user', 'list')->{items}[0]{id} + 1, name => 'zoe',
      deleted => JSON::PP::true }, 'a user deleted');
json('key', 'delete', 'ci', '--yes');
fails(3, 'key', 'show', 'ci');
json('project', 'delete', 'demo', '--yes');
fails(3, 'project', 'show', 'demo');
is_deeply(json('key', 'list')->{items}, [], 'its keys went with it');
json('user', 'rm', 'anna', '--yes');
json('model', 'delete', 'fast', '--yes');
is((grep { $_->{name} eq 'fast' } @{ json('model', 'list')->{items} })[0]
    {alias_of}, undef, 'an alias deleted, its price stays');

# The ledger stays, with the names.

my $row = json('log', 'list')->{items}[0];

is_deeply([@$row{qw(user project key cost)}],
    ['anna', 'demo', 'default', '0.000001'], 'the call has its names');

for my $by (['user', 'anna'], ['project', 'demo'], ['key', 'default']) {
    my $group = json('usage', 'show', '--by', $by->[0])->{items}[0];

    is($group->{group}, $by->[1], "usage by $by->[0]");
    is($group->{cost}, '0.000001', '... and its cost');
}

is(json('usage', 'show', '--by', 'key')->{items}[0]{project}, 'demo',
    "the key's project");
is(scalar @{ json('log', 'list', '--project', $demo->{id}, '--key',
    $key->{id})->{items} }, 1, 'found by the ids of what is gone');
fails(3, 'log', 'list', '--project', 'demo');

# A name may be used again, by another thing.

my $again = json('project', 'create', 'demo')->{project};

isnt($again->{id}, $demo->{id}, 'the name again, another id');
is($again->{spent}, '0', '... which has spent nothing');
is(scalar @{ json('log', 'list', '--project', 'demo')->{items} }, 0,
    '... and has no calls');

done_testing();

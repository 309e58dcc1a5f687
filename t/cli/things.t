#!/usr/bin/perl

# Users, projects and keys: what is made is what is shown; unknown things are
# exit 3, names that are taken exit 5; enabled is a thing's own switch, active
# what follows from it and all above it.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

new_store();

# A fresh store.

my $admin = json('user', 'show', 'admin');

is($admin->{role}, 'admin', 'store init makes an admin');
is($admin->{quota}, undef, 'unlimited is null');
is($admin->{remaining}, undef, '... what remains of it, too');
is($admin->{spent}, '0', 'nothing spent');
is_deeply([map { "$_->{model} $_->{prompt} $_->{completion}" }
    @{ json('price', 'list')->{items} }], ['* 10 10'], "the price '*' is 10");

# Making.

my $ana = json('user', 'create', 'ana', '--quota', '25.50');

is($ana->{quota}, '25.5', 'a quota as decimal');
is($ana->{remaining}, '25.5', 'all of it remains');
is($ana->{role}, 'member', 'a user is a member');
is(json('user', 'create', 'eve', '--admin')->{role}, 'admin', '... or admin');
is_deeply(json('user', 'show', 'ana'), $ana, 'shown as made');
is_deeply(json('user', 'show', $ana->{id}), $ana, '... by its id as well');
is_deeply([map { $_->{name} } @{ json('user', 'list')->{items} }],
    ['eve', 'ana', 'admin'], 'newest first');

my $made = json('project', 'create', 'demo', '--user', 'ana', '--quota',
    '0.000000001', '--models', 'gpt-4o*,claude-*', '--expires', '30d');
my $demo = $made->{project};

is($demo->{user}, 'ana', 'a project has its user');
is($demo->{quota}, '0.000000001', 'the smallest quota');
is_deeply($demo->{models}, ['gpt-4o*', 'claude-*'], 'models as a list');
like($made->{key}, qr/\Aaigw_[0-9A-Za-z]{49}\z/, 'with a key');
is($made->{base_url}, undef, 'no base_url before it is set');
is_deeply(json('project', 'show', 'demo'), $demo, 'shown as made');

my $free = json('project', 'create', 'free')->{project};

is($free->{user}, 'admin', 'without --user: of admin');
is($free->{quota}, undef, '... unlimited');
is($free->{expires_at}, undef, '... never ends');
is_deeply($free->{models}, ['*'], '... all models');

json('setting', 'set', 'base_url', 'http://127.0.0.1:8080/v1/');
is_deeply([map { "$_->{name} " . ($_->{value} // 'none') }
    @{ json('setting', 'list')->{items} }],
    ['base_url http://127.0.0.1:8080/v1', map { "$_ none" } qw(cors_origins
        max_output admin_url signup signup_quota token_minutes)], 'settings');

my $laptop = json('key', 'create', '--project', 'demo', '--name', 'laptop');

is($laptop->{base_url}, 'http://127.0.0.1:8080/v1', 'a key with base_url');
is(substr($laptop->{key}, 0, 9), $laptop->{prefix}, 'its prefix');
is(substr($laptop->{key}, -4), $laptop->{last4}, 'its last four');
isnt($laptop->{key}, $made->{key}, 'no key twice');
like(json('key', 'create', '--project', 'demo')->{name}, qr/^key-\w{4}$/,
    'a key without a name gets one');

my $shown = json('key', 'show', 'laptop', '--project', 'demo');

ok(!exists $shown->{key}, 'afterwards the key is not shown');
is($shown->{last_used_at}, undef, 'never used');
is_deeply(json('key', 'show', $shown->{id}), $shown, 'by id');
is_deeply(json('key', 'show', 'laptop'), $shown, 'by a name that is unique');
is(scalar @{ json('key', 'list', '--project', 'demo')->{items} }, 3,
    'keys of a project');
is(scalar @{ json('key', 'list')->{items} }, 4, 'keys of all');
is(json('key', 'show', 'default', '--project', 'free')->{project}, 'free',
    'the same name in another project');
like(fails(2, 'key', 'show', 'default')->{hint}, qr/--project/,
    'a name that two projects have needs the project');

# Not there, or there already.

for my $argv (
    ['user', 'show', 'nosuch'], ['user', 'disable', 'nosuch'],
    ['user', 'enable', '999'], ['project', 'show', 'nosuch'],
    ['project', 'disable', '999'], ['project', 'enable', 'nosuch'],
    ['project', 'create', 'x', '--user', 'nosuch'],
    ['key', 'create', '--project', 'nosuch'],
    ['key', 'list', '--project', 'nosuch'], ['key', 'show', 'nosuch'],
    ['key', 'show', '999'], ['key', 'revoke', 'nosuch'],
    ['key', 'show', 'laptop', '--project', 'free'],
    ['key', 'show', 'laptop', '--project', 'nosuch'],
    ['price', 'delete', 'nosuch', '--yes'], ['upstream', 'test', 'nosuch'],
    ['log', 'show', 'nosuch'], ['log', 'show', '0' x 31 . '1'],
    ['log', 'list', '--project', 'nosuch'], ['log', 'list', '--key', 'nosuch'],
    ['usage', 'show', '--project', 'nosuch'],
    ['store', 'init', dir() . '/other', '--group', 'nosuch-group'],
) {
    is(fails(3, @$argv)->{code}, 'not_found', '... not_found');
}

for my $argv (
    ['user', 'create', 'ana'], ['project', 'create', 'demo'],
    ['key', 'create', '--project', 'demo', '--name', 'laptop'],
    ['store', 'init', $ENV{AIGW_STORE}],
) {
    is(fails(5, @$argv)->{code}, 'conflict', '... conflict');
}

is(scalar @{ json('key', 'list')->{items} }, 4,
    'a project that is refused leaves no key');

# Enabled and active.

sub active {
    return join ' ', map { $_->{enabled} . $_->{active} }
        json('user', 'show', 'ana'), json('project', 'show', 'demo'),
        json('key', 'show', 'laptop');
}

is(active(), '11 11 11', 'all on');
is(json('user', 'disable', 'ana')->{active}, 0, 'user off');
is(active(), '00 10 10', '... and all below inactive');
json('user', 'enable', 'ana');
json('project', 'disable', 'demo');
is(active(), '11 00 10', 'project off');
json('project', 'enable', 'demo');
is(active(), '11 11 11', 'all on again');
is(json('project', 'enable', 'demo')->{enabled}, 1, 'the same again');
is(json('key', 'revoke', 'laptop')->{active}, 0, 'a key revoked');
is(active(), '11 11 10', '... stays listed, enabled and inactive');
is(json('key', 'revoke', 'laptop')->{active}, 0, 'revoked again');

my $old = json('project', 'create', 'old', '--expires',
    '2020-01-01T00:00:00Z')->{project};

is($old->{expires_at}, '2020-01-01T00:00:00.000Z', 'an end in the past');
is($old->{active}, 0, '... is inactive');
is($old->{enabled}, 1, '... although enabled');
like(aigw('key', 'create', '--project', 'free', '--expires', '2020-01-01',
    )->{err}, qr/passed already/, '... with a warning');

my $soon = json('key', 'create', '--project', 'free', '--name', 'soon',
    '--expires', '1s');

is($soon->{active}, 1, 'a key of one second');
select undef, undef, undef, 1.1;
is(json('key', 'show', 'soon')->{active}, 0, '... a second later');

# Pages.

json('user', 'create', "u$_") for 1 .. 7;

my (@names, $next);

for my $page (1 .. 10) {
    my $list = json('user', 'list', '--limit', '4',
        defined $next ? ('--cursor', $next) : ());

    push @names, map { $_->{name} } @{ $list->{items} };
    cmp_ok(scalar @{ $list->{items} }, '<=', 4, "page $page");
    $next = $list->{next};
    last if !defined $next;
}

is_deeply(\@names, [(map { "u$_" } reverse 1 .. 7), qw(eve ana admin)],
    'pages are the whole list');
is(json('user', 'list', '--limit', '10')->{next}, undef,
    'a page that is just full is the last');

# Prices and models.

my $p = json('price', 'set', 'gpt-4o', '--prompt', '2.50', '--completion',
    '10', '--cached', '1.25');

is($p->{active}, 1, 'a price is in force when set');
is($p->{cached}, '1.25', '... with its parts');
is($p->{reasoning}, undef, '... and without those not given');

my $later = json('price', 'set', 'gpt-4o', '--prompt', '3', '--completion',
    '12', '--from', '2999-01-01');

is($later->{active}, 0, 'one to come is not');
cmp_ok($later->{version}, '>', $p->{version}, 'versions rise');
json('model', 'set', 'o3');

is_deeply([map { "$_->{name} $_->{prompt} $_->{completion}" }
    @{ json('model', 'list')->{items} }], ['gpt-4o 2.5 10', 'o3 10 10'],
    'models, set or priced, with the price in force');
is_deeply([map { "$_->{model} $_->{prompt} $_->{active}" }
    @{ json('price', 'list')->{items} }],
    ['* 10 1', 'gpt-4o 3 0', 'gpt-4o 2.5 1'], 'prices');

my $one = json('price', 'list', '--limit', '2');

is_deeply([map { $_->{prompt} } @{ json('price', 'list', '--cursor',
    $one->{next})->{items} }], ['2.5'], 'prices in pages');

like(fails(2, 'price', 'delete', 'gpt-4o')->{hint}, qr/--yes/,
    'without a terminal and --yes nothing is deleted');
is(scalar @{ json('price', 'list')->{items} }, 3, '... really not');
json('price', 'delete', 'gpt-4o', '--yes');
json('price', 'delete', '*', '--yes');
is_deeply([map { $_->{prompt} } @{ json('model', 'list')->{items} }],
    [undef], 'a model without any price');

# What is set for a model, which its aliases have from it.

sub set_for {
    my $m = json('model', 'set', @_);

    return join ' ', map { $_ // '-' } @$m{qw(max_output context)},
        $m->{reasons} ? 'reasons' : 'talks';
}

is(set_for('m'), '- - talks', 'nothing is known of a new model');
is(set_for('m', '--max-output', '16384'), '16384 - talks', 'its ceiling');
is(set_for('m', '--context', '128000'), '16384 128000 talks',
    '... its context, and what was set stays');
is(set_for('fast', '--alias-of', 'm'), '16384 128000 talks',
    'an alias has what its target has');
is(set_for('m', '--reasoning'), '16384 128000 reasons', '--reasoning');
is(set_for('fast'), '16384 128000 reasons', '... by its alias, too');
is(set_for('o3'), '- - reasons', 'a name that says so');
is(set_for('o3', '--no-reasoning'), '- - talks', '... is overruled');
is(set_for('o3', '--reasoning-by-name'), '- - reasons', '... or not');
is(set_for('m', '--max-output', 'unknown', '--context', '1000000000'),
    '- 1000000000 reasons', 'unknown again, and the most that can be');

like(fails(5, 'model', 'set', 'fast', '--max-output', '5')->{hint},
    qr/model set m /, 'an alias has nothing of its own');
fails(2, 'model', 'set', 'x', '--alias-of', 'm', '--context', '5');
fails(3, 'model', 'delete', 'x', '--yes');
fails(2, 'model', 'set', 'm', '--reasoning', '--no-reasoning');

for my $option ('--max-output', '--context') {
    fails(2, 'model', 'set', 'm', $option, $_)
        for '0', '-1', '1e3', '1000000001', '99999999999999999999', '';
}

is(set_for('m', '--alias-of', 'o1'), '- - reasons',
    'what becomes an alias loses what was set for it')
    if json('model', 'set', 'fast', '--alias-of', 'z');
is(set_for('m', '--alias-of', ''), '- - talks', '... for good');

# What the end of a client does to its call.

sub manners { return $_[0]{disconnect} }

is(manners(json('project', 'show', 'demo')), 'drain', 'unless set');
is(manners(json('project', 'set', 'demo', '--disconnect', 'abort')), 'abort',
    'set');
is(manners(json('project', 'set', 'demo', '--quota', '7')), 'abort',
    '... and not by something else');
is(manners(json('project', 'set', 'demo', '--disconnect', 'drain')), 'drain',
    'and back');
is(manners(json('project', 'create', 'hard', '--disconnect',
    'abort')->{project}), 'abort', 'made so');
is_deeply([map { manners($_) } grep { $_->{name} eq 'hard' }
    @{ json('project', 'list')->{items} }], ['abort'], 'and listed');
fails(2, 'project', 'set', 'demo', '--disconnect', 'soft');

# How hard its quota is.
is(json('project', 'show', 'demo')->{cap}, 'clamp', 'unless set');
is_deeply([@{ json('project', 'set', 'demo', '--cap', 'strict') }{
    qw(cap disconnect quota)}], [qw(strict drain 7)], 'set, and only that');
is(json('project', 'set', 'demo', '--quota', '8')->{cap}, 'strict',
    '... and kept');
is(json('project', 'set', 'demo', '--cap', 'clamp')->{cap}, 'clamp',
    'and back');
is(json('project', 'create', 'harder', '--cap', 'strict')->{project}{cap},
    'strict', 'made so');
fails(2, 'project', 'set', 'demo', '--cap', 'hard');

is(json('setting', 'set', 'max_output', '8192')->{value}, '8192',
    'what is assumed of other models');
is(json('setting', 'set', 'max_output', '000008193')->{value}, '8193',
    '... in its one form');
fails(2, 'setting', 'set', 'max_output', $_)
    for '0', '-1', '8k', '1000000001', ' 1';
is(json('setting', 'set', 'max_output', '')->{value}, undef, '... removed');

json('setting', 'set', 'base_url', '');
is(json('setting', 'list')->{items}[0]{value}, undef, 'a setting removed');

done_testing();

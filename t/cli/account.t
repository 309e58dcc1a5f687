#!/usr/bin/perl

# Accounts: roles, passwords, links and invitations, by what the command line
# hands out and what the store then lets in (threats M01, M14, M24).

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::Bin;
use Cli;

my $login = login_program();
my $store = new_store();

# What becomes of who tries to get in.
sub enter {
    my %how = ref $_[0] ? %{ shift() } : ();
    my $stdin = spew(dir() . '/typed', $how{stdin} // '');
    my $said = qx($login $ENV{AIGW_STORE} @_ <$stdin);

    return $said =~ s/\n//r;
}

# --- roles ---

is(json('user', 'show', 'admin')->{role}, 'admin', 'admin is one');
is(json('user', 'create', 'ana')->{role}, 'member', 'who is made is a member');
is(json('user', 'create', 'aud', '--auditor')->{role}, 'auditor', 'an auditor');
is(json('user', 'create', 'adm', '--admin')->{role}, 'admin', 'another admin');
is(json('user', 'set', 'adm', '--auditor')->{role}, 'auditor', '... was one');
is(json('user', 'set', 'adm', '--member')->{role}, 'member', '... no more');
is(json('user', 'set', 'adm', '--role', $_)->{role}, $_, "... --role $_")
    for qw(admin auditor member);
is_deeply([map { $_->{role} } @{ json('user', 'list')->{items} }],
    [qw(member auditor member admin)], 'the list has roles');

for (['--admin', '--member'], ['--auditor', '--admin'],
    ['--auditor', '--member'], ['--role', 'admin', '--member'])
{
    like(fails(2, 'user', 'set', 'adm', @$_)->{message}, qr/exclude/, "@$_");
}

fails(2, 'user', 'create', 'x', '--admin', '--auditor');

# --- the last admin ---

for (['disable', 'admin'], ['set', 'admin', '--member'],
    ['set', 'admin', '--auditor'], ['delete', 'admin', '--yes'])
{
    my $e = fails(5, 'user', @$_);

    is($e->{code}, 'conflict', '... a conflict');
    like($e->{message}, qr/'admin' is the last enabled admin/, '... says why');
    like($e->{hint}, qr/--admin/, '... and what helps');
}

json('user', 'set', 'adm', '--admin');
json('user', 'disable', 'adm');
fails(5, 'user', 'set', 'admin', '--member');
json('user', 'enable', 'adm');
is(json('user', 'set', 'admin', '--member')->{role}, 'member',
    'with another one it can');
fails(5, 'user', 'disable', 'adm');
json('user', 'set', 'admin', '--admin');

# --- passwords ---

ok(!json('user', 'show', 'ana')->{has_password}, 'M01 nobody has a password');
is(enter({ stdin => 'admin' }, 'name', 'admin'), 'wrong',
    'M01 nor gets in by a default one');

my $phrase = "  correct \xc3\xa9 horse \"'\\ ";

is(json({ stdin => "$phrase\n" }, 'user', 'password', 'ana')->{has_password},
    JSON::PP::true, 'one of stdin');
is(enter({ stdin => $phrase }, 'name', 'ana'), 'ok ana member -1',
    '... lets in, with all its blanks');
json({ stdin => "battery staple\r\nmore\n" }, 'user', 'password', 'ana');
is(enter({ stdin => 'battery staple' }, 'name', 'ana'), 'ok ana member -1',
    'another one, its first line');
is(enter({ stdin => $phrase }, 'name', 'ana'), 'wrong', '... and no old one');

for (['', 'none'], ["seven77\n", 'a short one'], ['x' x 1025, 'a long one'],
    ["correct\0horse\n", 'one with NUL'])
{
    like(fails(2, { stdin => $_->[0] }, 'user', 'password', 'ana')->{hint},
        qr/8 to 1024 bytes/, $_->[1]);
}

is(enter({ stdin => 'battery staple' }, 'name', 'ana'), 'ok ana member -1',
    'which change nothing');
json({ stdin => "by dry run\n" }, 'user', 'password', 'ana', '--dry-run');
is(enter({ stdin => 'by dry run' }, 'name', 'ana'), 'wrong',
    'nor does a dry run');
fails(3, { stdin => "correct horse\n" }, 'user', 'password', 'nobody');
fails(2, { stdin => "correct horse\n" }, 'user', 'password', 'ana', 'horse');

ok(json({ stdin => "from the start\n" }, 'user', 'create', 'bea',
    '--password')->{has_password}, 'a user with a password');
is(enter({ stdin => 'from the start' }, 'name', 'bea'), 'ok bea member -1',
    '... who gets in');
fails(2, { stdin => "short\n" }, 'user', 'create', 'cid', '--password');
fails(3, 'user', 'show', 'cid');

# --- links ---

my $link = json('user', 'link', 'ana');

like($link->{token}, qr/^aigwt_\w{49}$/, 'a token');
is($link->{url}, undef, '... without a place');
is($link->{user}, 'ana', '... of ana');
is(enter('link', $link->{token}), 'ok ana member -1', 'lets in');
is(enter('link', $link->{token}), 'not found', '... once');

json('setting', 'set', 'admin_url', 'https://ai.example.com/x/');
$link = json('user', 'link', 'ana', '--expires', '1h');
is($link->{url}, "https://ai.example.com/x/admin/login#$link->{token}",
    'with a place');
like(json('invite', 'create')->{url}, qr{/x/admin/join#aigwt_\w{49}$},
    'an invitation has another');
is(json('user', 'link', 'ana', '--dry-run')->{token}, undef,
    'a dry run has none');

{
    my $r = aigw('user', 'link', 'ana', '-q');

    is($r->{out}, "ana\n", 'a form that leaves it out');
    like($r->{err}, qr/shown only now: aigwt_\w{49}\n/, '... loses it not');
}

json({ stdin => "another horse\n" }, 'user', 'password', 'ana');
is(enter('link', $link->{token}), 'not found', 'M14 a new password ends it');
json('user', 'disable', 'ana');
like(fails(5, 'user', 'link', 'ana')->{hint}, qr/user enable/,
    'none for who is disabled');
json('user', 'enable', 'ana');
fails(2, 'user', 'link', 'ana', '--expires', '2020-01-01');
like(fails(2, 'invite', 'delete', $link->{token})->{message}, qr/key|token/,
    'M24 no token is taken from a command line');

# --- invitations ---

new_store();

my $token = json('user', 'link', 'admin')->{token};

is(@{ json('invite', 'list')->{items} }, 2, 'a link and the bootstrap token');

my $invite = json('invite', 'create');

is("$invite->{kind} $invite->{role} $invite->{quota} $invite->{uses_left}",
    'invite member 100 1', 'an invitation: one member, as who signs up');
is(enter('link', $invite->{token}), 'not found', 'lets in nobody');
is(enter('invite', $invite->{token}, 'admin'), 'already exists',
    'a name that is taken');
is(enter('invite', $invite->{token}, 'eva'), 'ok eva member 100000000000',
    'makes a user');
is(enter('invite', $invite->{token}, 'evi'), 'not found', '... one');

json('setting', 'set', 'signup_quota', '7.50');
is(json('invite', 'create')->{quota}, '7.5', 'the setting counts');
is(json('invite', 'create', '--quota', '3')->{quota}, '3', '... unless said');
is(json('invite', 'create', '--quota', 'unlimited')->{quota}, undef, '... so');

$invite = json('invite', 'create', '--role', 'auditor', '--uses', 2,
    '--expires', '1d');
is(enter('invite', $invite->{token}, 'fee'), 'ok fee auditor -1', 'an auditor');
is((grep { $_->{id} eq $invite->{id} } @{ json('invite', 'list')->{items} })
    [0]{uses_left}, 1, '... and one more');
is(json('invite', 'create', '--dry-run')->{token}, undef, 'a dry run: none');
fails(2, 'invite', 'create', '--uses', 0);
fails(2, 'invite', 'create', '--uses', 1001);
fails(2, 'invite', 'create', '--role', 'root');
fails(2, 'invite', 'create', '--expires', '2020-01-01T00:00:00Z');

# newest first, in pages
{
    my @all = map { $_->{id} } @{ json('invite', 'list')->{items} };
    my ($cursor, @pages) = (undef);

    for (1 .. 9) {
        my $page = json('invite', 'list', '--limit', 2,
            $cursor ? ('--cursor', $cursor) : ());

        push @pages, map { $_->{id} } @{ $page->{items} };
        $cursor = $page->{next} or last;
    }

    is(@all, 6, 'six are left');
    is($all[0], $invite->{id}, 'the newest first');
    is_deeply(\@pages, \@all, 'in pages, too');
    like(fails(2, 'invite', 'list', '--cursor', 'x')->{message}, qr/--cursor/,
        'no cursor');
}

unlike(aigw('invite', 'list', '--json')->{out}, qr/aigwt_|[0-9a-f]{20}/,
    'the list has no token and no hash');
fails(2, 'invite', 'delete', $invite->{id});
is(json('invite', 'delete', $invite->{id}, '--yes')->{id}, $invite->{id},
    'taken back');
is(enter('invite', $invite->{token}, 'gil'), 'not found', '... it is no more');
fails(3, 'invite', 'delete', $invite->{id}, '--yes');
fails(2, 'invite', 'delete', 'xyz', '--yes');

# --- the bootstrap token ---

is(json('store', 'init', dir() . '/dry', '--dry-run')->{bootstrap_token}, undef,
    'a dry run has none');

my $path = dir() . '/boot';
my $made = json('store', 'init', $path);

$ENV{AIGW_STORE} = $path;
like($made->{bootstrap_token}, qr/^aigwt_\w{49}$/, 'M01 a new store has one');
is(json('invite', 'list')->{items}[0]{expires_at}, undef, '... without an end');
is(enter('bootstrap', $made->{bootstrap_token}, 'admin'), 'ok admin admin -1',
    'M01 it gives the admin a password');
ok(json('user', 'show', 'admin')->{has_password}, '... who has it');
is(enter('bootstrap', $made->{bootstrap_token}, 'admin'), 'not found',
    'M01 ... once');

# --- settings ---

my %default = (signup => 'invite', signup_quota => '100',
    token_minutes => '1440', max_output => '32768');
my %setting = map { $_->{name} => $_ } @{ json('setting', 'list')->{items} };

for my $name (sort keys %default) {
    is($setting{$name}{default}, $default{$name}, "$name: what counts");
    is($setting{$name}{value}, undef, "... nothing is set");
}

for (['signup', qw(open invite closed)], ['signup_quota', '0', '12.5'],
    ['token_minutes', 1, 525600])
{
    my ($name, @good) = @$_;

    is(json('setting', 'set', $name, $_)->{value}, $_, "$name $_") for @good;
}

for (['signup', 'yes'], ['signup', 'Open'], ['signup_quota', '-1'],
    ['signup_quota', '1e3'], ['signup_quota', 'unlimited'],
    ['token_minutes', '0'], ['token_minutes', '525601'],
    ['token_minutes', '-5'], ['token_minutes', '1.5'],
    ['token_minutes', '99999999999999999999'], ['admin_url', 'ftp://x'])
{
    fails(2, 'setting', 'set', @$_);
}

is(json('setting', 'set', 'signup', '')->{value}, undef, 'removed');

# --- nowhere in clear ---

{
    my @secrets = ('battery staple', $token, $link->{token},
        $made->{bootstrap_token}, 'from the start');
    my $found = 0;

    for my $dir ($store, $path) {
        $ENV{AIGW_STORE} = $dir;

        my $text = aigw('store', 'export')->{out} . join '', map {
            slurp($_) } glob("$dir/*/data.mdb");

        ok(length $text > 1000, 'a store and its export');
        $found += grep { $text =~ /\Q$_\E/ } @secrets;
        unlike(aigw('store', 'export')->{out},
            qr/password|aigwt|"(?:login|ticket)"/i,
            'an export has nothing of logins');
    }

    is($found, 0, 'no password and no token stands in them');
}

# An export lets nobody in: passwords are set anew.
{
    my $file = dir() . '/moved.jsonl';

    $ENV{AIGW_STORE} = $store;
    json('store', 'export', $file);
    new_store();
    json('store', 'import', $file, '--yes');
    is(json('user', 'show', 'aud')->{role}, 'auditor', 'roles are imported');
    ok(!json('user', 'show', 'ana')->{has_password}, '... passwords are not');
    json({ stdin => "a new password\n" }, 'user', 'password', 'ana');
    is(enter({ stdin => 'a new password' }, 'name', 'ana'),
        'ok ana member -1', '... they are set anew');
}

# A backup takes them along.
{
    my $copy = dir() . '/copy';

    json('store', 'backup', $copy);
    $ENV{AIGW_STORE} = $copy;
    is(enter({ stdin => 'a new password' }, 'name', 'ana'),
        'ok ana member -1', 'a backup has them');
}

done_testing();

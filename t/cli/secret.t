#!/usr/bin/perl

# A client's key is shown by the command that made it and nowhere else; files
# have the modes that keep others out; who may not read a store is told so.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Find;
use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

my $store = new_store();
my @keys = (json('project', 'create', 'demo')->{key},
    json('key', 'create', '--project', 'demo', '--name', 'two')->{key});

seed('ledger', [1_700_000_000_000, 1, 1, 1, 'm', 200, 0, 1, 1, 0, 1, 1,
    20_000]);

my $secret = join '|', map { substr $_, 9, 41 } @keys;
my $hash = join '|', map { sha256_hex($_) } @keys;

# Every command that only reads, in every form.

my $id = json('log', 'list')->{items}[0]{id};
my %argument = ('user show' => 'admin', 'project show' => 'demo',
    'key show' => 'two', 'log show' => $id, explain => $id);

for my $command (@{ json('help')->{commands} }) {
    my $name = $command->{name};

    # what needs an upstream: see reconcile.t, subkey.t; serve says nothing by
    # itself
    next if $command->{writes}
        || $name =~ /^store init|^reconcile|^serve|^subkey show/;

    for my $form ([], ['--json'], ['-o', 'csv'], ['-o', 'name'], ['-q']) {
        my $tail = $name eq 'log tail';
        my $r = aigw({ seconds => $tail ? 0.3 : 0 }, (split / /, $name),
            $argument{$name} // (), @$form);

        is($r->{exit}, $tail ? 130 : 0, "aigw $name @$form")
            or diag($r->{err});
        unlike("$r->{out}$r->{err}", qr/$secret/, 'K05 ... shows no key');

        # by hashes an imported store knows its keys
        unlike("$r->{out}$r->{err}", qr/$hash/i, 'K05 ... nor a hash')
            if $name ne 'store export';
    }
}

# Nor is one in any file of the store: changed or deleted, pages that are free
# again and all.

my $upstream = 'sk-planted-4f0c7d1e9b2a8635';

for my $secret ($upstream, $upstream =~ tr/a-f/b-fa/r) {
    json({ stdin => "$secret\n" }, 'upstream', 'set', '4sapi', '--url',
        'https://4sapi.com/v1/');
    $upstream .= "|$secret";
}

json('key', 'delete', 'two', '--project', 'demo', '--yes');
json('project', 'delete', 'demo', '--yes');

my ($found, $files) = (0, 0);

find(sub {
    return if !-f $_;
    $files++;
    $found++ if slurp($_) =~ /$secret|$upstream/;
}, $store);
cmp_ok($files, '>', 3, 'K06 files of the store');
is($found, 0, 'K06 no key is in them');

# A generator of random numbers that fails: nothing is made.

SKIP: {
    my $so = dir() . '/norandom.so';
    my $c = spew(dir() . '/norandom.c',
        "int RAND_bytes(unsigned char *p, int n) { return 0; }\n");

    skip 'no C compiler', 7 if system("cc -shared -fPIC -o $so $c") != 0;

    for my $command (['project', 'create', 'nine'], ['store', 'init',
        dir() . '/second'], ['upstream', 'set', 'nine', '--url',
        'https://4sapi.com/'])
    {
        local $ENV{LD_PRELOAD} = $so;
        local $ENV{ASAN_OPTIONS} = 'verify_asan_link_order=0';
        my $r = aigw({ stdin => "sk-x\n" }, @$command);

        isnt($r->{exit}, 0, "K12 aigw @$command: no success");
        unlike($r->{out}, qr/aigw_\w{9}/, 'K12 ... and no key');
    }

    is_deeply([grep { $_->{name} eq 'nine' } map { @{ $_->{items} } }
        json('project', 'list'), json('upstream', 'list')], [],
        'K12 ... and nothing is there');
}

# Modes.

is((stat "$store/key")[2] & 07777, 0600, 'K17 mode of the key file');

my @open;

find(sub { push @open, $File::Find::name if (lstat $_)[2] & 0007 }, $store);
is_deeply(\@open, [], 'nothing in the store is open to others');

# There is none; there is one of something else; it is not ours.

like(fails(6, '--store', '/no/such', 'user', 'list')->{hint}, qr/store init/,
    'a store that is not there');
isnt(aigw('--store', "$store/key", 'user', 'list')->{exit}, 0,
    'a store that is a file');
isnt(aigw('store', 'init', '/proc/nosuch')->{exit}, 0,
    'a place that cannot be written');
isnt(aigw('store', 'init', dir())->{exit}, 0, 'a directory with other things');
ok(!-e dir() . '/key' && !-e dir() . '/control', '... is left as it was');

SKIP: {
    skip 'not root', 3 if $> != 0;
    chmod 0755, dir();
    my $e = fails(4, { uid => 65534 }, 'user', 'list');
    is($e->{code}, 'not_authorised', 'a store of somebody else');
    like($e->{message}, qr/\Q$store\E/, '... named');
}

done_testing();

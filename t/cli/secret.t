#!/usr/bin/perl

# A client's key is shown by the command that made it and nowhere else; files
# have the modes that keep others out; who may not read a store is told so.

use strict;
use warnings;

use File::Find;
use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

my $store = new_store();
my @keys = (json('project', 'create', 'demo')->{key},
    json('key', 'create', '--project', 'demo', '--name', 'two')->{key});

seed('ledger', [1_700_000_000_000, 1, 1, 1, 'm', 200, 0, 1, 1, 0, 1, 1, 1]);

my $secret = join '|', map { substr $_, 9, 41 } @keys;

# Every command that only reads, in every form.

my $id = json('log', 'list')->{items}[0]{id};
my %argument = ('user show' => 'admin', 'project show' => 'demo',
    'key show' => 'two', 'log show' => $id);

for my $command (@{ json('help')->{commands} }) {
    my $name = $command->{name};

    next if $command->{writes} || $name =~ /^store init/;

    for my $form ([], ['--json'], ['-o', 'csv'], ['-o', 'name'], ['-q']) {
        my $tail = $name eq 'log tail';
        my $r = aigw({ seconds => $tail ? 0.3 : 0 }, (split / /, $name),
            $argument{$name} // (), @$form);

        is($r->{exit}, $tail ? 130 : 0, "aigw $name @$form")
            or diag($r->{err});
        unlike("$r->{out}$r->{err}", qr/$secret/, '... shows no key');
    }
}

my $found = 0;

find(sub { $found++ if -f $_ && slurp($_) =~ /$secret/ }, $store);
is($found, 0, 'no key is in the store');

# Modes.

is((stat "$store/key")[2] & 07777, 0600, 'mode of the key file');

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

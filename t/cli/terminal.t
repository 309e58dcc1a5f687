#!/usr/bin/perl

# On a terminal: secrets are typed unseen, what cannot be undone asks for the
# name, ^C is exit 130. The terminal is a pty by Linux's own ioctls.

use strict;
use warnings;

use FindBin;
use POSIX ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

use constant { TIOCSPTLCK => 0x40045431, TIOCGPTN => 0x80045430 };
use constant { TIOCSWINSZ => 0x5414 };

# Runs aigw on a new terminal; each pair is what to wait for and what to type
# then. Returns what was seen and the exit code.
sub on_terminal {
    my ($argv, @talk) = @_;
    my ($unlock, $number) = (pack('i', 0), pack('i', 0));
    my $size = pack 'S4', 24, 80, 0, 0;
    my $seen = '';

    open my $master, '+<', '/dev/ptmx' or die "ptmx: $!";
    ioctl $master, TIOCSPTLCK, $unlock or die $!;
    ioctl $master, TIOCGPTN, $number or die $!;
    ioctl $master, TIOCSWINSZ, $size or die $!;

    my $slave = '/dev/pts/' . unpack 'i', $number;
    my $pid = fork() // die $!;

    if ($pid == 0) {
        POSIX::setsid();
        open STDIN, '<', $slave or die $!;
        open STDOUT, '>', $slave or die $!;
        open STDERR, '>', $slave or die $!;
        exec 'aigw', @$argv or die $!;
    }

    local $SIG{ALRM} = sub { kill 'KILL', $pid };
    alarm 20;

    my $mark = 0;

    while (sysread $master, my $bytes, 4096) {
        $seen .= $bytes;

        while (@talk && substr($seen, $mark) =~ /$talk[0]/) {
            $mark = length $seen;
            syswrite $master, $talk[1];
            splice @talk, 0, 2;
        }
    }

    waitpid $pid, 0;
    alarm 0;
    return ($seen, $? & 127 ? 128 + ($? & 127) : $? >> 8);
}

new_store();

my $secret = 'sk-planted-typed-5e8a';
my @set = ('upstream', 'set', 'u', '--url', 'https://h');
my ($seen, $exit) = on_terminal(\@set, qr/Key of the upstream: /,
    "$secret\r");

is($exit, 0, 'a key typed') or diag($seen);
unlike($seen, qr/planted/, '... unseen');
is(scalar @{ json('upstream', 'list')->{items} }, 1, '... and kept');

($seen, $exit) = on_terminal([@set[0, 1], 'v', @set[3, 4]], qr/Key of/,
    "sk-planted\x03");

is($exit, 130, '^C is exit 130');
unlike($seen, qr/planted/, '... nothing seen');
is(scalar @{ json('upstream', 'list')->{items} }, 1, '... nothing kept');

# A password is typed twice.

my @password = ('user', 'password', 'admin');

($seen, $exit) = on_terminal(\@password, qr/Password: /, "planted horse\r",
    qr/again: /, "planted house\r");
is($exit, 2, 'two that differ');
like($seen, qr/not the same/, '... are said to');
ok(!json('user', 'show', 'admin')->{has_password}, '... and none is set');

($seen, $exit) = on_terminal(\@password, qr/Password: /, "planted\r");
is($exit, 2, 'a short one is not asked for again');

($seen, $exit) = on_terminal(\@password, qr/Password: /, "planted horse\r",
    qr/again: /, "planted\x03");
is($exit, 130, '^C the second time');
unlike($seen, qr/planted/, '... nothing seen');

($seen, $exit) = on_terminal(\@password, qr/Password: /, "planted horse\r",
    qr/again: /, "planted horse\r");
is($exit, 0, 'the same twice');
unlike($seen, qr/planted/, '... unseen');
ok(json('user', 'show', 'admin')->{has_password}, '... is set');

my @delete = ('price', 'delete', '*');

($seen, $exit) = on_terminal(\@delete, qr/type its name: /, "no\r");
is($exit, 2, 'another name than the one to delete');
is(scalar @{ json('price', 'list')->{items} }, 1, '... deletes nothing');

($seen, $exit) = on_terminal(\@delete, qr/type its name: /, "*\r");
is($exit, 0, 'its name');
is(scalar @{ json('price', 'list')->{items} }, 0, '... deletes it');

json('project', 'create', 'demo');

($seen, $exit) = on_terminal(['key', 'revoke', 'default'],
    qr/type its name: /, "\x03");
is($exit, 130, '^C instead of a name');
ok(json('key', 'show', 'default')->{active}, '... revokes nothing');

($seen, $exit) = on_terminal(['key', 'revoke', 'default', '--yes']);
is($exit, 0, '--yes does not ask');
unlike($seen, qr/\e\[/, 'and a terminal gets no colours that nobody wanted');

($seen, $exit) = on_terminal(['user', 'list', '--json']);
is($exit, 0, 'JSON on a terminal');
cmp_ok($seen =~ tr/\n//, '>', 5, '... is laid out for people');

# A narrow terminal: nothing is cut, a list of models goes on below.

my $models = 'gpt-4o*,claude-*,o3,claude-3-5-sonnet-20241022,deepseek-*';

json('project', 'create', 'wide', '--expires', '30d', '--models', $models);
json('key', 'create', '--project', 'wide', '--name', 'a', '--expires', '30d');

($seen) = on_terminal(['project', 'list', '--no-header']);

my @lines = split /\r?\n/, $seen;
my $column = index $lines[0], 'gpt-4o*';

is(join('', map { /^ *\d+  (?!wide)/ ? () : substr($_, $column) } @lines)
    =~ s/\s+//gr, $models, 'all models are seen');

for my $noun (qw(user project key price model upstream)) {
    ($seen) = on_terminal([$noun, 'list']);
    is((grep { length > 80 } split /\r?\n/, $seen), 0,
        "$noun list fits 80 columns") or diag($seen);
}

done_testing();

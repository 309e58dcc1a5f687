#!/usr/bin/perl

# Wrong commands, options and values: exit 2, a reason, what was meant, and
# nothing done. Help and version.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

my $store = new_store();

my @wrong = (
    [ [], 'no command' ],
    [ ['usr', 'list'], 'unknown command', 'aigw user' ],
    [ ['user'], 'needs a verb' ],
    [ ['user', 'lst'], 'unknown command', 'aigw user list' ],
    [ ['user', 'revoke', 'x'], 'unknown command' ],
    [ ['log', 'list', '--projct', 'x'], '--projct', '--project' ],
    [ ['user', 'create', 'x', '--project', 'p'], '--project' ],
    [ ['project', 'create', 'x', '--jsn'], '--jsn', '--json' ],
    [ ['user', 'list', '-z'], '-z' ],
    [ ['user', 'list', '--quiet=1'], 'takes no value' ],
    [ ['user', 'list', '--limit'], 'needs' ],
    [ ['user', 'list', '--limit', '--yes'], 'needs' ],
    [ ['user', 'create'], 'NAME is missing' ],
    [ ['user', 'create', 'a', 'b'], 'too many' ],
    [ ['user', 'create', 'a', 'b', 'c', 'd'], 'too many' ],
    [ ['key', 'create'], '--project is missing' ],
    [ ['price', 'set', 'm', '--prompt', '1'], '--completion is missing' ],
    [ ['user', 'create', 'x', '--quota', '1', '--quota', '2'], 'twice' ],
    [ ['user', 'list', '--columns', 'id,secret'], 'secret' ],
    [ ['user', 'list', '--columns', ''], '--columns' ],
    [ ['user', 'list', '--columns', 'id', '-q'], '--columns' ],
    [ ['user', 'create', 'x', '--columns', 'nam'], 'nam' ],
    [ ['user', 'list', '-o', 'xml'], 'xml', 'table' ],
    (map { [ ['user', 'list', '--cursor', $_], '--cursor' ] } 'x', '0', '01',
        '-1', '18446744073709551617', '9' x 30),
    [ ['log', 'list', '--cursor', 'x'], '--cursor' ],
    [ ['price', 'list', '--cursor', 'x'], '--cursor' ],
    [ ['help', 'usr'], 'unknown command', 'aigw user' ],
    [ ['usr', '--help'], 'unknown command' ],
    [ ['setting', 'set', 'base_ur', 'http://h/v1'], 'base_ur', 'base_url' ],
);

my %bad = (
    name    => ['', '17', '-x', 'a b', 'a/b', "a\nb", 'x' x 65],
    quota   => ['', '-1', '1e5', '0x10', ' 1', '1,5', '.5', '1.0000000001',
                '9223372037', 'abc', 'Unlimited'],
    models  => ['', ',', 'a,,b', 'a, b', 'x' x 513],
    expires => ['', '30', '30x', '-1d', 'tomorrow', '2027-02-30',
                '2027-01-01T25:00:00Z', '99999999d', '999999999999999d'],
    limit   => ['', '0', '-1', '1001', '1.5', '99999999999999999999'],
    status  => ['', '99', '600', 'ok'],
    since   => ['', '5', '24hours', '1970-13-01'],
    by      => ['', 'hour', 'day|model'],
    url     => ['', 'ftp://h/', 'h', 'http://', 'http://u:p@h/v1',
                'http://h/v1?a=b', 'http://h/#f', 'http://a b/',
                'http://h/' . 'x' x 300],
);

push @wrong, map { [ ['user', 'create', '--', $_], 'NAME' ] } @{ $bad{name} };
push @wrong, map { [ ['user', 'create', 'x', "--quota=$_"], '--quota' ] }
    @{ $bad{quota} };
push @wrong, map { [ ['project', 'create', 'x', "--$$_[0]=$$_[1]"], $$_[0] ] }
    map { my $o = $_; map { [$o, $_] } @{ $bad{$o} } } qw(models expires);
push @wrong, map { [ ['log', 'list', "--$$_[0]=$$_[1]"], $$_[0] ] }
    map { my $o = $_; map { [$o, $_] } @{ $bad{$o} } }
    qw(limit status since);
push @wrong, map { [ ['usage', 'show', "--by=$_"], '--by' ] } @{ $bad{by} };
push @wrong, map { [ ['upstream', 'set', 'u', "--url=$_"],
    $_ eq '' ? '--url' : 'URL' ] } @{ $bad{url} };
push @wrong, map { [ ['log', 'list', "--$_="], "--$_" ] }
    qw(project key model cursor);
push @wrong, map { [ ['setting', 'set', 'base_url', $_], 'URL' ] }
    grep { $_ ne '' } @{ $bad{url} };
push @wrong, map { [ ['model', 'set', '--', $_], 'NAME' ] }
    '', '*', 'a b', 'a,b', 'x' x 129;
push @wrong, map { [ ['price', 'set', $_, '--prompt', 1, '--completion', 1],
    'MODEL' ] } '', 'gpt*', 'a b';

for my $case (@wrong) {
    my ($argv, $says, $means) = @$case;
    my $name = join ' ', map { length > 40 ? substr($_, 0, 40) . '...' : $_ }
        map { s/\n/\\n/r } @$argv;
    my $r = aigw(@$argv);

    is($r->{exit}, 2, "exit 2: $name") or diag("$r->{out}$r->{err}");
    is($r->{out}, '', '... nothing on stdout');
    like($r->{err}, qr/\Aaigw: .*\Q$says\E/, '... the reason');
    like($r->{err}, qr/^hint: .*\Q$means\E/m, '... what was meant') if $means;
}

is(scalar @{ json('user', 'list')->{items} }, 1, 'nothing was made');
is(scalar @{ json('project', 'list')->{items} }, 0, '... of any kind');

fails(2, 'user', 'lst');
fails(2, '--json', 'usr');

# Where nobody said which store, and where there is none.

{
    local $ENV{AIGW_STORE};
    delete $ENV{AIGW_STORE};
    like(fails(2, 'user', 'list')->{hint}, qr/--store/, 'which store');
    is(aigw('--store', $store, 'user', 'list')->{exit}, 0, '--store in front');
    is(aigw('user', '--store', $store, 'list')->{exit}, 0, '... in between');
    is(aigw('user', 'list', "--store=$store")->{exit}, 0, '... at the end');
}

# A key on the command line is refused before anything else, and not repeated.

for my $argv (
    ['upstream', 'set', 'u', '--key', 'sk-4f9a7c1e5b8d2f6a0c3e'],
    ['upstream', 'set', 'u', '--key=sk-4f9a7c1e5b8d2f6a0c3e'],
    ['upstream', 'set', 'u', '--url', 'https://h', 'sk-4f9a7c1e5b8d2f6a0c3e'],
    ['log', 'list', '--key', 'aigw_' . '4f9a7c1e5b8d2f6a0c3e' x 2],
    ['aigw_' . '4f9a7c1e5b8d2f6a0c3e' x 2],
) {
    my $r = aigw(@$argv);

    is($r->{exit}, 2, 'a key as argument: exit 2');
    unlike("$r->{out}$r->{err}", qr/4f9a7c1e/, '... not repeated');
    like($r->{err}, qr/stdin/, '... where it belongs');
}

# Help: on stdout, an example first, short, from the table.

my $tree = json('help');

for my $argv (['help'], ['--help'], ['-h'], ['help', 'user'],
    ['user', '--help'],
    (map { ['help', split / /, $_->{name}] } @{ $tree->{commands} }),
    (map { [(split / /, $_->{name}), '--help'] } @{ $tree->{commands} }))
{
    my $r = aigw(@$argv);
    my @lines = split /\n/, $r->{out};

    is($r->{exit}, 0, "aigw @$argv");
    is($r->{err}, '', '... nothing on stderr');
    like($lines[0], qr/^  aigw \w/, '... an example first');
    cmp_ok(scalar @lines, '<', 25, '... under 25 lines');
    is((grep { length > 80 } @lines), 0, '... none too wide')
        or diag($r->{out});
}

{
    local $ENV{AIGW_STORE};
    delete $ENV{AIGW_STORE};
    is(aigw('help')->{exit}, 0, 'help needs no store');
}

is(scalar @{ json('help', 'user')->{commands} },
    scalar(grep { $_->{name} =~ /^user / } @{ $tree->{commands} }),
    'help of a noun has its commands');
is(json('help', 'key', 'revoke')->{commands}[0]{name}, 'key revoke',
    'help of one command has it');
is(json('key', 'revoke', '--help')->{commands}[0]{name}, 'key revoke',
    '... and so has --help');
is(json('help', 'key', 'ls')->{commands}[0]{name}, 'key list',
    'an alias is known to help');

like(aigw('--version')->{out}, qr/^aigw \d+\.\d+\.\d+$/, '--version');
is(json('--version')->{version}, $tree->{version}, '... as JSON');

# Aliases, and an end of options.

is_deeply(json('user', 'ls'), json('user', 'list'), 'ls is list');
is(aigw('price', 'rm', 'nosuch', '--yes')->{exit}, 3, 'rm is delete');
is(aigw('--', 'user', 'list')->{exit}, 0, '-- ends the options');

done_testing();

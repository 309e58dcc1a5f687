#!/usr/bin/perl

# store export and import: all of a store as lines, and back: the same text, the
# same reports, the same keys. What is not as it was written is refused by its
# line, and then nothing has come in.

use strict;
use warnings;

use FindBin;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(usleep);

use lib $FindBin::Bin;
use Cli;

my $dir = dir();
my $now = time() * 1000;
my $old = $now - 40 * 86_400_000;

# --- a store with something of everything ---

my $store = new_store();
my %secret;

json('user', 'create', 'ana', '--quota', '5');
json('user', 'create', 'gone', '--admin');
json('user', 'delete', 'gone', '--yes');

my $made = json('project', 'create', "d\x{c3}\x{a9}mo", '--user', 'ana',
    '--quota', '3', '--models', 'gpt-4o*,o3', '--expires', '30d',
    '--disconnect', 'abort');
my $project = $made->{project};

$secret{client} = $made->{key};
$secret{second} = json('key', 'create', '--project', $project->{id}, '--name',
    'laptop', '--quota', '1')->{key};
$secret{rotated} = json('key', 'rotate', 'laptop', '--project',
    $project->{id}, '--grace', '24h')->{key};
json('key', 'create', '--project', $project->{id}, '--name', 'away');
json('key', 'delete', 'away', '--project', $project->{id}, '--yes');
json('key', 'create', '--project', $project->{id}, '--name', 'off');
json('key', 'revoke', 'off', '--project', $project->{id}, '--yes');
json('model', 'set', 'gpt-4o', '--max-output', '4096', '--reasoning');
json('model', 'set', 'fast', '--alias-of', 'gpt-4o');
json('price', 'set', 'gpt-4o', '--prompt', '2.5', '--completion', '10',
    '--cached', '0.000000001');
json('price', 'set', 'gpt-4o', '--prompt', '3', '--completion', '11',
    '--from', '2030-01-01');
$secret{upstream} = 'sk-planted-77aa';
json({ stdin => "$secret{upstream}\n" }, 'upstream', 'set', 'u', '--url',
    'http://127.0.0.1:9');
json('setting', 'set', 'base_url', 'https://ai.example.com/v1');

my $key = json('key', 'list')->{items}[-1];
my $call = sub { [$_[0], 2, $project->{id}, $key->{id}, $_[1] // 'gpt-4o', 200,
    0, 1, 1, 0, 5, 5, 100_000] };

seed('ledger', map { $call->($old + $_, "\x{ff}m\\\"\x01") } 1 .. 40);
seed('ledger', map { $call->($now - 1000 * $_) } 1 .. 60);
seed('journal', $call->($now));
json('project', 'credit', $project->{id}, '0.5', '--id', 'c1', '--yes');
json('log', 'refund', json('log', 'list')->{items}[3]{id}, '--yes');
json('store', 'prune', '--before', '30d', '--yes');

my @reports = (['user', 'list'], ['project', 'list'], ['key', 'list'],
    ['model', 'list'], ['price', 'list'], ['upstream', 'list'],
    ['setting', 'list'], ['log', 'list'], ['usage', 'show'],
    map { ['usage', 'show', '--by', $_] } qw(day model key user project));

# Now, to the millisecond, as text.
sub moment {
    my $time = Time::HiRes::time();

    return strftime('%Y-%m-%dT%H:%M:%S', gmtime $time)
        . sprintf('.%03dZ', ($time - int $time) * 1000);
}

sub reports { return { map { ("@$_" => json(@$_)) } @reports } }

my $is = reports();

# --- out ---

my $file = "$dir/out.jsonl";
my $out = json('store', 'export', $file);
my $text = slurp($file);
my @lines = split /^/, $text;

is($out->{lines}, scalar @lines, 'so many lines');
is($out->{bytes}, length $text, '... and bytes');
is($out->{rows}, 63, '... 60 calls, a journalled one, a credit, a refund');
is(sprintf('%o', (stat $file)[2] & 0777), '600', 'nobody else reads it');
ok(index($text, $_) < 0, 'no secret in it') for values %secret;
is(aigw('store', 'export')->{out}, $text, 'the same to stdout');
fails(5, 'store', 'export', $file);
fails(3, 'store', 'export', "$dir/no/where");

my %types;

# What is no UTF-8 is a lone surrogate, which JSON::PP does not take.
for (map { s/\\udcff/?/gr } @lines) {
    my $line = eval { JSON::PP->new->utf8->decode($_) } // {};

    ok($line->{type} && !grep({ ref && !JSON::PP::is_bool($_) } values %$line),
        'a flat JSON object') or diag($_);
    $types{ $line->{type} // '' }++;
}

is(scalar(() = $text =~ /"model":"\\udcffm\\\\\\"\\u0001"/g), 1,
    'bytes that are no text are written so');

is(join(' ', map { "$_=$types{$_}" } sort keys %types), 'aigw_export=1'
    . ' closing=1 counters=1 end=1 gone=2 key=3 model=2 price=3 project=1'
    . ' pruned=1 row=63 setting=1 sums=3 upstream=1 user=2',
    'of each type so many');

# --- in ---

fails(5, 'store', 'import', $file, '--yes');
is_deeply(reports(), $is, 'a store that is not empty stays as it is');

my $to = new_store();

fails(2, 'store', 'import', $file);

my $dry = json('store', 'import', $file, '--dry-run');

is($dry->{lines}, scalar @lines, 'a dry run has read it all');
is(json('user', 'list')->{items}[0]{name}, 'admin', '... and changed nothing');
is(json('store', 'import', $file, '--yes')->{rows}, 63, 'imported');
is(aigw('store', 'export')->{out}, $text, 'exported again: the same text');

my $verify = json('store', 'verify');

is("$verify->{findings} $verify->{rows}", '0 63', 'verify finds nothing');
is_deeply(reports(), $is, 'reports are the same');
like(aigw('explain', '--key', 'laptop', '--project', $project->{id}, '--model',
    'fast', '--json')->{out}, qr/gpt-4o/, 'explain knows key and model');

# What came back once does not come back again; numbers go on.

is(json('project', 'credit', $project->{id}, '0.5', '--id', 'c1',
    '--yes')->{booked}, JSON::PP::false, 'a credit has been booked');
is(json('user', 'create', 'eve')->{id}, 4, 'no id comes twice');

# So it is when its row is pruned, and after another move.

usleep(2000);
is(json('store', 'prune', '--before', moment(), '--yes')->{rows_left}, 0,
    'all rows are pruned');
spew("$dir/bare", aigw('store', 'export')->{out});
new_store();
json('store', 'import', "$dir/bare", '--yes');
is(aigw('store', 'export')->{out}, slurp("$dir/bare"), '... the same text');
is(json('store', 'verify')->{findings}, 0, '... sound');
is(json('project', 'credit', $project->{id}, '0.5', '--id', 'c1',
    '--yes')->{booked}, JSON::PP::false, '... the credit is still known');
is(json('usage', 'show')->{cost}, $is->{'usage show'}{cost}, '... and counts');
$ENV{AIGW_STORE} = $to;

# The key of the upstream is sealed by the other store's key file.

like(fails(1, 'upstream', 'test', 'u')->{message}, qr/seal|open|key/,
    'without the key file');
system('cp', "$store/key", "$to/key") == 0 or die;
like(fails(6, 'upstream', 'test', 'u')->{message}, qr/cannot reach/,
    'with the key file it opens');

new_store();
is(aigw({ shell => "aigw --store $store store export | aigw store import -"
    . ' --yes -q' })->{exit}, 0, 'through a pipe');
is(json('store', 'verify')->{findings}, 0, '... sound');

# --- what is not an export ---

my $fresh = new_store();
my $empty = aigw('store', 'export')->{out};

# CRC-32C, bit by bit.
sub crc {
    my $crc = 0xffffffff;

    for my $byte (unpack 'C*', shift) {
        $crc ^= $byte;
        $crc = $crc >> 1 ^ ($crc & 1 ? 0x82f63b78 : 0) for 1 .. 8;
    }

    return $crc ^ 0xffffffff;
}

# An end that fits.
sub sealed {
    my @all = @_[0 .. $#_ - 1];

    return join('', @all) . sprintf(qq({"type":"end","lines":%d,"crc32c":%u}\n),
        scalar @all, crc(join '', @all));
}

sub refuses {
    my ($name, $what, $like) = @_;

    spew("$dir/bad", $what);
    like(fails(1, 'store', 'import', "$dir/bad", '--yes')->{message}, $like,
        $name);
    is(aigw('store', 'export')->{out}, $empty, '... nothing is left of it')
        or die;
}

is(sealed(@lines), $text, 'the test knows the end');

# The line of a type, and its number.
sub at {
    my ($type) = @_;
    my ($at) = grep { $lines[$_] =~ /"type":"$type"/ } 0 .. $#lines;

    return ($at, $at + 1);
}

sub changed {
    my ($type, $from, $into) = @_;
    my ($at) = at($type);
    my @all = @lines;

    $all[$at] =~ s/$from/$into/ or die "$type: no $from";

    return sealed(@all);
}

refuses('nothing', '', qr/^line 1: the end is missing/);
refuses('no JSON', "x\n", qr/^line 1: not a flat JSON object/);
refuses('another format', sealed($lines[0] =~ s/"format":2/"format":3/r,
    @lines[1 .. $#lines]), qr/^line 1: .*another version/);
refuses('cut', join('', @lines[0 .. $#lines - 1]), qr/: the end is missing/);
refuses('cut in a line', substr($text, 0, 5000), qr/^line \d+: /);
refuses('something behind the end', $text . $lines[2], qr/^line \d+: user/);
refuses('a line too long', $lines[0] . ' ' x 20_000 . "\n",
    qr/^line 2: too long/);

for my $type (qw(counters user row sums)) {
    my ($at, $n) = at($type);
    my @less = @lines;

    splice @less, $at, 1;
    refuses("$type is lost", join('', @less), qr/^line \d+: /);
}

for my $at (map { $_ * 11 } 1 .. $#lines / 11) {
    my $bad = $text;
    my $bit = int rand 8 * length $lines[$at];
    my $byte = length(join '', @lines[0 .. $at - 1]) + int($bit / 8);

    substr($bad, $byte, 1) ^= chr(1 << $bit % 8);
    refuses("a bit of line " . ($at + 1), $bad, qr/^line \d+: /);
}

# The end fits: it is the line itself that is wrong.

for (
    ['user', '"role":"\w+"', '"role":"root"', 'user: \'role\''],
    ['user', '"role":"\w+"', '"admin":2', 'user: \'role\''],
    ['user', '"role":"\w+"', '"is_admin":true', 'user: no \'role\''],
    ['user', '"name":"\w+"', '"name":"7"', 'no user can be that'],
    ['user', '"id":1', '"id":9', 'not among those of the counters'],
    ['user', '"quota"', '"kwota"', 'user: no \'quota\''],
    ['user', '"enabled"', '"x":1,"enabled"', '\'x\' is there twice, or'],
    ['project', '"user_id":\d+', '"user_id":3', 'no such user'],
    ['project', '"models":"[^"]*"', '"models":"a\\u0000"', '\'models\''],
    ['key', '"project_id":\d+', '"project_id":7', 'no such project'],
    ['key', '"sha256":"..', '"sha256":"zz', '\'sha256\''],
    ['price', '"prompt":"\d+"', '"prompt":"1e3"', '\'prompt\''],
    ['price', '"version":\d+', '"version":77', 'no price can be that'],
    ['upstream', '"url":"[^"]*"', '"url":""', 'no upstream can be that'],
    ['closing', '"hour":\d+', '"hour":900000', 'its hour was not pruned'],
    ['row', '"cost":"[^"]*"', '"cost":"-1"', 'no row can be that'],
    ['row', '"cost":"[^"]*"', '"cost":"2"', 'not what the rows come to'],
    ['row', '"status":200', '"status":2e2', '\'status\''],
    ['sums', '"calls":\d+', '"calls":7', 'not what the rows come to'],
) {
    my ($type, $from, $into, $like) = @$_;
    my ($at, $n) = at($type);

    $n = '\d+' if $like =~ /come to/;
    refuses("$type: $into", changed($type, $from, $into),
        qr/^line $n: .*$like/);
}

for my $type (qw(user project key model price upstream setting closing row
    sums))
{
    my ($at) = at($type);

    next if $type eq 'sums';
    refuses("$type twice", sealed(@lines[0 .. $at], @lines[$at .. $#lines]),
        qr/^line @{[ $at + 2 ]}: $type: /);
}

# --- what was exported before there were auditors ---

{
    my @old = @lines;

    s/"format":2/"format":1/ for @old;
    s/"role":"admin"/"admin":true/ for @old;
    s/"role":"member"/"admin":false/ for @old;
    spew("$dir/old", sealed(@old));
    new_store();
    json('store', 'import', "$dir/old", '--yes');
    is(aigw('store', 'export')->{out}, $text, 'format 1: the same store');
}

# --- killed, and a store that others have open ---

my $break = break_program();

new_store();
system($break, $ENV{AIGW_STORE}, 'fill', 20_000) == 0 or die;
json('store', 'export', "$dir/big");

my ($killed, $whole) = (0, 0);

for my $n (1 .. 6) {
    my $path = new_store();
    my $pid = fork() // die $!;

    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'aigw', 'store', 'import', "$dir/big", '--yes' or die $!;
    }

    usleep(15_000 * $n + rand(40_000));
    kill 'KILL', $pid;
    waitpid $pid, 0;

    my $r = aigw('store', 'verify', '--json');

    $killed++ if $r->{err} =~ /has half an import/ && $r->{exit} == 1;
    $whole++ if $r->{exit} == 0;
}

is($killed + $whole, 6, 'killed: half an import says so, else it is whole');
cmp_ok($killed, '>', 0, '... it was killed at work');

$ENV{AIGW_STORE} = $fresh;

my $worker = fork() // die $!;

exec $break, $fresh, 'write', 1500 or die $! if !$worker;
usleep(100_000);

my $busy = aigw('store', 'import', $file, '--yes');

like($busy->{err}, qr/stop nginx|not empty/, 'not while another has it open');
isnt($busy->{exit}, 0, '... refused');
waitpid $worker, 0;
Cli::remember_live();

done_testing();

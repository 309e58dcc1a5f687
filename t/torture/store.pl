# A large store: verify finds one flipped bit, one deleted and one doubled row
# among all of them; a backup taken under load verifies elsewhere; export and
# import give the same store; pruning half of it, killed again and again, leaves
# every sum. Show 7 of the ledger, with times and memory.
#
# From the environment: ROWS (1000000), KILLS of prune (50), EVIDENCE (a file
# that gets the figures; 0: none).

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../cli";

use File::Path qw(remove_tree);
use JSON::PP ();
use POSIX qw(WNOHANG strftime);
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN {
    my $build = $ENV{AIGW_BUILD} // "$FindBin::Bin/../../build";

    $ENV{AIGW_CLI} //= "$build/aigw";
}

use Cli;

my $rows = $ENV{ROWS} // 1_000_000;
my $kills = $ENV{KILLS} // 50;
my $evidence = $ENV{EVIDENCE} // "$FindBin::Bin/../evidence/store-"
    . strftime('%Y-%m-%d', localtime) . '.txt';
my $break = break_program();
my $dir = dir();
my @report;


sub figure ($text) {
    note($text);
    push @report, $text;
}


# Runs it: (exit code, stdout, seconds, peak of its own memory in kB; pages of
# the store's map are the kernel's).
sub measure (@command) {
    my ($start, $peak) = (time, 0);
    my $pid = fork() // die $!;

    if (!$pid) {
        open STDOUT, '>', "$dir/out" or die $!;
        open STDERR, '>', "$dir/err" or die $!;
        exec @command or die $!;
    }

    while (waitpid($pid, WNOHANG) == 0) {
        if (open my $fh, '<', "/proc/$pid/status") {
            my ($now) = join('', <$fh>) =~ /^Name:\s+aigw.*^RssAnon:\s+(\d+)/ms;

            $peak = $now if ($now // 0) > $peak;
        }

        sleep 0.01;
    }

    return ($? >> 8, slurp("$dir/out"), time - $start, $peak);
}


# The answer of a command that must end so.
sub timed ($name, $exit, @command) {
    my ($is, $out, $seconds, $peak) = measure('aigw', @command, '--json');

    is($is, $exit, "$name: exit $exit") or diag(slurp("$dir/err"));
    figure(sprintf '%s: %.2f s, %d kB', $name, $seconds, $peak);
    cmp_ok($peak, '<', 16_384, "$name: constant memory");

    return JSON::PP->new->utf8->decode($out || '{}');
}


# Of a copy that is broken in one place: what is found.
sub spoilt ($name, @how) {
    local $ENV{AIGW_STORE} = "$dir/spoilt";

    system('cp', '-r', "$dir/whole", "$dir/spoilt") == 0 or die;
    system($break, "$dir/spoilt", @how) == 0 or die;

    my $answer = timed("verify, $name", 1, 'store', 'verify');

    remove_tree("$dir/spoilt");
    figure("$name: " . join ', ', map {
        "$_->{finding} " . ($_->{id} // $_->{name} // $_->{field} // '')
    } @{ $answer->{items} });

    return grep { $_->{finding} =~ /^row/ } @{ $answer->{items} };
}


sub books () {
    return { map { ("@$_" => json(@$_)) } ['user', 'list'], ['project', 'list'],
        map { ['usage', 'show', '--by', $_] } qw(day model key user project) };
}


my $store = new_store();
my $start = time;

system($break, $store, 'fill', $rows) == 0 or die;
figure(sprintf '%d rows written in %.1f s, file of %d MB', $rows,
    time - $start, (-s "$store/usage/data.mdb") >> 20);

my $middle = int $rows / 2;
my $answer = timed('verify', 0, 'store', 'verify');

is($answer->{rows}, $rows, 'all rows');

# --- one of them ---

system('cp', '-r', $store, "$dir/whole") == 0 or die;

my ($item) = spoilt('one flipped bit', 'flip', $middle + 1, 777);

is("$item->{finding} $item->{seq}", 'row_damaged ' . ($middle + 1),
    'the flipped bit is named');

($item) = spoilt('one deleted row', 'delete', $middle + 2);
is("$item->{finding} $item->{seq}", 'row_missing ' . ($middle + 2),
    'the deleted row is named');

($item) = spoilt('one doubled row', 'double', $middle + 3);
is("$item->{finding} $item->{seq}", 'row_double ' . ($rows + 1),
    'the doubled row is named');
ok($item->{id}, '... by its id');
remove_tree("$dir/whole");

# --- a backup under load, restored elsewhere ---

sub under_load ($code) {
    my $writer = fork() // die $!;

    exec $break, $ENV{AIGW_STORE}, 'write', 600_000 or die $! if !$writer;
    sleep 0.5;
    $code->();
    kill 'KILL', $writer;
    waitpid $writer, 0;
    Cli::remember_live();
}

under_load(sub { timed('backup under load', 0, 'store', 'backup',
    "$dir/backup") });
rename "$dir/backup", "$dir/elsewhere" or die;

{
    local $ENV{AIGW_STORE} = "$dir/elsewhere";

    cmp_ok(timed('verify of the backup', 0, 'store', 'verify')->{rows}, '>=',
        $rows, 'the backup has all rows');
    remove_tree("$dir/elsewhere");
}

# --- out and in ---

timed('export', 0, 'store', 'export', "$dir/out.jsonl");
figure(sprintf 'export of %d MB', (-s "$dir/out.jsonl") >> 20);

{
    my $books = books();

    local $ENV{AIGW_STORE} = "$dir/imported";

    aigw('store', 'init', "$dir/imported");
    timed('import', 0, 'store', 'import', "$dir/out.jsonl", '--yes');
    timed('verify of what was imported', 0, 'store', 'verify');
    timed('export of it', 0, 'store', 'export', "$dir/again.jsonl");
    is(system('cmp', "$dir/out.jsonl", "$dir/again.jsonl"), 0,
        'the same, byte by byte');
    is_deeply(books(), $books, 'the same books');
    remove_tree("$dir/imported");
    unlink "$dir/out.jsonl", "$dir/again.jsonl";
}

# --- prune ---

my $books = books();

# Row n is 37 ms after the one before.
sub moment ($n) {
    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(1_790_000_000 + $n * 0.037));
}

my $dead = 0;

for my $n (1 .. $kills) {
    my $pid = fork() // die $!;

    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'aigw', 'store', 'prune', '--yes', '--before', moment($rows / 4)
            or die $!;
    }

    sleep 0.02 + rand 0.1;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    $dead++ if $? == 9;

    my ($exit) = measure('aigw', 'store', 'verify');

    is($exit, 0, "killed, $n: clean") if $exit != 0 || $n == $kills;
}

figure("$dead of $kills prunes killed at work, clean after each");
timed('prune of the rest of a quarter', 0, 'store', 'prune', '--yes',
    '--before', moment($rows / 4));
is_deeply(books(), $books, 'the same books');

under_load(sub {
    timed('prune of a second quarter, under load', 0, 'store', 'prune',
        '--yes', '--before', moment($rows / 2));
});
$answer = timed('verify after it', 0, 'store', 'verify');
cmp_ok($answer->{pruned}, '>=', $rows / 2 - 50, 'half of the rows are gone');

timed('backup of the rest', 0, 'store', 'backup', "$dir/small");
figure(sprintf 'backup of %d MB', (-s "$dir/small/usage/data.mdb") >> 20);

if ($evidence && Test::More->builder->is_passing) {
    open my $fh, '>', $evidence or die "$evidence: $!\n";
    print $fh '# ' . strftime('%Y-%m-%d %H:%M', localtime) . " perl"
        . " t/torture/store.pl: ROWS=$rows KILLS=$kills, "
        . (() = slurp('/proc/cpuinfo') =~ /^processor/mg) . ' cores '
        . (slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m)[0]
        . "\n# seconds, and the peak of memory of its own\n";
    print $fh "$_\n" for @report;
    close $fh;
}

done_testing();

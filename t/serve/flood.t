# A thousand logins at once, from as many addresses: the sidecar stays small,
# answers all of them in JSON, and calls go on. Threat M15; Show 2.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Poll qw(POLLIN POLLHUP POLLERR);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::Serve;

use constant { LOGINS => 1000, MAX_KIB => 300 * 1024 };

my $t = AIGW->new(start => 0, workers => 2, connections => 4096);
my $s = AIGW::Serve->new($t);
my $key = $t->project('alice');

$t->run('user', 'create', 'ana');

my $password = $s->password('ana');


# A number of /proc/PID/status of the sidecar.
sub status ($name) {
    return AIGW::slurp('/proc/' . $s->pid . '/status') =~ /^$name:\s+(\d+)/m
        ? $1 : die "no $name";
}


# Calls one after the other for some seconds, or until a file is there: a child,
# who writes what it saw.
sub calls ($seconds, $stop = undef) {
    my $file = "$t->{dir}/secret/calls." . ($stop ? 'during' : 'before');
    my $pid = fork // die "fork: $!\n";

    return ($pid, $file) if $pid;

    my $until = time + $seconds;
    my $http = AIGW::HTTP->new($t->port);
    my @seen;

    while (time < $until && !($stop && -e $stop)) {
        my $from = time;
        my $r = $http->ask(key => $key, json => AIGW::chat_body())->response;

        push @seen, sprintf "%d %.1f\n", $r->status, 1000 * (time - $from);
        sleep 0.002;
    }

    open my $fh, '>', $file or die;
    print $fh @seen;
    close $fh;
    POSIX::_exit(0);
}


# What it saw: how many, those that were not 200, median and longest in ms.
sub seen ($file) {
    my @lines = map { [split] } split /\n/, AIGW::slurp($file);
    my @ms = sort { $a <=> $b } map { $_->[1] } @lines;

    $t->expect_rows(scalar @lines);

    return (scalar @lines, scalar(grep { $_->[0] != 200 } @lines),
        $ms[@ms / 2], $ms[-1]);
}


my ($pid, $file) = calls(2);

waitpid $pid, 0;

my ($n, $bad, $median, $longest) = seen($file);

cmp_ok($n, '>', 50, "calls before: $n, median $median ms, longest $longest");
is($bad, 0, 'all of them good');

my $stop = "$t->{dir}/secret/stop";
my $threads = status('Threads');
my $most = $threads;

($pid, $file) = calls(60, $stop);
sleep 0.3;

# some with a name that is there, some with one that is not
my @conns = map {
    my $i = $_;
    my $from = sprintf '127.%d.%d.%d', 2 + $i % 7, 1 + $i / 200, 1 + $i % 200;

    { n => $i, buf => '', sock => IO::Socket::INET->new(LocalAddr => $from,
        PeerAddr => '127.0.0.1', PeerPort => $t->port)
        // die "connect $i: $!\n" };
} 1 .. LOGINS;
my $poll = IO::Poll->new;
my %by_fd;
my $from = time;

for my $c (@conns) {
    my $name = $c->{n} % 2 ? 'ana' : "nobody$c->{n}";
    my $body = qq({"name":"$name","password":"guess $c->{n}"});

    syswrite $c->{sock}, "POST /admin/api/login HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\nConnection: close\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    $poll->mask($c->{sock} => POLLIN);
    $by_fd{ fileno $c->{sock} } = $c;
}

my $open = @conns;

while ($open && time < $from + 40) {
    $poll->poll(0.1);

    my $now = status('Threads');

    $most = $now if $now > $most;

    for my $sock ($poll->handles(POLLIN|POLLHUP|POLLERR)) {
        my $c = $by_fd{ fileno $sock };

        next if sysread $sock, $c->{buf}, 65536, length $c->{buf};
        $poll->remove($sock);
        $c->{ms} = 1000 * (time - $from);
        $open--;
    }
}

my $took = time - $from;
my (%count, @wrong);

for my $c (@conns) {
    my ($head, $body) = split /\r\n\r\n/, $c->{buf}, 2;
    my ($status) = ($head // '') =~ m{\AHTTP/1\.1 (\d+)};
    my $json = eval { JSON::PP::decode_json($body // '') };

    $count{ $status // 'none' }++;
    push @wrong, $c->{buf} if ($status // '') !~ /\A(?:401|429|503)\z/
        || ref $json ne 'HASH' || !length($json->{error}{code} // '')
        || $head !~ m{^Content-Type: application/json}mi
        || ($status != 401 && $head !~ /^Retry-After: [1-9]/mi);
}

note(join ' ', map { "$_: $count{$_}" } sort keys %count);
note(sprintf '%d logins in %.1f s, %d threads at most, VmHWM %d KiB', LOGINS,
    $took, $most, status('VmHWM'));
is($open, 0, 'M15 1,000 logins at once: all are answered');
is(scalar @wrong, 0, 'M15 by 401, 429 or 503 in JSON, saying when to try again')
    or diag(substr $wrong[0] // '', 0, 500);
cmp_ok($count{401} // 0, '>', 0, 'M15 some were looked at');
cmp_ok($count{401} // 0, '<', 50, 'M15 few were');
cmp_ok($count{429} // 0, '>', 100, 'M15 others are told to come later');

SKIP: {
    skip 'a sanitizer has memory of its own', 1 if $ENV{SANITIZE};
    cmp_ok(status('VmHWM'), '<', MAX_KIB, 'M15 never more than 300 MiB');
}

cmp_ok($most, '<=', $threads + 64, 'M15 threads are bounded');

# the door is open to who knows the password, soon after
{
    my $r = $s->call('POST', '/admin/api/login', from => '127.9.9.9',
        json => { name => 'ana', password => $password });
    my $tries = 0;

    while ($r->status == 429 && $tries++ < 60) {
        sleep 1;
        $r = $s->call('POST', '/admin/api/login', from => '127.9.9.9',
            json => { name => 'ana', password => $password });
    }

    is($r->status, 200, "M15 who knows the password gets in ($tries waits)");
}

AIGW::secret_file($t, 'stop', '');
waitpid $pid, 0;

my ($n2, $bad2, $median2, $longest2) = seen($file);

cmp_ok($n2, '>', 50,
    "calls meanwhile: $n2, median $median2 ms, longest $longest2");
is($bad2, 0, 'M15 all calls meanwhile went through');
cmp_ok($median2, '<', 5 * $median + 20, 'M15 and were not held up');
cmp_ok($longest2, '<', $longest + 500, 'M15 none of them for long');

$t->finish;

# How long an event loop is deaf: a process that asks each worker of an nginx
# something cheap every few milliseconds and notes what took long, and how much
# of that was waiting for a processor, which on a busy machine is nobody's
# fault. Each server asked must name its workers: add_header X-Pid $pid always.
#
#   my $probe = AIGW::Probe->start("$dir/probe",
#       { name => 'ours', port => $port, path => '/probe', workers => 2 },
#       { name => 'bare', ... });
#   $probe->stop;
#   my ($ms, $seen) = $probe->longest('ours', $from, $to);

package AIGW::Probe;

use v5.36;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time sleep);

use constant { EVERY => 0.005, NOTED_MS => 1 };


# Targets may have key (for Authorization).
sub start ($class, $file, @targets) {
    my $parent = $$;
    my @conns = map { connect_all($_) } @targets;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        my $stop = 0;

        local $SIG{TERM} = sub { $stop = 1 };

        # its own waiting is not what is measured
        POSIX::nice(-10);
        run($file, sub { $stop || getppid() != $parent }, @conns);
        POSIX::_exit(0);
    }

    return bless { pid => $pid, file => $file }, $class;
}


# A connection to each worker.
sub connect_all ($target) {
    my $request = "GET %s HTTP/1.1\r\nHost: probe\r\n"
        . ($target->{key} ? "Authorization: Bearer $target->{key}\r\n" : '')
        . "\r\n";
    my %by_pid;

    for (1 .. 200) {
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $target->{port}) or die "connect: $!\n";
        my $c = { name => $target->{name}, sock => $sock, buf => '' };

        syswrite $sock, sprintf $request, '/probe';
        1 until receive($c);
        die "no X-Pid: $c->{head}\n" if $c->{head} !~ /\r\nX-Pid: (\d+)/i;
        $by_pid{$1} //= $c;
        open $c->{stat}, '<', "/proc/$1/schedstat" or die "schedstat: $!\n";
        $c->{request} = sprintf $request, $target->{path};
        last if keys %by_pid == $target->{workers};
    }

    die "$target->{name}: not all workers accept\n"
        if keys %by_pid != $target->{workers};

    return values %by_pid;
}


# Reads what is there: 1 if it ends an answer.
sub receive ($c) {
    sysread $c->{sock}, $c->{buf}, 65536, length $c->{buf}
        or die "$c->{name}: the connection has ended\n";

    my $head = index $c->{buf}, "\r\n\r\n";

    return 0 if $head < 0;

    $c->{head} = substr $c->{buf}, 0, $head;

    my ($length) = $c->{head} =~ /\r\nContent-Length: (\d+)/i;

    return 0 if length $c->{buf} < $head + 4 + ($length // 0);
    return 0 if $c->{head} =~ /\r\nTransfer-Encoding/i
        && $c->{buf} !~ /\r\n0\r\n\r\n\z/;

    $c->{buf} = '';

    return 1;
}


# Milliseconds that a process has waited for a processor so far.
sub waited ($fh) {
    sysseek $fh, 0, 0;
    sysread $fh, my $text, 100;

    return ($text =~ /^\d+ (\d+)/)[0] / 1e6;
}


sub run ($file, $is_over, @conns) {
    open my $own, '<', '/proc/self/schedstat' or POSIX::_exit(1);
    my $select = IO::Select->new(map { $_->{sock} } @conns);
    my %by_fd = map { fileno $_->{sock} => $_ } @conns;
    my (@noted, %asked);

    $_->{due} = time for @conns;

    while (!$is_over->()) {
        my $next = time + EVERY;

        for my $c (@conns) {
            if (!$c->{busy} && $c->{due} <= time) {
                $c->{waited} = waited($c->{stat}) + waited($own);
                $c->{sent} = time;
                syswrite $c->{sock}, $c->{request};
                $c->{busy} = 1;
                $asked{ $c->{name} }++;
            }

            $next = $c->{due} if !$c->{busy} && $c->{due} < $next;
        }

        my $pause = $next - time;

        for my $sock ($select->can_read($pause > 0 ? $pause : 0)) {
            my $c = $by_fd{ fileno $sock };

            next if !receive($c);
            note_time(\@noted, $c, $own);
            $c->{busy} = 0;
            $c->{due} = $c->{due} + EVERY > time ? $c->{due} + EVERY : time;
        }
    }

    note_time(\@noted, $_, $own) for grep { $_->{busy} } @conns;
    open my $fh, '>', $file or POSIX::_exit(1);
    print $fh "asked $_ $asked{$_}\n" for sort keys %asked;
    print $fh @noted;
    close $fh;
}


# The longest time of each kind counts from another moment: what is seen from
# the one when its turn was.
sub note_time ($noted, $c, $own) {
    my $now = time;
    my $seen = 1000 * ($now - $c->{due});

    return if $seen < NOTED_MS;

    my $deaf = 1000 * ($now - $c->{sent})
        - (waited($c->{stat}) + waited($own) - $c->{waited});

    push @$noted, sprintf "%s %.6f %.3f %.3f\n", $c->{name}, $now, $seen,
        $deaf > 0 ? $deaf : 0;
}


sub stop ($self) {
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;

    for (split /\n/, AIGW::slurp($self->{file})) {
        my ($name, $at, $seen, $deaf) = split;

        if ($name eq 'asked') {
            $self->{asked}{$at} = $seen;
        } else {
            push @{ $self->{noted} }, [$name, $at, $seen, $deaf];
        }
    }
}


sub asked ($self, $name) { return $self->{asked}{$name} // 0 }


# Of the answers that came, or began, in that time (since the epoch): the
# longest in which the loop was deaf, the longest as seen from outside.
sub longest ($self, $name, $from, $to) {
    my ($longest, $outside) = (0, 0);

    for my $note (@{ $self->{noted} }) {
        my ($who, $at, $seen, $deaf) = @$note;

        next if $who ne $name || $at < $from || $at - $seen / 1000 > $to;
        $longest = $deaf if $deaf > $longest;
        $outside = $seen if $seen > $outside;
    }

    return ($longest, $outside);
}

1;

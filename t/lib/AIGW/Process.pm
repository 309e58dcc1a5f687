# Child processes of a test. Whatever a test started is gone when it ends,
# however it ends.

package AIGW::Process;

use v5.36;

use IO::Select;
use POSIX qw(WNOHANG);
use Time::HiRes qw(time sleep);

my %running;                        # pid => who started it
my $owner = $$;


# Options: stdin (bytes), env (hash), stderr (a file; else ours).
sub start ($class, $argv, %opt) {
    pipe my $out_r, my $out_w or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', $opt{stdin_file} // '/dev/null' or POSIX::_exit(126);
        open STDOUT, '>&', $out_w or POSIX::_exit(126);
        open STDERR, '>', $opt{stderr} or POSIX::_exit(126) if $opt{stderr};
        $ENV{$_} = $opt{env}{$_} for keys %{ $opt{env} // {} };
        close $out_r;
        { exec { $argv->[0] } @$argv }
        POSIX::_exit(127);
    }

    close $out_w;
    $running{$pid} = 1;

    return bless { pid => $pid, out => $out_r, buf => '' }, $class;
}


sub pid ($self) { return $self->{pid} }


# One line of its output, undef at the end or after 10 s.
sub line ($self) {
    my $deadline = time + 10;

    while (index($self->{buf}, "\n") < 0) {
        return undef if !IO::Select->new($self->{out})
            ->can_read($deadline - time);
        return undef if !sysread $self->{out}, $self->{buf}, 4096,
            length $self->{buf};
    }

    $self->{buf} =~ s/\A(.*)\n//;

    return $1;
}


# All of its output; undef if it did not close it in time.
sub output ($self, $timeout = 20) {
    my $deadline = time + $timeout;

    while (IO::Select->new($self->{out})->can_read($deadline - time)) {
        return $self->{buf} if !sysread $self->{out}, $self->{buf}, 65536,
            length $self->{buf};
    }

    return undef;
}


sub alive ($self) {
    return 0 if defined $self->{status};

    if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
        $self->{status} = $?;
        delete $running{ $self->{pid} };
    }

    return defined $self->{status} ? 0 : 1;
}


# Waits for the end: the wait status, undef if it is still there after that.
sub wait ($self, $timeout = 10) {
    my $deadline = time + $timeout;

    while ($self->alive) {
        return undef if time > $deadline;
        sleep 0.005;
    }

    return $self->{status};
}


sub signal ($self, $signal) { return kill $signal, $self->{pid} }


# The wait status; 'killed' if it took a KILL.
sub stop ($self, $signal = 'TERM', $timeout = 10) {
    return $self->{status} if !$self->alive;

    $self->signal($signal);

    my $status = $self->wait($timeout);

    return $status if defined $status;

    $self->signal('KILL');
    $self->wait;

    return 'killed';
}


# Pids of its children.
sub children ($self) {
    return children_of($self->{pid});
}


sub children_of ($pid) {
    my @found;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my $stat = <$fh> // '';

        push @found, $1
            if $stat =~ /\A(\d+) \(.*\) (\S) (\d+) /s
            && $3 == $pid && $2 ne 'Z';
    }

    return sort { $a <=> $b } @found;
}


# Waits until none of these is left; a dead one that nobody has asked about is
# gone too. 0 if one still runs.
sub gone ($timeout, @pids) {
    my $deadline = time + $timeout;

    for my $pid (@pids) {
        while (open my $fh, '<', "/proc/$pid/stat") {
            last if (<$fh> // '') =~ /\) [ZX] /;
            return 0 if time > $deadline;
            sleep 0.005;
        }
    }

    return 1;
}


# Processes started here, and their children.
END {
    if ($$ == $owner) {
        my @all = map { ($_, children_of($_)) } keys %running;

        kill 'KILL', @all if @all;
    }
}

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

1;

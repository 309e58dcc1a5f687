# One connection to a server, read step by step: whole answers for most tests,
# a stream's bytes as they arrive for some. Knows when each piece came and how
# the body ended ("length", "chunked", "close", "cut", "timeout", "garbage").

package AIGW::HTTP;

use v5.36;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);


# from: an address of this machine (127.0.0.0/8) to come from.
sub new ($class, $port, %opt) {
    my $sock = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp',
        defined $opt{from} ? (LocalAddr => $opt{from}) : ())
        or die "connect to port $port: $!\n";

    setsockopt($sock, IPPROTO_TCP, TCP_NODELAY, 1);

    return $class->on($sock, %opt);
}


# Over a socket that is connected.
sub on ($class, $sock, %opt) {
    return bless { sock => $sock, buf => '', timeout => 10, %opt }, $class;
}


# The bytes of a request. body: bytes; json: a value; key: a bearer; headers:
# pairs of names and values, in order.
sub bytes (%q) {
    my $body = exists $q{json}
        ? JSON::PP->new->utf8->canonical->encode($q{json}) : $q{body};
    my $method = $q{method} // (defined $body ? 'POST' : 'GET');
    my @headers = @{ $q{headers} // [] };
    my $head = "$method " . ($q{path} // '/v1/chat/completions')
        . " HTTP/1.1\r\nHost: localhost\r\n";

    $head .= "Authorization: Bearer $q{key}\r\n" if defined $q{key};

    if (defined $body) {
        $head .= "Content-Type: application/json\r\n"
            unless grep { lc eq 'content-type' } @headers;
        $head .= 'Content-Length: ' . length($body) . "\r\n";
    }

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n" if defined $value;
    }

    return "$head\r\n" . ($body // '');
}


sub send ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';
    my $at = 0;

    while ($at < length $bytes) {
        my $n = syswrite $self->{sock}, $bytes, length($bytes) - $at, $at;

        last if !defined $n;
        $at += $n;
    }

    return $self;
}


# Sends a request and makes ready for its answer.
sub ask ($self, %q) {
    $self->send($q{raw} // bytes(%q));

    return $self->expect($q{raw} ? $q{raw} =~ /\A(\S+) (\S+)/
        : ($q{method} // (exists $q{json} || defined $q{body}
            ? 'POST' : 'GET'), $q{path} // '/v1/chat/completions'));
}


sub expect ($self, $method = 'POST', $path = '/v1/chat/completions') {
    $self->{r} = bless {
        method => $method, path => $path, started => time, body => '',
        chunks => [], headers => {}, header_list => [], status => 0,
    }, 'AIGW::Response';

    return $self;
}


# Reads once; 0 if nothing more will come, or not in time.
sub step ($self, $deadline) {
    my $r = $self->{r};
    my $data = '';

    $self->parse and return 1 if length $self->{buf};

    my $left = $deadline - time;

    if ($left <= 0 || !IO::Select->new($self->{sock})->can_read($left)) {
        $r->{ended} = 'timeout';
        return 0;
    }

    my $n = sysread $self->{sock}, $data, 65536;

    if (!$n) {
        $self->{eof} = 1;
        $r->{reset} = 1 if !defined $n;
        $r->{ended} //= $r->{framing} && $r->{framing} eq 'close'
            && defined $n ? 'close' : 'cut';
        return 0;
    }

    $self->{buf} .= $data;
    $self->parse;

    return 1;
}


# Takes what it can from buf; 1 if it took something.
sub parse ($self) {
    my $r = $self->{r};

    return 0 if $r->{ended};

    if (!$r->{framing}) {
        if (length $self->{buf} >= 5 && $self->{buf} !~ /\AHTTP\//) {
            @$r{qw(ended body)} = ('garbage', $self->{buf});
            return 0;
        }

        $self->{buf} =~ s/\AHTTP\/1\.[01] (\d+) ?([^\r\n]*)\r\n(.*?\r\n)?\r\n//s
            or return 0;
        return 1 if $1 < 200;

        @$r{qw(status reason head_time)} = ($1, $2, time);
        $r->read_headers($3 // '');
        $self->{on_head}->($self, $r) if $self->{on_head};
        $r->{ended} = 'length'
            if $r->{framing} eq 'length' && !$r->{left};

        return 1;
    }

    return $self->parse_chunked if $r->{framing} eq 'chunked';

    my $data = $r->{framing} eq 'close' ? $self->{buf}
        : substr $self->{buf}, 0, $r->{left};

    substr($self->{buf}, 0, length $data) = '';
    $r->take($data);
    $r->{left} -= length $data if $r->{framing} eq 'length';
    $r->{ended} = 'length' if $r->{framing} eq 'length' && !$r->{left};

    return length($data) ? 1 : 0;
}


sub parse_chunked ($self) {
    my $r = $self->{r};

    $self->{buf} =~ /\A([0-9a-fA-F]+)[^\r\n]*\r\n/ or return 0;

    my ($size, $head) = (hex $1, $+[0]);

    return 0 if length $self->{buf} < $head + $size + 2;

    $r->take(substr $self->{buf}, $head, $size);
    substr($self->{buf}, 0, $head + $size + 2) = '';
    $r->{ended} = 'chunked' if $size == 0;

    return 1;
}


# The whole answer, or as much of it as came in time.
sub response ($self, $timeout = $self->{timeout}) {
    my $deadline = time + $timeout;
    my $r = $self->{r};

    delete $r->{ended} if ($r->{ended} // '') eq 'timeout';

    while (!$r->{ended} && $self->step($deadline)) { }

    $r->{time} = time;

    return $r;
}


# Reads until the body so far matches, or not in time: then undef.
sub wait_for ($self, $re, $timeout = $self->{timeout}) {
    my $deadline = time + $timeout;
    my $r = $self->{r};

    delete $r->{ended} if ($r->{ended} // '') eq 'timeout';

    until ($r->{body} =~ $re) {
        return undef if $r->{ended} || !$self->step($deadline);
    }

    return $r->{body};
}


sub close ($self, $reset = 0) {
    setsockopt($self->{sock}, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0)
        if $reset;
    close $self->{sock};
}


package AIGW::Response;

use v5.36;

use Time::HiRes qw(time);


sub read_headers ($r, $text) {
    my $h = $r->{headers};

    for my $line (split /\r\n/, $text) {
        my ($name, $value) = $line =~ /\A([^:]+):[ \t]*(.*?)[ \t]*\z/s or next;

        push @{ $r->{header_list} }, [$name, $value];
        $name = lc $name;
        $h->{$name} = exists $h->{$name} ? "$h->{$name}, $value" : $value;
    }

    if (lc($h->{'transfer-encoding'} // '') eq 'chunked') {
        $r->{framing} = 'chunked';

    } elsif ($r->{status} == 204 || $r->{status} == 304
             || $r->{method} eq 'HEAD') {
        @$r{qw(framing left)} = ('length', 0);

    } elsif (defined $h->{'content-length'}) {
        @$r{qw(framing left)} = ('length', $h->{'content-length'});

    } else {
        $r->{framing} = 'close';
    }
}


sub take ($r, $data) {
    return if !length $data;

    $r->{body} .= $data;
    push @{ $r->{chunks} }, [time, $data];
}


sub status ($r) { return $r->{status} }
sub body ($r) { return $r->{body} }
sub header ($r, $name) { return $r->{headers}{lc $name} }
sub id ($r) { return $r->{headers}{'x-request-id'} // '' }


# The body as a value, undef if it is no JSON.
sub json ($r) {
    return eval { JSON::PP::decode_json($r->{body}) };
}


# The code of an error of ours, '' if it is none.
sub code ($r) {
    my $j = $r->json;

    return ref $j eq 'HASH' && ref $j->{error} eq 'HASH'
        ? $j->{error}{code} // '' : '';
}


# The data of each event of a stream.
sub events ($r) {
    return map { /^data: ?(.*)/m ? $1 : () } split /\n\n/, $r->{body};
}

1;

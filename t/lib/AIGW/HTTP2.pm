# One HTTP/2 connection, for tests that send a request, do something, and send
# the next on the same one. Reads bodies, not headers: HPACK is written as
# literals and never decoded. (curl 7.88 cannot use such a connection twice.)

package AIGW::HTTP2;

use v5.36;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);


sub new ($class, $port) {
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port) or die "connect to port $port: $!\n";
    my $self = bless { sock => $sock, stream => -1, buf => '' }, $class;

    syswrite $sock, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '');

    return $self;
}


sub frame ($type, $flags, $stream, $data) {
    return substr(pack('N', length $data), 1)
        . pack('CCN', $type, $flags, $stream) . $data;
}


# A string of HPACK, not packed.
sub text ($s) {
    my $len = length $s;

    return ($len < 127 ? chr $len : "\x7f" . chr($len - 127)) . $s;
}


# The frames of a chat call with this key and body, on a stream of its own;
# further headers in pairs.
sub call ($self, $key, $body, $path = '/v1/chat/completions', @more) {
    my @headers = (':method', 'POST', ':scheme', 'http',
        ':path', $path, ':authority', 'localhost',
        'authorization', "Bearer $key", 'content-type', 'application/json',
        @more);
    my $block = join '', map {
        "\0" . text($headers[2 * $_]) . text($headers[2 * $_ + 1])
    } 0 .. @headers / 2 - 1;

    $self->{stream} += 2;

    return frame(1, 4, $self->{stream}, $block)
        . frame(0, 1, $self->{stream}, $body);
}


sub send ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';

    return syswrite $self->{sock}, $bytes;
}


sub ask ($self, $key, $body) {
    $self->send($self->call($key, $body));
}


# The body of the answer, or as soon as it is there so much of it; undef if
# that does not come in time.
sub response ($self, $enough = undef) {
    my $deadline = time + 10;
    my $body = '';

    for ( ;; ) {
        while (length $self->{buf} >= 9) {
            my ($high, $low, $type, $flags, $stream)
                = unpack 'CnCCN', $self->{buf};
            my $len = $high * 65536 + $low;

            last if length $self->{buf} < 9 + $len;

            my $data = substr substr($self->{buf}, 0, 9 + $len, ''), 9;

            next if $stream != $self->{stream};
            $body .= $data if $type == 0;
            return undef if $type == 3;
            return $body if $type < 2 && $flags & 1;
        }

        return $body if defined $enough && length $body >= $enough;
        return undef if !IO::Select->new($self->{sock})
            ->can_read($deadline - time)
            || !sysread $self->{sock}, $self->{buf}, 65536,
                length $self->{buf};
    }
}

1;

# The simulated 4sapi as a child process, and what a test tells it: see the
# head of t/sim/control.c for the orders.

package AIGW::Sim;

use v5.36;

use JSON::PP ();

use AIGW::HTTP;
use AIGW::Process;


sub new ($class, $binary, @options) {
    my $p = AIGW::Process->start(
        [$binary, qw(--listen 127.0.0.1:0 --control 127.0.0.1:0), @options]);
    my $self = bless { process => $p }, $class;

    for my $name (qw(listen control)) {
        my $line = $p->line // '';

        ($self->{$name}) = $line =~ /^$name \S+:(\d+)$/
            or die "aigw-sim does not start: $line\n";
    }

    return $self;
}


sub port ($self) { return $self->{listen} }


sub order ($self, $method, $path, $body = '') {
    my $r = AIGW::HTTP->new($self->{control})->ask(
        method => $method, path => $path, body => $body)->response;

    die "aigw-sim: $method $path: $r->{status}\n" if $r->{status} != 200;

    return $r->{body};
}


# Queues an answer. raw: all its bytes; else status, headers (pairs), body, or
# pieces of a body. chunked: framed so, each piece a chunk. split: offsets into
# the body ("all": between any two bytes of it, the head in one piece).
# gates: numbers of pieces of the body. repeat, delay_ms, then: as they are.
sub script ($self, %s) {
    my ($head, @pieces) = _pieces(%s);
    my $bytes = join '', $head, @pieces;
    my ($at, @splits) = (length $head);
    my $words = '';

    for my $piece (@pieces) {
        push @splits, $at;
        $at += length $piece;
    }

    $words .= ' split=' . join ',', @splits if @splits > 1 || $s{gates};
    $words .= ' gates=' . join ',', map { $_ + 1 } @{ $s{gates} }
        if $s{gates};
    $words = ' split=all' if ($s{split} // '') eq 'bytes';

    for my $name (qw(repeat delay_ms then)) {
        $words .= " $name=$s{$name}" if defined $s{$name};
    }

    $self->order('PUT', '/script',
        'answer bytes=' . length($bytes) . "$words\n$bytes\n");
}


# Head and pieces of the body as they go out.
sub _pieces (%s) {
    return ('', $s{raw}) if defined $s{raw};

    my @pieces = $s{pieces} ? @{ $s{pieces} } : ($s{body} // '');
    my $body = join '', @pieces;
    my @headers = @{ $s{headers} // ['Content-Type', 'application/json'] };
    my $head = 'HTTP/1.1 ' . ($s{status} // '200 OK') . "\r\n";

    if (($s{split} // '') eq 'all') {
        @pieces = split //, $body;

    } elsif (ref $s{split}) {
        my @at = (@{ $s{split} }, length $body);
        my $from = 0;

        @pieces = map {
            my $piece = substr $body, $from, $_ - $from;
            $from = $_;
            $piece;
        } @at;
    }

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    if ($s{chunked}) {
        $head .= "Transfer-Encoding: chunked\r\n";
        @pieces = map { sprintf("%x\r\n", length) . "$_\r\n" }
            grep { length } @pieces;
        push @pieces, "0\r\n\r\n" unless $s{unfinished};

    } elsif (($s{then} // 'keep') eq 'keep') {
        $head .= 'Content-Length: ' . ($s{length} // length $body) . "\r\n"
            unless $head =~ /^content-length:/im;

    } elsif (defined $s{length}) {
        $head .= "Content-Length: $s{length}\r\n";
    }

    return ("$head\r\n", @pieces);
}


sub go ($self) { $self->order('POST', '/go') }
sub reset ($self) { $self->order('POST', '/reset') }


sub set ($self, %values) {
    $self->order('PUT', '/set',
        join '', map { "$_ $values{$_}\n" } sort keys %values);
}


sub stats ($self) {
    return JSON::PP::decode_json($self->order('GET', '/count'));
}


sub count ($self) { return $self->stats->{requests} }


# Requests since the last reset, each { raw, head, body, line, path, headers }.
sub seen ($self) {
    my $text = $self->order('GET', '/seen');
    my @seen;

    while ($text =~ /\Grequest bytes=(\d+)\n/gc) {
        my $raw = substr $text, pos $text, $1;
        my ($head, $body) = split /\r\n\r\n/, $raw, 2;
        my ($line, @headers) = split /\r\n/, $head;
        my %headers;

        for (@headers) {
            my ($name, $value) = split /: */, $_, 2;

            $name = lc $name;
            $headers{$name} = exists $headers{$name}
                ? "$headers{$name}, $value" : $value;
        }

        push @seen, {
            raw => $raw, head => $head, body => $body, line => $line,
            path => (split / /, $line)[1], headers => \%headers,
        };
        pos($text) += $1 + 1;
    }

    return @seen;
}


sub stop ($self) { return $self->{process}->stop('TERM') }

1;

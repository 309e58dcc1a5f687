# Plays the walks of t/walk/: requests as data. Each file is a gateway of its
# own, its sections are taken from top to bottom:
#
#   === title
#   --- store            lines for aigw; the key of `project create NAME` is
#                        ${NAME} from there on
#   --- request          bytes as they go out, heads with CRLF made of LF;
#                        [conn=keep] on the connection of the request before,
#                        [chunk=N] sent in pieces of N bytes
#   --- upstream         what 4sapi answers to that request (Content-Length is
#                        added), [split=all] each byte of the body by itself,
#                        [chunked] framed so, [sees=PATH]; without this
#                        section the request must not reach it
#   --- response         STATUS, then any of: body identical to upstream;
#                        body without usage chunk; code CODE; header NAME VALUE
#   --- record           words NAME=VALUE of the row, or `none`
#
# ${auto} is the body's length, ${repeat:N:TEXT} and ${hex:0a} make bytes.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use AIGW;

my @files = @ARGV ? @ARGV : sort glob "$FindBin::Bin/walk/*.walk";

cmp_ok(@files, '>', 0, 'there are walks');

for my $file (@files) {
    subtest $file =~ s{.*/}{}r => sub { play($file) };
}

done_testing();


sub parse ($file) {
    my ($title, @sections);

    for (split /^/m, AIGW::slurp($file)) {
        if (/^=== (.*)/) {
            die "$file: two titles\n" if defined $title;
            $title = $1;

        } elsif (/^--- (\w+)(.*)/) {
            my %option = map { /(.*?)=(.*)/ ? ($1, $2) : ($_, 1) }
                split ' ', $2;

            push @sections, { kind => $1, text => '', %option };

        } elsif (@sections) {
            $sections[-1]{text} .= $_;

        } elsif (/\S/) {
            die "$file: a line before the first section: $_";
        }
    }

    die "$file has no title\n" if !defined $title;

    return ($title, @sections);
}


# Sections of one call: { request, upstream, response, record }; or { store }.
sub steps (@sections) {
    my @steps;

    for my $s (@sections) {
        my $kind = $s->{kind};

        if ($kind eq 'store' || $kind eq 'request') {
            push @steps, { $kind => $s };

        } elsif ($kind =~ /^(?:upstream|response|record)$/) {
            die "'--- $kind' has no request\n" if !$steps[-1]{request};
            $steps[-1]{$kind} = $s;

        } else {
            die "'--- $kind' is no section\n";
        }
    }

    return @steps;
}


sub play ($file) {
    my ($title, @sections) = parse($file);
    my $t = AIGW->new;
    my %walk = (t => $t, var => {});

    note($title);

    for my $step (steps(@sections)) {
        $step->{store} ? run_store(\%walk, $step->{store})
            : call(\%walk, $step);
    }

    AIGW::Check::run($t);
    $t->clean;
}


sub run_store ($walk, $section) {
    for (grep { /\S/ } split /\n/, $section->{text}) {
        my @args = map { s/^'|'$//gr } /('[^']*'|\S+)/g;
        my $answer = $walk->{t}->json(@args);

        $walk->{var}{ $args[2] } = $answer->{key} if "@args[0, 1]"
            eq 'project create';
    }
}


sub fill ($walk, $text) {
    $text =~ s/\$\{repeat:(\d+):([^}]*)\}/$2 x $1/ge;
    $text =~ s/\$\{hex:([0-9a-f]+)\}/pack 'H*', $1/ge;
    $text =~ s/\$\{(\w+)\}/$1 eq 'auto' ? '${auto}'
        : $walk->{var}{$1} \/\/ die "no \${$1}\n"/gex;

    return $text;
}


# Head with CRLF, and body without the newline that ends the section.
sub message ($walk, $text) {
    my ($head, $body) = split /\n\n/, fill($walk, $text), 2;

    ($body //= '') =~ s/\n+\z//;
    $head =~ s/\n+\z//;
    $head =~ s/\$\{auto\}/length $body/e;
    $head =~ s/\n/\r\n/g;

    return ($head, $body);
}


sub call ($walk, $step) {
    my $t = $walk->{t};
    my ($head, $body) = message($walk, $step->{request}{text});
    my $upstream = $step->{upstream};
    my ($up_head, $up_body);

    $t->sim->reset;

    if ($upstream) {
        ($up_head, $up_body) = message($walk, $upstream->{text});

        my ($status, @headers) = split /\r\n/, $up_head;

        $t->sim->script(status => $status =~ s/^\S+ //r,
            headers => [map { split /: */, $_, 2 } @headers],
            body => $up_body, chunked => $upstream->{chunked},
            split => $upstream->{split}, delay_ms => $upstream->{split} && 1);
    }

    $walk->{conn} = $t->connect if !$step->{request}{conn};

    my $c = $walk->{conn};
    my $raw = "$head\r\n\r\n$body";
    my $size = $step->{request}{chunk} // length $raw;

    $c->send(substr $raw, 0, $size, '') while length $raw;
    $head =~ /\A(\S+) (\S+)/;

    my $r = $c->expect($1, $2)->response(20);

    is($t->sim->count, $upstream ? 1 : 0,
        $upstream ? 'the upstream was asked once' : 'nothing upstream');
    check_seen($t, $upstream, $body) if $upstream;
    check_response($r, $up_body, $step->{response}{text});
    check_record($t, $r, $step->{record}{text}) if $step->{record};
}


sub check_seen ($t, $upstream, $body) {
    my ($seen) = $t->sim->seen;
    my $sent = eval { JSON::PP::decode_json($seen->{body}) };

    is($seen->{path}, $upstream->{sees}, 'the upstream sees that path')
        if $upstream->{sees};
    is($seen->{headers}{authorization},
        "Bearer $t->{secrets}{'the upstream\'s key'}", 'and its own key');

    if ($sent->{stream}) {
        ok($sent->{stream_options}{include_usage}, 'and is asked for usage');

    } elsif ($upstream->{clamped}) {
        is($sent->{max_tokens}, $upstream->{clamped}, 'and that limit');

    } else {
        is($seen->{body}, $body, 'and the body as it was sent');
    }
}


sub check_response ($r, $up_body, $spec) {
    for (map { split /,\s*|\n/ } $spec) {
        if (/^(\d+)$/) {
            is($r->status, $1, "answer $1") or diag $r->body;

        } elsif ($_ eq 'body identical to upstream') {
            is($r->body, $up_body, 'the body is identical');

        } elsif ($_ eq 'body without usage chunk') {
            is($r->body, join('', grep { !/"choices":\[\],"usage":\{/ }
                split /(?<=\n\n)/, $up_body), 'the body, but for the chunk');

        } elsif (/^code (\w+)$/) {
            is($r->code, $1, "code $1") or diag $r->body;
            is($r->header('content-type'), 'application/json', 'in JSON');

        } elsif (/^header (\S+) (.*)$/) {
            is($r->header($1), $2, "header $1");

        } elsif (length) {
            die "'$_' is nothing to say of a response\n";
        }
    }
}


sub check_record ($t, $r, $spec) {
    my $row = $t->row($r);

    if ($spec =~ /^none\b/) {
        is_deeply($row, {}, 'no row');
        return;
    }

    ok(%$row, 'a row') or return;

    for (split ' ', $spec) {
        my ($name, $value) = split /=/, $_, 2;
        my $got = $row->{$name};

        $got = JSON::PP::is_bool($got) ? ($got ? 'true' : 'false')
            : $got // 'null';
        is($got, $value, "$name in the row");
    }
}

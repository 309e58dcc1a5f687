# Requests by curl, for what AIGW::HTTP does not speak: HTTP/2. Keys go into a
# file of mode 0600, not on a command line.

package AIGW::Curl;

use v5.36;

use AIGW::HTTP;
use AIGW::Process;


# Starts curl on requests that follow each other on one connection, each a hash
# as for AIGW::HTTP::bytes (body, json, key, path, headers), and
# no_length => 1: without a Content-Length. Options: port, http1 => 1.
sub start ($t, $requests, %opt) {
    my $n = ++$t->{curls};
    my $self = bless { t => $t, asked => [], mark => "--$$-$n-" }, __PACKAGE__;
    my $port = $opt{port} // $t->port;
    my ($stdin, @config);

    for my $q (@$requests) {
        my $i = @config;
        my $path = $q->{path} // '/v1/chat/completions';
        my $body = $q->{json}
            ? JSON::PP->new->utf8->canonical->encode($q->{json}) : $q->{body};
        my @headers = ('Expect', '', 'Content-Type', 'application/json',
            'Authorization', "Bearer $q->{key}", @{ $q->{headers} // [] });
        my $file = $t->secret_file("curl-$n-$i.body", $body);

        truncate $file, length $body or die "$file: $!\n";
        $stdin = $file if $q->{no_length};

        push @config, join "\n", qq(url = "http://127.0.0.1:$port$path"),
            'include', 'silent', 'max-time = 60',
            $opt{http1} ? 'http1.1' : 'http2-prior-knowledge',
            qq(write-out = "$self->{mark}%{num_connects} %{http_version}\\n"),
            $q->{no_length} ? ('request = "POST"', 'upload-file = "-"')
                : qq(data-binary = "\@$file"),
            map { qq(header = "$headers[2 * $_]: $headers[2 * $_ + 1]") }
                0 .. @headers / 2 - 1;
        push @{ $self->{asked} }, ['POST', $path];
    }

    my $config = $t->secret_file("curl-$n.conf", join "\nnext\n", @config);

    $self->{process} = AIGW::Process->start(['/usr/bin/curl', '--config',
        $config], stdin_file => $stdin);

    return $self;
}


# All answers, once curl has ended. Each knows the version of HTTP and how many
# connections it took (0: that of the request before).
sub responses ($self) {
    my $out = $self->{process}->output(60) // '';
    my @found;

    $self->{process}->stop;

    for my $asked (@{ $self->{asked} }) {
        my $r = bless { method => $asked->[0], path => $asked->[1],
            body => '', headers => {}, header_list => [], status => 0,
            chunks => [] }, 'AIGW::Response';

        $out =~ s/\A(.*?)\Q$self->{mark}\E(\d+) (\S+)\n//s or last;
        @$r{qw(raw connects version)} = ($1, $2, $3);
        $r->{raw} =~ s/\AHTTP\/\S+ 1\d\d.*?\r\n\r\n//s;

        my ($head, $body) = split /\r\n\r\n/, delete $r->{raw}, 2;
        my ($line, $headers) = split /\r\n/, $head, 2;

        ($r->{status}) = $line =~ /^HTTP\/\S+ (\d+)/;
        $r->read_headers("$headers\r\n");
        $r->{body} = $body;
        push @{ $self->{t}{answers} }, $r;
        push @found, $r;
    }

    return @found;
}

1;

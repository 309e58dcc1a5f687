# nginx.conf.example and the chapter of README.md on an nginx that is already
# there do what they say: both are run as they stand but for paths and
# addresses, with TLS and HTTP/2 clients, against an upstream that speaks TLS
# as 4sapi.com. A certificate of another name, or of an unknown signer, ends
# the call before the upstream's key is sent. Threats H31, H33, H34.

use v5.36;

use File::Path qw(remove_tree);
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Sim;

my $root = $AIGW::root;
my $example = AIGW::slurp("$root/nginx.conf.example");
my ($chapter) = AIGW::slurp("$root/README.md")
    =~ /^## Put it into your nginx\n(.*?)^## /ms or die "no such chapter\n";
my $stock = '/etc/nginx/nginx.conf';
my $dir = File::Temp::tempdir('aigw-tls-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0755, $dir;


sub openssl (@args) {
    my $p = AIGW::Process->start(['openssl', @args], stderr => "$dir/log");

    die AIGW::slurp("$dir/log") if $p->wait != 0;
}


sub certificate ($file, $name) {
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes),
        '-days', 2, '-subj', "/CN=$name", '-addext', "subjectAltName=DNS:$name",
        '-keyout', "$dir/$file.key", '-out', "$dir/$file.pem");
}


# The same name, no longer valid.
sub expired ($file, $name) {
    openssl(qw(req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes),
        '-subj', "/CN=$name", '-addext', "subjectAltName=DNS:$name",
        '-keyout', "$dir/$file.key", '-out', "$dir/$file.csr");
    openssl(qw(x509 -req -copy_extensions copy -days -1), '-in',
        "$dir/$file.csr", '-signkey', "$dir/$file.key", '-out',
        "$dir/$file.pem");
}


sub put ($path, $text) {
    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh;
}


# Every replacement must find its text: what is not replaced is really run.
sub replace ($text, %new) {
    for my $old (sort { length $b <=> length $a } keys %new) {
        $text =~ s/\Q$old\E/$new{$old}/g or die "no '$old' in:\n$text";
    }

    return $text;
}


# The two files to include, in the place of /etc/nginx.
sub snippets ($t, $ca) {
    my $d = $t->dir;

    put("$d/aigw-http.conf", replace(
        AIGW::slurp("$root/docs/aigw-http.conf"),
        '/var/lib/aigw' => "$d/store", '4sapi.com:443' => $t->upstream));
    put("$d/aigw-server.conf", replace(
        AIGW::slurp("$root/docs/aigw-server.conf"),
        '/var/log/nginx/' => "$d/",
        '/etc/ssl/certs/ca-certificates.crt' => "$dir/$ca.pem"));
}


sub common ($t) {
    my $d = $t->dir;

    return (
        'user www-data;' => $> == 0 ? 'user www-data;' : '',
        'pid /run/nginx.pid;' => "pid $d/nginx.pid; daemon off;",
        'worker_processes auto;' => 'worker_processes 1;',
        '/var/log/nginx/' => "$d/",
        'http {' => 'http {' . join('', map { "\n${_}_temp_path $d/temp/$_;" }
            qw(client_body proxy fastcgi uwsgi scgi)),
    );
}


# The example is right for Debian's nginx, and says what is other in a new one.
sub listen_http2 ($text) {
    my $new = version() >= 1.025001;
    my ($line) = $example =~ /^\s*# `(http2 on;)` in a line of its own/m
        or die "nginx.conf.example does not say how a new nginx has it\n";

    $text =~ s/(\blisten [^;#]*) http2;/$1; $line/
        or die "no HTTP/2 in:\n$text" if $new;

    return $text;
}


# 1.022001 for nginx/1.22.1.
sub version () {
    my @v = qx($AIGW::nginx -v 2>&1) =~ m{nginx/(\d+)\.(\d+)\.(\d+)}
        or die "no version of $AIGW::nginx\n";

    return sprintf '%d.%03d%03d', @v;
}


sub gateway (%sim) {
    my $upstream = delete $sim{upstream};

    return AIGW->new(start => 0, sim => [%sim], upstream => $upstream);
}


# One call by curl: { status, version, headers, body, wait, total }.
sub curl ($t, $key, $body, @options) {
    my $d = $t->dir;

    put("$d/secret/headers", "Authorization: Bearer $key\n"
        . "Content-Type: application/json\n");
    put("$d/secret/body", JSON::PP->new->utf8->encode($body));

    my $p = AIGW::Process->start(['curl', '-sN', '--noproxy', '*', '--cacert',
        "$dir/front.pem", '--resolve',
        'ai.example.com:' . $t->port . ':127.0.0.1', '-H',
        "\@$d/secret/headers", '--data-binary', "\@$d/secret/body", '-D',
        "$d/secret/head", '-o', "$d/secret/answer", '-m', 20, '-w',
        '%{http_code} %{http_version} %{time_starttransfer} %{time_total}',
        @options, 'https://ai.example.com:' . $t->port
        . '/v1/chat/completions']);
    my %r;

    @r{qw(status version wait total)} = split / /, $p->output(30) // '';
    $p->wait;
    $r{headers} = AIGW::slurp("$d/secret/head");
    $r{body} = AIGW::slurp("$d/secret/answer");
    $t->expect_rows(1);

    return \%r;
}


# What each of the two configurations owes to clients of both kinds.
sub clients ($t, $name) {
    my $key = $t->project('alice');

    for (['2', '--http2'], ['1.1', '--http1.1'],
        ['2', '--http2', '--tls-max', '1.2'])
    {
        my ($version, @options) = @$_;
        my $what = "$name, @options";
        my $r = curl($t, $key, AIGW::chat_body(), @options);

        is("$r->{status} $r->{version}", "200 $version", "$what: a call")
            or diag($r->{body});

        $r = curl($t, $key, AIGW::chat_body(stream => JSON::PP::true),
            @options);
        like($r->{body}, qr/^data: \[DONE\]\n\n\z/m, "$what: a stream");
        cmp_ok($r->{total} - $r->{wait}, '>', 0.2, "$what: as it comes");

        $r = curl($t, $key, AIGW::chat_body(user => 'x' x 100_000), @options);
        is($r->{status}, 200, "$what: a body of 100 KB");

        my $long = JSON::PP::encode_json({ text => 'x' x 100_000,
            usage => { prompt_tokens => 1, completion_tokens => 2,
                total_tokens => 3 } });

        $t->sim->script(body => $long);
        is(curl($t, $key, AIGW::chat_body(), @options)->{body}, $long,
            "$what: an answer of 100 KB");
    }

    my @rows = $t->wait_rows(12);

    is(scalar(grep { $_->{settled} eq 'exact' } @rows), 12,
        "$name: each is metered");
    like(AIGW::slurp($t->dir . '/aigw.log'), qr/project=alice\ key=aigw_\w{4}\ 
        model=\S+\ prompt=\d+\ .*=ok$/mx, "$name: the log");
    is(AIGW::slurp($t->dir . '/error.log'), '',
        "$name: nothing went through a temporary file");

    return $key;
}


# What an upstream may not do, and what is not paid twice.
sub upstream ($t, $key) {
    $t->sim->script(headers => ['Content-Type', 'application/json',
        'X-Accel-Redirect', '/v1/models', 'X-Accel-Limit-Rate', '1'],
        body => '{"own":1}');
    is(curl($t, $key, AIGW::chat_body())->{body}, '{"own":1}',
        'H33 X-Accel-Redirect of the upstream is not followed');

    my %answers = (
        'a reset' => { raw => 'x', then => 'reset' },
        'a 500' => { status => '500 It Broke', body => '{}' },
        'a 503' => { status => '503 No', body => '{}' },
    );

    for my $what (sort keys %answers) {
        $t->sim->reset;
        $t->sim->script(%{ $answers{$what} });
        cmp_ok(curl($t, $key, AIGW::chat_body())->{status}, '>=', 500, $what);
        is($t->sim->count, 1, "$what: the call is sent once");
    }
}


certificate('good', '4sapi.com');
certificate('other', 'example.com');
certificate('front', 'ai.example.com');
expired('old', '4sapi.com');


# --- nginx.conf.example ---

sub start_example ($cert, $ca, @options) {
    my $t = gateway('--tls-cert' => "$dir/$cert.pem", '--tls-key' =>
        "$dir/$cert.key", '--delay-ms' => 20, @options);

    snippets($t, $ca);
    put($t->dir . '/nginx.conf', listen_http2(replace($example, common($t),
        'load_module modules/' => "load_module $AIGW::build/",
        'worker_rlimit_nofile 16384;' => '',
        'worker_connections 4096;' => 'worker_connections 512;',
        '/etc/ssl/aigw/fullchain.pem' => "$dir/front.pem",
        '/etc/ssl/aigw/privkey.pem' => "$dir/front.key",
        'listen 443 ' => 'listen 127.0.0.1:' . $t->port . ' ')));
    $t->start;

    return $t;
}

for (
    ['other', 'other', 'H34 a certificate of another name'],
    ['good', 'other', 'H34 a certificate of an unknown signer'],
    ['old', 'old', 'H34 a certificate that has expired'],
) {
    my ($cert, $ca, $what) = @$_;
    my $t = start_example($cert, $ca);
    my $r = curl($t, $t->project('alice'), AIGW::chat_body());

    is($r->{status}, 502, $what);
    like($r->{body}, qr/"upstream_unavailable"/, 'its code');
    is($t->sim->count, 0, 'nothing was sent');

    AIGW::Check::run($t);
    $t->clean;
}

# An upstream that speaks no TLS, or speaks before it could have.
for my $when ('at once', 'when asked') {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 9)
        or die "no port: $!\n";
    my $t = start_example('good', 'good',
        upstream => '127.0.0.1:' . $listen->sockport);
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        alarm 60;

        while (my $c = $listen->accept) {
            my ($answer, $got) = ("HTTP/1.1 200 OK\r\nContent-Type: application"
                . "/json\r\nContent-Length: 9\r\n\r\n{\"own\":1}", '');

            syswrite $c, $answer if $when eq 'at once';
            sysread $c, $got, 65536;
            syswrite $c, $answer if $when ne 'at once';
            1 while sysread $c, $got, 65536, length $got;
            put("$dir/got", $got);
        }
    }

    my $r = curl($t, $t->project('alice'), AIGW::chat_body());
    my $what = "H34 an answer without TLS, $when";

    # it writes down what it got when nginx has closed
    for (1 .. 100) {
        last if -s "$dir/got";
        select undef, undef, undef, 0.02;
    }

    kill 'KILL', $pid;
    waitpid $pid, 0;
    is($r->{status}, 502, $what) or diag $r->{body};
    like($r->{body}, qr/"upstream_\w+"/, "$what: its code");
    # one that speaks first may be left before
    like(AIGW::slurp("$dir/got"), $when eq 'at once' ? qr/\A(?:\x16\x03|\z)/
        : qr/\A\x16\x03/, "$what: it got a ClientHello");
    unlike(AIGW::slurp("$dir/got"), qr/Bearer|POST/, "$what: and no more");
    unlink "$dir/got";
    is(($t->wait_rows(1))[0]{settled}, 'void', "$what: nothing is charged");

    AIGW::Check::run($t);
    $t->clean;
}

{
    my $t = start_example('good', 'good');
    my $key = clients($t, 'nginx.conf.example');

    is(($t->sim->seen)[0]{headers}{host}, '4sapi.com', 'host');
    upstream($t, $key);

    AIGW::Check::run($t);
    $t->clean;
}


# --- the chapter of README.md, on Debian's nginx.conf ---

# The commands, with our places for those of the system.
sub commands ($t) {
    my $d = $t->dir;

    remove_tree("$d/store");
    mkdir "$d/modules";

    for my $command ($chapter =~ /^    (\S.*)$/mg) {
        my $here = $command =~ s{\bbuild/}{$AIGW::build/}r
            =~ s{/usr/lib/nginx/modules/}{$d/modules/}r
            =~ s{/etc/nginx/}{$d/}r =~ s{/var/lib/aigw}{$d/store}r
            =~ s{/root/4sapi.key}{$t->{subkey_file}}r;
        my $p = AIGW::Process->start(['sh', '-c', "cd $root && $here"],
            stderr => "$dir/log");

        $p->output;
        is($p->wait, 0, $command) or diag(AIGW::slurp("$dir/log"));
        AIGW::Check::plant_master_key($t) if $command =~ /store init/;
    }
}


SKIP: {
    my $want = qx(dpkg-query -W -f '\${Conffiles}' nginx-common 2>/dev/null);
    my $have = qx(md5sum $stock 2>/dev/null);

    skip 'no nginx.conf as Debian brings it', 1
        if $have !~ /^(\w{32})/ || $want !~ /^ \Q$stock\E $1/m;

    my @lines = $chapter =~ /^```nginx\n(.*\n)(.*\n)(.*\n)```$/m
        or die "no three lines\n";
    my $t = gateway('--tls-cert' => "$dir/good.pem", '--tls-key' =>
        "$dir/good.key", '--delay-ms' => 20);
    my $d = $t->dir;
    my %common = common($t);

    commands($t);
    snippets($t, 'good');
    mkdir "$d/sites-enabled";
    put("$d/sites-enabled/mine", listen_http2(
        'server { listen 127.0.0.1:' . $t->port
        . " ssl http2; ssl_certificate $dir/front.pem;"
        . " ssl_certificate_key $dir/front.key;\n$lines[2]}\n"));
    put("$d/mime.types", AIGW::slurp('/etc/nginx/mime.types'));
    $common{'http {'} .= "\n$lines[1]";
    put("$d/nginx.conf", $lines[0]
        . replace(AIGW::slurp($stock), %common, '/etc/nginx/' => "$d/"));
    $t->start;

    clients($t, 'README.md');

    AIGW::Check::run($t);
    $t->clean;
}

done_testing();

# nginx.conf.example does what it says: it is run as it stands but for paths
# and addresses, against an upstream that speaks TLS as 4sapi.com. A
# certificate of another name, or of an unknown signer, ends the call before
# the upstream's key is sent.

use v5.36;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Sim;

my $example = AIGW::slurp("$AIGW::root/nginx.conf.example");
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


# Every replacement must find its text: what is not replaced is really run.
sub adapt ($t, $ca) {
    my $conf = $example;
    my $d = $t->dir;
    my %new = (
        'load_module modules/' => "load_module $AIGW::build/",
        'user www-data;' => $> == 0 ? 'user www-data;' : '',
        'pid /run/nginx.pid;' => "pid $d/nginx.pid; daemon off;",
        'worker_processes auto;' => 'worker_processes 1;',
        'worker_connections 4096;' => 'worker_connections 512;',
        '/var/log/nginx/error.log' => "$d/error.log",
        '/var/log/nginx/aigw.log' => "$d/access.log",
        'ai_gateway_store /var/lib/aigw;' => "ai_gateway_store $d/store;"
            . join('', map { "\n${_}_temp_path $d/temp/$_;" }
                qw(client_body proxy fastcgi uwsgi scgi)),
        'server 4sapi.com:443;' => 'server ' . $t->upstream . ';',
        'listen 127.0.0.1:80;' => 'listen 127.0.0.1:' . $t->port . ';',
        '/etc/ssl/certs/ca-certificates.crt' => "$dir/$ca.pem",
    );

    for my $old (sort keys %new) {
        $conf =~ s/\Q$old\E/$new{$old}/ or die "no '$old' in the example\n";
    }

    open my $fh, '>', "$d/nginx.conf" or die "$d/nginx.conf: $!\n";
    print $fh $conf;
    close $fh;
}


certificate('good', '4sapi.com');
certificate('other', 'example.com');

for (
    ['good', 'good', 200, 'the right certificate'],
    ['other', 'other', 502, 'a certificate of another name'],
    ['good', 'other', 502, 'a certificate of an unknown signer'],
) {
    my ($cert, $ca, $status, $what) = @$_;
    my $t = AIGW->new(start => 0, sim => [
        '--tls-cert', "$dir/$cert.pem", '--tls-key', "$dir/$cert.key",
    ]);

    adapt($t, $ca);
    $t->start;

    my $r = $t->chat($t->project('alice'));

    is($r->status, $status, $what);

    if ($status == 200) {
        my ($seen) = $t->sim->seen;

        is($seen->{headers}{host}, '4sapi.com', 'host');
        is($t->row($r)->{settled}, 'exact', 'metered');
        like(AIGW::slurp($t->dir . '/access.log'),
            qr/project=alice key=aigw_\w{4} model=\S+ prompt=\d+ .*=ok$/m,
            'the log format');

    } else {
        is($r->code, 'upstream_unavailable', 'its code');
        is($t->sim->count, 0, 'nothing was sent');
    }

    AIGW::Check::run($t);
    $t->clean;
}

done_testing();

# Where the sidecar may be sent by who is at no shell: to https, and not into
# the network that it stands in. Threats M17, M18.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::INET;
use Test::More;

use AIGW;
use AIGW::Serve;

my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my @as = (token => $s->admin);
my $own = 'http://' . $t->upstream;

sub set ($name, $url) {
    return $s->call('PUT', "/admin/api/upstreams/$name", @as, json => {
        url => $url, key => 'sk-' . 'x' x 20 });
}

is(set('a', 'https://api.example.com')->status, 200, 'M17 a host of the world');
is(set('a', 'https://api.example.com:8443/base')->status, 200,
    'M17 with a port and a path');
is(set('a', 'https://8.8.8.8')->status, 200, 'M17 an address of the world');
is(set('a', 'https://[2606:4700::1111]')->status, 200, 'M17 of IPv6, too');

for my $url (
    'http://api.example.com', 'file:///etc/passwd', 'ftp://h/', 'gopher://h/',
    'dict://127.0.0.1:6379/', '//h', 'h', '',
    map({ ("https://$_", "http://$_") }
        '127.0.0.1', '127.1', '0x7f.1', '0x7f000001', '2130706433',
        '017700000001', '127.0.0.1.', '0', '0.0.0.0', '[::1]', '[::]',
        '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:0:0:1]',
        '[::127.0.0.1]', '[64:ff9b::7f00:1]', 'localhost', 'LOCALHOST',
        'localhost.', 'a.localhost', '10.0.0.1', '172.16.0.1',
        '172.31.255.255', '192.168.1.1', '100.64.0.1', '169.254.169.254',
        '[fe80::1]', '[fd00:ec2::254]', '[fc00::1]', '[ff02::1]', '224.0.0.1',
        '255.255.255.255'),
    'https://user@h', 'https://user:pw@h', 'https://api.example.com@127.0.0.1',
    'https://h#f', 'https://h?a=b', "https://h\r\nX: y", "https://h\tx",
    'https://h x', "https://h/\x{e4}", 'https://h:0x50', 'https://h:99999')
{
    my $r = set('b', $url);
    my $name = $url =~ s/[^\x21-\x7e]/?/gr;

    is($r->status . ' ' . (($r->json->{error} // {})->{field} // '-'),
        '400 url', "M17 $name");
}

# what was set on the host may be kept, with another key
is(set('4sapi', $own)->status, 200, 'M17 an inner address that is set already');
is(set('4sapi', $own =~ s/:\d+/:1/r)->status, 400, 'M17 not another one');
is(set('b', $own)->status, 400, 'M17 nor for another upstream');

# A name of the world that stands for an address of this machine: there is no
# certificate for it, and no byte of a request goes out.
{
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5,
        Blocking => 0) or die "listen: $!\n";

    $t->run({ stdin => "sk-xxxxxxxxxxxxxxxx\n" }, 'upstream', 'set', 'rebound',
        '--url', 'https://127.0.0.1:' . $listen->sockport);

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        my $until = time + 5;
        my ($sock, $got) = (undef, '');

        select undef, undef, undef, 0.01
            until ($sock = $listen->accept) || time > $until;
        $sock->blocking(1);
        sysread $sock, $got, 4096;
        syswrite $sock, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        open my $fh, '>', "$t->{dir}/secret/seen" or die;
        print $fh $got;
        close $fh;
        POSIX::_exit(0);
    }

    my $r = $s->call('POST', '/admin/api/upstreams/rebound/test', @as,
        json => {});

    waitpid $pid, 0;
    is($r->status, 503, 'M18 who shows no certificate of the name: nothing');

    my $got = AIGW::slurp("$t->{dir}/secret/seen");

    is(ord $got, 22, 'M18 it saw the begin of a handshake');
    unlike($got, qr/sk-xx|GET|authorization/i, 'M18 and no request');
}

$t->finish;

#!/usr/bin/perl

# Upstreams: their URL is checked, their key comes from stdin or a file and is
# seen nowhere again; `upstream test` sends it to that host alone.

use strict;
use warnings;

use File::Find;
use FindBin;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

my $secret = 'sk-planted-9b1f4e7a2c5d8063';
my $store = new_store();
my @set = ('upstream', 'set', '4sapi');

# URL.

for my $url ('http://4sapi.com', 'http://10.0.0.1', 'http://127.evil.com',
    'http://localhost.evil.com', 'http://[2001:db8::1]')
{
    like(fails(2, { stdin => "$secret\n" }, @set, '--url', $url)->{message},
        qr/https/, '... https');
}

for my $url ('https://4sapi.com', 'http://127.0.0.1:9', 'http://[::1]:9',
    'http://localhost:9', 'https://10.0.0.1')
{
    is(json({ stdin => "$secret\n" }, 'upstream', 'set',
        'u' . ($url =~ s/\W/-/gr), '--url', $url)->{url}, $url, $url);
}

is(json({ stdin => "$secret\n" }, @set, '--url', 'https://4sapi.com/v1/')
    ->{url}, 'https://4sapi.com', '/v1 is ours to add');

# Key.

like(fails(2, { stdin => '' }, 'upstream', 'set', 'new', '--url',
    'https://h')->{hint}, qr/stdin/, 'no key');
is(json({ stdin => '' }, @set, '--url', 'https://4sapi.com')->{name},
    '4sapi', 'the same URL keeps its key');
fails(2, { stdin => '' }, @set, '--url', 'https://other.example');

for my $bad ("two words\n", "nul\x01\n", "\xc3\xa4\n", 'x' x 256 . "\n") {
    my $e = fails(2, { stdin => $bad }, @set, '--url', 'https://4sapi.com');
    unlike($e->{message}, qr/words|xxx/, '... not repeated');
}

my $file = spew(dir() . '/key', "$secret\r\nsecond line\n");

chmod 0600, $file;
is(aigw(@set, '--url', 'https://4sapi.com', '--key-file', $file)->{exit}, 0,
    'a key file');
chmod 0644, $file;
like(aigw(@set, '--url', 'https://4sapi.com', '--key-file', $file)->{err},
    qr/warning: others can read/, 'one that others can read');
is(fails(3, @set, '--url', 'https://4sapi.com', '--key-file', '/no/such')
    ->{message}, "cannot open key file '/no/such': No such file or directory",
    'none');
fails(1, @set, '--url', 'https://4sapi.com', '--key-file', dir());

# Testing one: a small server that keeps what it was sent.

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
    or die $!;
my $port = $server->sockport;
my $sent = dir() . '/sent';

sub serve {
    my ($status, $body, $header) = @_;
    my $pid = fork() // die $!;

    return $pid if $pid;

    my $c = $server->accept or exit 1;
    my $head = '';

    while (defined(my $line = <$c>)) {
        last if $line =~ /^\r?\n/;
        $head .= $line;
    }

    spew($sent, $head);
    print $c "HTTP/1.1 $status X\r\n", $header // '', 'Content-Length: ',
        length $body, "\r\nConnection: close\r\n\r\n$body";
    close $c;
    require POSIX;
    POSIX::_exit(0);
}

json({ stdin => "$secret\n" }, 'upstream', 'set', 'local', '--url',
    "http://127.0.0.1:$port");

my $models = '{"data":[{"id":"m1"},{"id":"m2"},{"id":"bad name"},{"id":7}]}';
my $pid = serve(200, $models);
my $answer = json('upstream', 'test', 'local');

waitpid $pid, 0;
is($answer->{models}, 2, 'models counted');
is($answer->{learnt}, 2, '... and learnt');
is_deeply([map { $_->{name} } @{ json('model', 'list')->{items} }],
    ['m1', 'm2'], '... by name');
like(slurp($sent), qr{^GET /v1/models HTTP/1\.1\r$}m, 'what it asks');
like(slurp($sent), qr{^Authorization: Bearer \Q$secret\E\r$}m,
    '... with the key');

$pid = serve(200, $models);
is(json('upstream', 'test', 'local')->{learnt}, 0, 'nothing new');
waitpid $pid, 0;

for my $case ([401, '{}', 4], [500, 'x', 1], [200, 'not json', 1],
    [200, '{"data":{}}', 1],
    [302, '', 1, "Location: http://127.0.0.1:1/\r\n"])
{
    my ($status, $body, $exit, $header) = @$case;

    $pid = serve($status, $body, $header);
    fails($exit, 'upstream', 'test', 'local');
    waitpid $pid, 0;
}

close $server;
is(fails(6, 'upstream', 'test', 'local')->{code}, 'unreachable',
    'an upstream that is not there');

# TLS is verified: a server that cannot prove its name is sent no request.

my $tls = dir() . '/tls';

system("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    . " -keyout $tls.key -out $tls.crt >/dev/null 2>&1") == 0
    or die 'openssl req failed';

$server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
    or die $!;
$port = $server->sockport;
close $server;

pipe my $quiet, my $held or die $!;   # s_server ends with its input
$pid = fork() // die $!;

if ($pid == 0) {
    open STDIN, '<&', $quiet or die $!;
    open STDOUT, '>', "$tls.out" or die $!;
    open STDERR, '>&', \*STDOUT or die $!;
    exec 'openssl', 's_server', '-accept', "127.0.0.1:$port", '-key',
        "$tls.key", '-cert', "$tls.crt" or die $!;
}

for (1 .. 100) {
    last if -e "$tls.out" && slurp("$tls.out") =~ /ACCEPT/;
    select undef, undef, undef, 0.1;
}

json({ stdin => "$secret\n" }, 'upstream', 'set', 'tls', '--url',
    "https://127.0.0.1:$port");
like(fails(6, 'upstream', 'test', 'tls')->{message}, qr/certificate/,
    'a certificate that nobody vouches for');
kill 'TERM', $pid;
waitpid $pid, 0;
unlike(slurp("$tls.out"), qr/GET/, '... is sent nothing');

# A store whose key file others can read does not open it.

chmod 0644, "$store/key";
is(fails(4, 'upstream', 'test', 'local')->{code}, 'not_authorised',
    'a key file that others can read');
chmod 0600, "$store/key";

# The key is in no answer and nowhere at rest.

for my $argv (['upstream', 'list'], ['upstream', 'list', '-o', 'csv'],
    ['upstream', 'list', '--json'], ['upstream', 'list', '-q'],
    ['store', 'stats', '--json'], ['setting', 'list'])
{
    my $r = aigw(@$argv);

    unlike("$r->{out}$r->{err}", qr/planted|9b1f4e7a/, "not in: @$argv");
}

my $found = 0;

find(sub { $found++ if -f $_ && slurp($_) =~ /\Q$secret\E/ }, $store);
is($found, 0, 'not in the store');

done_testing();

# Beside a running nginx: a second one on the same store (both serve, the sum
# is right), and a live directory that is somebody else's: at start one line,
# and the store's name in it; at a reload 503 and the master lives. Threat L08.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $t = AIGW->new;
my $d = $t->dir;
my $key = $t->project('alice');
my $port = AIGW::free_port();
my $conf = AIGW::slurp("$d/nginx.conf")
    =~ s/127\.0\.0\.1:\K@{[ $t->port ]};/$port;/r =~ s/nginx\.pid/second.pid/r;

open my $fh, '>', "$d/second.conf" or die "second.conf: $!\n";
print $fh $conf;
close $fh;


sub second () {
    return AIGW::Process->start([$AIGW::nginx, '-p', $d, '-e',
        "$d/error.log", '-c', "$d/second.conf"], stderr => "$d/said");
}


my $p = second();
my $up;

for (1 .. 100) {
    last if $up = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
    select undef, undef, undef, 0.05;
}

ok($up, 'a second nginx starts');
close $up;

for (1 .. 20) {
    my $r = AIGW::HTTP->new($port)->ask(key => $key,
        json => AIGW::chat_body())->response;

    is($r->status, 200, 'L08 the second serves') if $_ == 20;
    is($t->chat($key)->status, 200, 'L08 the first serves') if $_ == 20;
}

is(scalar(@{ [$t->wait_rows(21)] }), 21, 'each call has its row');
is($p->stop('QUIT'), 0, 'the second ends');
is($t->chat($key)->status, 200, 'the first goes on');
$t->expect_rows(20);

# --- a live directory of somebody else ---

SKIP: {
    skip 'needs root', 4 if $> != 0;

    my $live = $t->{live};

    is($t->stop, 0, 'nginx ends');
    $t->wait_rows(22);
    rename $live, "$live.aside" or die "$live: $!\n";
    mkdir $live or die "$live: $!\n";
    chown 12345, 12345, $live;
    $p = second();
    is(($p->wait // 0) >> 8, 1, 'a foreign live directory: nginx ends');
    like(AIGW::slurp("$d/said"),
        qr/\A[^\n]*\[emerg\][^\n]*ai_gateway_store: [^\n]*\Q$live\E[^\n]*\n\z/,
        'one line, which names it');
    rmdir $live or die "$live: $!\n";
    rename "$live.aside", $live;
    $t->allow_alert(qr/\[emerg\].*ai_gateway_store: /);
    $t->start;
    is($t->chat($key)->status, 200, 'and all is well again');
}

$t->finish;

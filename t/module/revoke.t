# A key is revoked by the command line: the next request is refused, on open
# keep-alive connections to every worker and on HTTP/2. Show line 3, threats
# A06, L17.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;
use AIGW::HTTP2;

my $http2 = AIGW::free_port();
my $t = AIGW->new(workers => 4, start => 0);

$t->{http} = "server { listen 127.0.0.1:$http2 http2; location /v1/ {"
    . ' ai_gateway on; proxy_pass http://sim4s; } }';
$t->configure;
$t->start;
$t->project('alice');

my @ways = (
    ['key revoke', sub ($i) { ('key', 'revoke', "k$i", '--project', 'alice',
        '--yes') }, 'api_key_disabled'],
    ['project disable', sub ($i) { ('project', 'disable', "p$i", '--yes') },
        'api_key_disabled'],
);


# A key of its own for each trial: its project's way to be stopped.
sub new_key ($i) {
    return $i % 2 ? $t->project("p$i") : $t->key('alice', "k$i");
}


sub stop_key ($i) {
    my ($name, $args) = @{ $ways[$i % 2] };

    $t->json($args->($i));
}


# --- keep-alive: 10 keys, each on 90 open connections ---

my ($trials, @wrong) = (0);

for my $i (1 .. 10) {
    my $key = new_key($i);
    my @c = map { $t->connect } 1 .. 90;

    # each connection has had an answer, so that it is one of a worker's
    $_->ask(path => '/v1/models', key => $key) for @c;
    push @wrong, grep { $_ != 200 } map { $_->response->status } @c;

    is($t->request(key => $key, json => AIGW::chat_body())->status, 200,
        "key $i is good");
    $t->sim->reset;
    stop_key($i);

    for my $n (0 .. $#c) {
        $c[$n]->ask(key => $key, json => AIGW::chat_body());
    }

    for my $c (@c) {
        my $r = $c->response;

        $trials++;
        push @wrong, $r->status . ' ' . $r->code
            if $r->status != 401 || $r->code ne 'api_key_disabled';
    }

    push @wrong, 'upstream' if $t->sim->count;
    $_->close for @c;
}


# --- HTTP/2: 10 keys, each on 10 open connections ---

my $body = JSON::PP->new->utf8->encode(AIGW::chat_body());

for my $i (11 .. 20) {
    my $key = new_key($i);
    my @c = map { AIGW::HTTP2->new($http2) } 1 .. 10;
    my $good = 0;

    $_->ask($key, $body) for @c;
    $good += ($_->response // '') =~ /"total_tokens"/ for @c;
    is($good, 10, "HTTP/2: key $i is good");
    $t->sim->reset;
    stop_key($i);

    $_->ask($key, $body) for @c;

    for my $c (@c) {
        my $answer = $c->response // 'none';

        $trials++;
        push @wrong, "HTTP/2: $answer" if $answer !~ /"api_key_disabled"/;
    }

    push @wrong, 'upstream' if $t->sim->count;
    $t->expect_rows(20);
}

is($trials, 1000, '1,000 trials');
is_deeply([@wrong > 9 ? @wrong[0 .. 9] : @wrong], [],
    'A06 a stopped key is refused on the very next request');

$t->finish;

# A key is rotated by the command line: with a grace period the old secret and
# the new one are both good until it ends, then the old one is refused, on open
# keep-alive connections and on HTTP/2, without a reload.
# Threats A06, L17.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::HTTP2;

my $http2 = AIGW::free_port();
my $t = AIGW->new(workers => 2, start => 0);

$t->{http} = "server { listen 127.0.0.1:$http2 http2; location /v1/ {"
    . ' ai_gateway on; proxy_pass http://sim4s; } }';
$t->configure;
$t->start;

my $old = $t->project('alice');
my $body = JSON::PP->new->utf8->encode(AIGW::chat_body());
my @open = map { $t->connect } 1 .. 4;
my $h2 = AIGW::HTTP2->new($http2);


# What all open connections answer to this key: {code or "ok" => count}.
sub ask_all ($key) {
    my %seen;

    $_->ask(key => $key, json => AIGW::chat_body()) for @open;
    $h2->ask($key, $body);
    $t->expect_rows(1);

    for my $answer ((map { $_->response->body } @open), $h2->response // '') {
        $seen{ $answer =~ /"total_tokens"/ ? 'ok'
            : $answer =~ /"code": *"(\w+)"/ ? $1 : "none: $answer" }++;
    }

    return \%seen;
}


my ($good, $no, $over, $off) = map { { $_ => @open + 1 } }
    qw(ok invalid_api_key api_key_expired api_key_disabled);

is_deeply(ask_all($old), $good, 'the first secret, on every connection');

# --- with grace ---

my $made = $t->json('key', 'rotate', 'default', '--project', 'alice',
    '--grace', '3s');
my $new = $made->{key};
my $id = $made->{id};
my $ends = time + 3;

is_deeply(ask_all($new), $good, 'rotated with grace: the new secret');
is_deeply(ask_all($old), $good, '... and the old one');
cmp_ok(time, '<', $ends - 0.2, '... before the grace ended');

is_deeply([grep { $_->{key_id} != $id } $t->wait_rows(3 * @open + 3)], [],
    '... all of them calls of one key');

sleep 0.01 while time < $ends + 0.01;
$t->sim->reset;

is_deeply(ask_all($old), $over, 'A06 the grace is over: the old one refused');
is($t->sim->count, 0, '... nothing of it went upstream');
is_deeply(ask_all($new), $good, '... the new one is good');
is($t->json('key', 'show', $id)->{grace_ends_at}, undef,
    '... and no grace is shown');

# --- again, with a grace still running: two secrets at most are alive ---

my $second = $t->json('key', 'rotate', $id, '--grace', '1h')->{key};
my $third = $t->json('key', 'rotate', $id, '--grace', '1h')->{key};

is_deeply(ask_all($new), $no, 'one older than the old one is refused at once');
is_deeply(ask_all($second), $good, 'the old one is good');
is_deeply(ask_all($third), $good, 'the new one, too');

# --- what is said of the key counts for both ---

sleep 1.1;      # ten refusals a second have a row, by key and by address

$t->run('key', 'disable', $id);
is_deeply(ask_all($_), $off, 'disabled: each of them') for $second, $third;
$t->run('key', 'enable', $id);

# --- without ---

my $fourth = $t->json('key', 'rotate', $id)->{key};

is_deeply(ask_all($_), $no, 'A06 without grace: at once') for $second, $third;
is_deeply(ask_all($fourth), $good, '... and the new one is good');

sleep 1.1;
$t->run('key', 'revoke', $id, '--yes');
is_deeply(ask_all($fourth), $off, 'revoked');

$_->close for @open;
undef $h2;
$t->finish;

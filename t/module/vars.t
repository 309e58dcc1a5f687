# Access-log variables: what the row has, and never a key. Issue 3, threats
# A13, K01 to K03.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

my $t = AIGW->new(server => 'location = /plain { return 200 "plain\n"; }');
my $key = $t->project('alice', '--models', 'gpt-4o-mini');


# The newest line of the access log with that id, as a hash.
sub logged ($id) {
    my $deadline = time + 2;

    do {
        for (reverse split /\n/, AIGW::slurp("$t->{dir}/access.log")) {
            my %line = map { /(.*?)=(.*)/ ? ($1, $2) : () } split /\t/;

            return \%line if ($line{id} // '') eq $id;
        }

        sleep 0.01;
    } while (time < $deadline);

    return {};
}


my $r = $t->chat($key, max_tokens => 5);
my $line = logged($r->id);
my $row = $t->row($r);

is($line->{project}, 'alice', '$ai_gateway_project');
is($line->{key}, substr($key, 0, 9),
    'K05 $ai_gateway_key is the prefix only');
is($line->{$_}, $row->{$_}, "\$ai_gateway_$_ is the row's")
    for qw(model prompt_tokens completion_tokens cost verdict);
is($line->{status}, 200, 'status');
unlike($line->{authorization}, qr/aigw_/,
    'K01 $http_authorization has no key');

$r = $t->stream($key, max_tokens => 3)->response;
$line = logged($r->id);
is($line->{completion_tokens}, 3, 'of a stream, too');
is($line->{cost}, $t->row($r)->{cost}, 'with its cost');

$r = $t->chat($key, model => 'gpt-4o');
$line = logged($r->id);
is($line->{verdict}, 'model_not_allowed', 'the verdict of a refusal');
is($line->{project}, 'alice', 'whose key is known');
is($line->{cost}, '0', 'cost 0') or diag explain $line;

$r = $t->request(key => $key . 'x', json => AIGW::chat_body());
$line = logged($r->id);
is($line->{verdict}, 'invalid_api_key', 'a key that is unknown');
is($line->{$_}, '-', "no $_") for qw(project key);

for my $path ('/v1/chat/completions', '/v1/models', '/v1/nothing') {
    $r = $t->request(key => $key, json => AIGW::chat_body(),
        path => "$path?x=1&key=$key");
    is($r->code, 'credentials_in_url', "$path: a key in the URL");
    like(logged($r->id)->{request}, qr/\APOST \Q$path\E(?: HTTP\/1\.1)?\z/,
        'K03 and the whole query is left out of the log');
}

$r = $t->request(path => '/plain', key => 'of somebody else');
is($r->body, "plain\n", 'another location');

# nginx logs when the answer has gone out
my $deadline = time + 2;
my $log;

do {
    $log = AIGW::slurp("$t->{dir}/access.log");
    sleep 0.02;
} while ($log !~ /Bearer of somebody/ && time < $deadline);

like($log, qr/authorization=Bearer of somebody/,
    'keeps its $http_authorization');

$t->finish;

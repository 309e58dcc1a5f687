# The keys that the gateway itself holds: changed while it runs, under a master
# key that is not theirs, and where they may be found. What nginx prints of a
# client's. Threats K01, K02, K09, K11, K18, K20, L07, L11.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;

my $chatty = AIGW::free_port();
my $t = AIGW->new(start => 0);
my $d = $t->dir;

# nginx's own words at the level info go where no search is made.
$t->{http} = "server { listen 127.0.0.1:$chatty; error_log $d/secret/info.log"
    . ' info; location /v1/ { ai_gateway on; proxy_pass http://sim4s; } }';
$t->configure;
$t->start;

my $key = $t->project('alice');
my $first = $t->{secrets}{'the upstream\'s key'};


# The key that went up with a call, '' if none did.
sub sent ($name, $status = 200) {
    $t->sim->reset;
    $t->sim->script(body => '{"usage":{"prompt_tokens":1,'
        . '"completion_tokens":1}}');

    my $r = $t->chat($key);

    is($r->status, $status, "$name: $status") or diag $r->body;
    is($r->code, $status == 200 ? '' : 'gateway_unavailable', "$name: code");
    unlike($r->body, qr/\Q$first\E|master/, "$name: nothing of it is told");

    my ($seen) = $t->sim->seen;

    return ($seen // {})->{headers}{authorization} // '';
}


# --- a key is changed ---

is(sent('as it was'), "Bearer $first", 'the upstream\'s key');

my $second = 'sk-second' . AIGW::random_text(39);

$t->secret('the second key', $second);
$t->run('upstream', 'set', '4sapi', '--url', 'http://' . $t->upstream,
    '--key-file', $t->secret_file('second', $second));
is(sent('changed'), "Bearer $second", 'L11 the very next call has it');


# --- another master key ---

my $master = AIGW::slurp("$d/store/key");


sub master ($text) {
    open my $fh, '>', "$d/store/key" or die "key: $!\n";
    print $fh $text;
    close $fh;
    chmod 0600, "$d/store/key";
}


master($master =~ tr/0-9a-f/a-f0-9/r);
is(sent('until a reload'), "Bearer $second", 'L11 the old one serves on');
$t->reload;
is(sent('K09 K11 a key that does not open', 503), '',
    'K11 nothing goes up without it');
like(AIGW::slurp("$d/error.log"), qr/key of upstream "4sapi" does not open/,
    'K11 error.log says why');
is($t->request(key => $key, path => '/v1/models')->status, 200,
    'K11 what needs no key is served');
master($master);
$t->reload;
is(sent('L11 put back'), "Bearer $second", 'L11 a reload picks it up');


# --- where a key is not ---

is_deeply([AIGW::Check::argv($t)], [],
    'K18 no key in a command line or an environment');

for my $port ($t->port, $chatty) {
    local $t->{port} = $port;

    is($t->request(json => AIGW::chat_body(), headers => ['Authorization',
        "Bearer $key", 'Authorization', 'Bearer x'])->status, 400,
        'K02 two Authorization lines: 400');
    is($t->request(json => AIGW::chat_body(), headers => ["Authorization\x01",
        "Bearer $key"])->status, 400, 'K02 a name that is none: 400');
}

is_deeply([AIGW::Check::find($t, AIGW::slurp("$d/error.log"))], [],
    'K02 at the level warn nginx prints no key');
isnt(join('', AIGW::Check::find($t, AIGW::slurp("$d/secret/info.log"))), '',
    'K02 at info it does, so');

for my $file ('nginx.conf.example', 'docs/aigw-http.conf',
    'docs/aigw-server.conf')
{
    my @lines = AIGW::slurp("$AIGW::root/$file") =~ /^\s*(error_log .*)/mg;

    is_deeply([grep { !/ (?:warn|error|crit|alert|emerg);$/ } @lines], [],
        "K02 $file asks for warn at most");
}

# All that is on disk, the live files too.
is_deeply([AIGW::Check::secrets($t)], [], 'K01 no key in any file');


# --- memory ---

# How often a secret stands in the memory that a process may write to.
sub copies ($pid, $secret) {
    my $n = 0;

    open my $mem, '<:raw', "/proc/$pid/mem" or die "mem: $!\n";

    no warnings 'portable';

    for (split /\n/, AIGW::slurp("/proc/$pid/maps")) {
        /^(\w+)-(\w+) rw/ or next;

        my ($from, $to) = map { hex } $1, $2;

        sysseek $mem, $from, 0;
        sysread $mem, my $bytes, $to - $from;
        $n++ while ($bytes // '') =~ /\Q$secret/g;
    }

    return $n;
}

SKIP: {
    skip 'not root, or memory is kept', 2 if $> != 0 || $ENV{SANITIZE};

    my ($worker) = $t->workers;

    $t->chat($key) for 1 .. 50;
    cmp_ok(copies($worker, $second), '>=', 1, 'K20 the key is found');
    cmp_ok(copies($worker, $second), '<=', 1,
        'K20 50 calls leave no 50 copies of the upstream\'s key');
}


# --- a module of another nginx ---

{
    my $so = AIGW::slurp("$AIGW::build/ngx_ai_gateway_module.so");

    $so =~ s/\d,\d,\d,([01]{20,})/'9' . substr $&, 1/e or die "no signature\n";
    open my $fh, '>:raw', "$d/other.so" or die "other.so: $!\n";
    print $fh $so;
    close $fh;
    open $fh, '>', "$d/other.conf" or die "other.conf: $!\n";
    print $fh "load_module $d/other.so; events {}\n";
    close $fh;

    my $p = AIGW::Process->start([$AIGW::nginx, '-t', '-p', $d, '-e',
        "$d/check.log", '-c', "$d/other.conf"], stderr => "$d/said");

    is($p->wait >> 8, 1, 'L07 a module of another nginx: exit 1');
    like(AIGW::slurp("$d/said"), qr/is not binary compatible/, 'L07 says so');
    unlink "$d/check.log", "$d/other.so";
}

$t->finish;

# What an operator puts around the location: no way past the checks, no key for
# anybody else, one row for a call. Threats A24, J34, L12, L14, H31.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time);

use AIGW;

my $t = AIGW->new(start => 0);
my $side = AIGW::Sim->new("$AIGW::build/aigw-sim");    # auth and mirror
my $pass = 'ai_gateway on; proxy_pass http://sim4s;';

# Locations, each a server of its own, as path => what is in the server.
my %server = (
    gzip => "location /v1/ { $pass gzip on; gzip_types *;"
        . ' gzip_min_length 1; gzip_proxied any; }',
    limit => "location /v1/ { $pass limit_rate 20k; }",
    cache => "location /v1/ { $pass proxy_cache c; proxy_cache_methods POST;"
        . ' proxy_cache_key $request_body; proxy_cache_valid 200 1m;'
        . ' proxy_ignore_headers Cache-Control Vary Set-Cookie; }',
    page => "location /v1/ { $pass error_page 401 403 429 502 504 /oops; }"
        . ' location = /oops { return 200 "mine\n"; }',
    loop => "location /v1/ { $pass error_page 401 502"
        . ' /v1/chat/completions; }',
    named => "location /v1/ { $pass proxy_intercept_errors on;"
        . ' error_page 500 = @b; } location @b { ' . $pass . ' }',
    auth => "location /v1/ { $pass auth_request /check; }"
        . ' location = /check { internal; proxy_pass http://127.0.0.1:'
        . $side->port . '; proxy_pass_request_body off;'
        . ' proxy_set_header Content-Length ""; }',
    any => "location /v1/ { $pass satisfy any; allow all; deny all; }",
    none => "location /v1/ { $pass satisfy any; deny all; }",
    mirror => "location /v1/ { $pass mirror /copy; }"
        . ' location = /copy { internal; proxy_pass http://127.0.0.1:'
        . $side->port . '; }',
    rewrite => 'location /old/ { rewrite ^/old/(.*)$ /v1/$1 last; }'
        . " location /v1/ { $pass }",
    try => 'location /v1/ { try_files /nothing @b; ' . $pass . ' }'
        . ' location @b { ' . $pass . ' }',
    if => 'location /v1/ { set $x 1; if ($x) { set $y 1; } ' . $pass . ' }',
    sub => "location /v1/ { $pass sub_filter_types *; sub_filter_once off;"
        . ' sub_filter hello HELLO; }',
    headers => "location /v1/ { $pass proxy_set_header X-Mine yes; }",
    charset => "location /v1/ { $pass charset utf-8; charset_types *; }",
    addition => "location /v1/ { $pass add_after_body /after;"
        . ' addition_types *; } location = /after { return 200 "after"; }',
    slice => "location /v1/ { $pass slice 1k;"
        . ' proxy_set_header Range $slice_range; }',
    aio => "location /v1/ { $pass aio threads; aio_write on;"
        . ' proxy_buffers 2 4k; proxy_buffer_size 4k; proxy_busy_buffers_size'
        . ' 4k; client_body_buffer_size 1k; }',
    ssi => "location /v1/ { $pass } location /page/ { ssi on; root $t->{dir};"
        . ' default_type text/html; }'
        . ' location /copied { mirror /v1/chat/completions;'
        . ' proxy_pass http://127.0.0.1:' . $side->port . '; }',
);
my %port = map { $_ => AIGW::free_port() } keys %server;

$t->{http} = "proxy_cache_path $t->{dir}/cache keys_zone=c:1m;\n" . join '',
    map { "server { listen 127.0.0.1:$port{$_}; $server{$_} }\n" }
    sort keys %server;
$t->configure;
$t->start;

my $key = $t->project('alice');
my $json = '{"choices":[{"message":{"content":"hello hello"}}],"usage":'
    . '{"prompt_tokens":24,"completion_tokens":2,"total_tokens":26}}';


sub call ($where, %q) {
    local $t->{port} = $port{$where};

    $q{key} //= $key;
    delete $q{key} if $q{key} eq 'none';

    return $t->request(json => AIGW::chat_body(), %q);
}


sub script (%more) {
    $t->sim->reset;
    $side->reset;
    $t->sim->script(body => $json, %more);
}


sub charged ($name, $r) {
    is_deeply([@{ $t->row($r) }{qw(total_tokens cost settled status)}],
        [26, '0.00026', 'exact', 200], "$name: one row, charged once");
    is($t->sim->count, 1, "$name: one request upstream");
}


# Nothing is passed by without a key, whatever stands around.
for my $where (sort keys %server) {
    next if $where eq 'page';
    $t->sim->reset;
    $side->reset;

    my $r = call($where, key => 'none');

    like($r->status, qr/^40[14]$/, "L12 $where: refused without a key");
    is($t->sim->count, 0, "L12 $where: nothing upstream");
}

for my $where (qw(limit any named rewrite if try headers)) {
    script();

    my $r = call($where);

    is($r->body, $json, "L12 $where: the answer");
    charged("L12 $where", $r);
}

# A path of the operator's that becomes one of ours.
for my $stopped (0, 1) {
    script();
    $t->json('project', 'disable', 'alice', '--yes') if $stopped;

    my $r = call('rewrite', path => '/old/chat/completions', nginx => 1);

    $t->expect_rows(1);
    is($r->status, $stopped ? 401 : 200, 'L12 a rewrite is judged, too');
    is($t->sim->count, 1 - $stopped, 'L12 and what it lets through is sent');
}

$t->json('project', 'enable', 'alice', '--yes');

# Filters behind ours see what we passed; what is metered is what came.
script();

my $r = call('gzip', headers => ['Accept-Encoding', 'gzip']);

is($r->header('content-encoding'), 'gzip', 'H31 L14 gzip outward');
is(($t->sim->seen)[0]{headers}{'accept-encoding'}, 'identity',
    'H31 but none is asked for');
charged('L14 gzip', $r);

script();
$r = call('sub');
is($r->body, $json =~ s/hello/HELLO/gr, 'L14 sub_filter');
charged('L14 sub_filter', $r);

# A hit is no call: its row says what it was and costs nothing.
script();
$r = call('cache');
is($r->body, $json, 'L14 a miss');
charged('L14 a miss', $r);
$r = call('cache');
is($r->body, $json, 'L14 a hit');
is($t->sim->count, 1, 'L14 which asks nobody');
is_deeply([@{ $t->row($r) }{qw(cost settled)}], ['0', 'void'],
    'L14 and costs nothing');
is(call('cache', key => 'none')->status, 401, 'L14 a hit needs a key, too');

# Filters that add: a subrequest's words behind ours, and a name of a charset.
script();
$r = call('addition');
is($r->body, "${json}after", 'L14 addition');
charged('L14 addition', $r);

for my $where (qw(charset slice)) {
    script();
    $r = call($where);
    is($r->body, $json, "L14 $where: the answer");
    charged("L14 $where", $r);
}

# A body and an answer that go through files, by threads, to a slow client.
{
    local $t->{port} = $port{aio};

    my $long = $json =~ s/hello hello/'hello ' x 500_000/er;

    script(body => $long);

    my $c = $t->connect->ask(key => $key, json => AIGW::chat_body(
        user => 'x' x 100_000, stream => JSON::PP::true));

    select undef, undef, undef, 0.2;
    $r = $c->response;
    ok($r->body eq $long, 'L16 an answer of 3 MB by aio threads');
    $r->{body} = '';
    charged('L16 aio threads', $r);
    is(JSON::PP::decode_json(($t->sim->seen)[0]{body})->{user},
        'x' x 100_000, 'L16 and the body that went up');
}

# Error pages of the operator's.
$r = call('page', key => 'none');
is($r->status, 401, 'L12 error_page does not hide a refusal of ours');
$t->sim->script(raw => '', then => 'close');
$r = call('page', nginx => 1);
$t->expect_rows(1);
is($r->body, "mine\n", 'L12 error_page replaces nginx\'s own 502');
$t->sim->reset;
$t->sim->script(raw => '', then => 'close');
$r = call('loop');
is($r->status, 404, 'L12 one that leads back is no second call');
is($t->sim->count, 1, 'L12 indeed');
$t->sim->reset;
$t->sim->script(body => $json, headers => ['Content-Type', 'application/json',
    'X-Accel-Redirect', '/v1/chat/completions']);
is(call('if')->status, 404, 'H33 nor is a redirect that the upstream wants');
is($t->sim->count, 1, 'H33 indeed');

# both were admitted and sent: a 404 with a row
$t->expect_rows(2);

# An internal redirect of an admitted call: another try, the same row.
$t->sim->reset;
$t->sim->script(status => '500 Oops', body => '{}');
$t->sim->script(body => $json);
$r = call('named');
is($r->body, $json, 'L12 a named location behind a 500');
is($t->sim->count, 2, 'L12 two tries');
is_deeply([@{ $t->row($r) }{qw(total_tokens settled)}], [26, 'exact'],
    'L12 one row');

# Subrequests: what they carry of the client's key is the operator's wish, the
# upstream's own key is never with them.
for my $where (qw(auth mirror)) {
    script();
    $side->script(body => '{}');
    $r = call($where);
    is($r->body, $json, "J34 $where: the answer");
    charged("J34 $where", $r);

    my @seen = $side->seen;

    is(@seen, 1, "J34 $where: the other server was asked");
    unlike($seen[0]{raw}, qr/\Q$t->{secrets}{'the upstream\'s key'}\E/,
        "J34 K13 $where: without the upstream's key");
}

# A subrequest into the location is no call of a client's: nobody's key goes up
# with it.
mkdir "$t->{dir}/page";
open my $page, '>', "$t->{dir}/page/index.html" or die "page: $!\n";
print $page '(<!--# include virtual="/v1/chat/completions" -->)';
close $page;

for my $path ('/page/index.html', '/copied') {
    script();
    $side->script(body => '{}');
    call('ssi', path => $path, nginx => 1,
        method => $path =~ /page/ ? 'GET' : 'POST');
    select undef, undef, undef, 0.1;
    unlike(join('', map { $_->{raw} } $t->sim->seen), qr/\Q$key/,
        "J34 $path: a subrequest takes no client's key up");
    is($t->sim->count, 0, "J34 $path: nor is sent, unjudged");
}

script();
$side->script(status => '403 No', body => '{}');
$r = call('auth');
is($r->status, 403, 'L12 auth_request can refuse');
is($t->sim->count, 0, 'L12 nothing upstream then');

script();
$r = call('none');
is($t->sim->count, $r->status == 200 ? 1 : 0, 'L12 deny all');
is($r->status, 403, 'L12 denies');

$side->stop;
$t->finish;
